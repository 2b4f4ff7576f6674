// @ts-check
/** The model menu, shown when the endpoint lists models, and what the page says of them. */

import { listModels } from "./ask.js";
import { byId, make } from "./elements.js";
import { AnswerFailed } from "./failures.js";

/** What answers, by the models' owner: a name for the header, a sentence for the start. @type {Record<string, [string, string]>} */
const SOURCES = {
  "azure-openai": ["Azure OpenAI", "The answer streams from Azure OpenAI through this endpoint as it is generated."],
  local: ["local model", "The answer streams from a model server on the endpoint's own machine or network."],
  "openai-compatible": ["OpenAI-compatible server", "The answer streams from a model server with OpenAI's API, through this endpoint."],
  simulated: ["simulated model", "No model is connected: a simulator invents the answers, and streams them as Azure OpenAI does."],
};

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
      const listed = await listModels(key);
      const names = listed.map(({ id }) => id);
      showSource(listed.map(({ owner }) => owner));
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

/**
 * Say what answers, as far as all models have the same owner.
 * @param {string[]} owners
 */
function showSource(owners) {
  const owner = new Set(owners).size === 1 ? (owners[0] ?? "") : "";
  const source = byId("source", HTMLElement);
  const [name, sentence] = Object.hasOwn(SOURCES, owner) ? (SOURCES[owner] ?? ["", ""]) : ["", ""];
  source.textContent = name;
  source.classList.toggle("is-simulated", owner === "simulated");
  byId("source-sentence", HTMLElement).textContent = sentence || "The answer streams through this endpoint as it is generated.";
}
