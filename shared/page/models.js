// @ts-check
/** The model menu: shown when the endpoint lists models, hidden otherwise. */

import { listModels } from "./ask.js";
import { byId, make } from "./elements.js";
import { AnswerFailed } from "./failures.js";

export class Models {
  #select = byId("model", HTMLSelectElement);
  #field = byId("model-field", HTMLElement);

  /** The selected name; "" for the default model. */
  get chosen() {
    return this.#field.hidden ? "" : this.#select.value;
  }

  /**
   * Load the list of models.
   * @param {string} key
   * @returns {Promise<boolean>} whether the endpoint requires a key, or another one
   */
  async load(key) {
    const before = this.chosen;
    try {
      const names = await listModels(key);
      const own = names.length > 1 ? [make("option", { value: "" }, "Default model")] : [];
      this.#select.replaceChildren(...own, ...names.map((name) => make("option", { value: name }, name)));
      if (names.includes(before)) this.#select.value = before;
      this.#field.hidden = names.length === 0;
      return false;
    } catch (error) {
      this.#field.hidden = true;
      return error instanceof AnswerFailed && error.failure.needsKey;
    }
  }
}
