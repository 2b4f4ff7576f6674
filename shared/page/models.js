// @ts-check
/** The choice of model: there when the endpoint lists some, and gone when it doesn't. */

import { listModels } from "./ask.js";
import { byId, make } from "./elements.js";
import { AnswerFailed } from "./failures.js";

export class Models {
  #select = byId("model", HTMLSelectElement);
  #field = byId("model-field", HTMLElement);

  /** The chosen name; "" leaves the choice to the deployment. */
  get chosen() {
    return this.#field.hidden ? "" : this.#select.value;
  }

  /**
   * Asks the endpoint for its models.
   * @param {string} key
   * @returns {Promise<boolean>} whether the endpoint asked for a key, or for another one
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
