// @ts-check
/** The view of one question and its answer: text, reasoning, steps, ending, timing and usage. */

import { copyButton } from "./copy.js";
import { icon, make, quietButton } from "./elements.js";
import { MarkdownView } from "./markdown-view.js";
import { QuestionView } from "./question-view.js";
import { Reveal } from "./reveal.js";
import { SourcesView } from "./sources-view.js";
import { stepWords } from "./step-words.js";

/** @typedef {import("./failures.js").Failure} Failure */
/** @typedef {import("./conversation.js").Ending} Ending */
/** @typedef {import("./conversation.js").Measure} Measure */
/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {{onGrown: () => void, onAsk: (question: string) => void}} Actions
 * `onGrown` is called whenever the view has grown, `onAsk` to ask again, perhaps in other words. */

/** After this time the wait is shown in seconds. */
const LONG_WAIT_MS = 3000;

export class TurnView {
  element;
  #answer = make("section", { class: "answer", "aria-busy": "true" });
  #text = make("div", { class: "text prose" });
  #progress = make("p", { class: "progress" });
  #steps = make("p", { class: "steps", role: "status", hidden: "" });
  #sources = new SourcesView();
  #foot = make("div", { class: "foot" });
  #turn;
  #onAsk;
  #markdown;
  #reveal;
  #undo = make("div", { class: "note", hidden: "" });
  /** @type {Reasoning | null} */
  #reasoning = null;
  /** The last state of each step, by its name. @type {Map<string, import("./ask.js").Step>} */
  #stepStates = new Map();
  #began = performance.now();
  #clock = 0;

  /**
   * @param {Turn} turn
   * @param {Actions} actions
   */
  constructor(turn, { onGrown, onAsk }) {
    this.#turn = turn;
    this.#onAsk = onAsk;
    const title = make("h2", { class: "visually-hidden" }, "Answer");
    this.#answer.append(title, this.#steps, this.#text, this.#sources.element, this.#progress, this.#foot);
    this.element = make(
      "article",
      { class: "turn" },
      new QuestionView(turn, onAsk).element,
      this.#undo,
      this.#answer,
    );
    this.#markdown = new MarkdownView(this.#text, (rendered) => this.#sources.link(rendered));
    this.#reveal = new Reveal((text, options) => {
      this.#markdown.show(text, options);
      onGrown();
    });
  }

  /**
   * Show what the view is waiting for, and for how long.
   * @param {string} what
   */
  wait(what) {
    clearInterval(this.#clock);
    const words = make("span", {}, what);
    this.#progress.replaceChildren(make("span", { class: "pulse", "aria-hidden": "true" }), words);
    this.#clock = window.setInterval(() => {
      const ms = performance.now() - this.#began;
      if (ms > LONG_WAIT_MS) words.textContent = `${what}, ${Math.round(ms / 1000)} s`;
    }, 1000);
  }

  /** @param {string} piece the next piece of the answer */
  addText(piece) {
    if (this.#text.childElementCount === 0) this.wait("Writing");
    this.#reasoning?.end();
    this.#reveal.add(piece);
  }

  /** Show what an earlier page had of an answer that goes on. */
  goOn() {
    for (const source of this.#turn.sources) this.#sources.add(source);
    if (this.#turn.answer !== "") this.addText(this.#turn.answer);
  }

  /** Show that the connection is back. */
  back() {
    this.wait(this.#text.childElementCount === 0 ? "Waiting for the first word" : "Writing");
  }

  /** @param {string} piece the next piece of the model's reasoning */
  addReasoning(piece) {
    if (this.#reasoning === null) {
      this.#reasoning = new Reasoning();
      this.#text.before(this.#reasoning.element);
      this.wait("Thinking");
    }
    this.#reasoning.add(piece);
  }

  /** @param {import("./ask.js").Step} step */
  addStep(step) {
    this.#stepStates.set(step.name, step);
    this.#steps.hidden = false;
    this.#steps.replaceChildren(icon("step"), make("span", { dir: "auto" }, [...this.#stepStates.values()].map(stepWords).join(" · ")));
  }

  /** @param {import("./ask.js").Source} source */
  addSource(source) {
    this.#sources.add(source);
  }

  /**
   * Show the rest of the answer, and how it ended.
   * @param {Ending} ending
   * @param {{atOnce: boolean}} options
   */
  async end(ending, { atOnce }) {
    this.#reasoning?.end();
    await this.#reveal.end({ atOnce });
    this.#showEnding(ending);
  }

  /**
   * Show a turn that has ended earlier.
   * @param {Ending} ending
   */
  restore(ending) {
    for (const source of this.#turn.sources) this.#sources.add(source);
    if (this.#turn.answer !== "") this.#markdown.show(this.#turn.answer, { isComplete: true });
    this.#showEnding(ending);
  }

  /** @param {Ending} ending */
  #showEnding({ measure, note, failure }) {
    const text = this.#turn.answer;
    clearInterval(this.#clock);
    this.#progress.remove();
    if (note !== "") this.#foot.append(make("p", { class: "note" }, icon("info"), make("span", {}, note)));
    if (failure !== null) this.#foot.append(failureBox(failure, text !== ""));
    const actions = make("div", { class: "actions" });
    if (text !== "") actions.append(copyButton("Copy answer", () => text));
    actions.append(quietButton("retry", failure === null ? "Ask again" : "Retry", () => this.#onAsk(this.#turn.question)));
    this.#foot.append(make("div", { class: "end" }, actions, make("p", { class: "measure" }, ...(measure === null ? [] : measureWords(measure)))));
    this.#answer.removeAttribute("aria-busy");
  }

  /** Show everything received at once. */
  hurry() {
    this.#reveal.hurry();
  }

  /** @returns {string} the answer as text for screen readers */
  spokenText() {
    return this.#text.innerText;
  }

  /**
   * Say that later questions were removed, and offer to bring them back.
   * @param {number} count
   * @param {() => void} onUndo
   */
  offerUndo(count, onUndo) {
    const what = count === 1 ? "1 later question was removed." : `${count} later questions were removed.`;
    const undo = make("button", { type: "button", class: "text-button" }, "Bring back what was here");
    undo.addEventListener("click", onUndo);
    this.#undo.replaceChildren(icon("info"), make("span", {}, `${what} `, undo));
    this.#undo.hidden = false;
  }

  /** Withdraw the offer: the conversation has gone on. */
  withdrawUndo() {
    this.#undo.hidden = true;
  }
}

/** The model's reasoning, collapsed; its text is rendered only while it is open. */
class Reasoning {
  #summary = make("summary", {}, "Reasoning");
  #body = make("div", { class: "prose" });
  element = make("details", { class: "reasoning" }, this.#summary, this.#body);
  #view = new MarkdownView(this.#body);
  #text = "";
  #began = performance.now();
  #hasEnded = false;
  #isPlanned = false;

  constructor() {
    this.element.addEventListener("toggle", () => this.#plan());
  }

  /** @param {string} piece */
  add(piece) {
    this.#text += piece;
    this.#plan();
  }

  end() {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const seconds = (performance.now() - this.#began) / 1000;
    this.#summary.textContent = seconds < 1 ? "Reasoning" : `Reasoning, ${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
    this.#plan();
  }

  #plan() {
    if (!this.element.open || this.#isPlanned) return;
    this.#isPlanned = true;
    setTimeout(() => {
      this.#isPlanned = false;
      this.#view.show(this.#text, { isComplete: this.#hasEnded });
    }, 150);
  }
}

/**
 * @param {Failure} failure
 * @param {boolean} hasText whether part of the answer is shown above
 * @returns {HTMLElement}
 */
function failureBox({ title, advice, message, detail }, hasText) {
  const box = make("div", { class: "failure" }, icon("alert"));
  const lead = hasText && !title.includes("incomplete") ? "The answer above is incomplete. " : "";
  const content = make("div", {}, make("h3", {}, title), make("p", {}, lead + advice));
  if (message !== "") content.append(make("p", { class: "message" }, message));
  if (detail !== "") content.append(make("p", { class: "detail" }, detail));
  box.append(content);
  return box;
}

/**
 * @param {Measure} measure
 * @returns {HTMLElement[]}
 */
function measureWords({ firstMs, totalMs, isComplete, model, usage }) {
  const parts = model === "" ? [] : [model];
  if (firstMs !== null && !isComplete) parts.push(`first word after ${seconds(firstMs)}`);
  parts.push(isComplete ? `complete answer after ${seconds(totalMs)}` : `${seconds(totalMs)} total`);
  if (usage !== null) {
    parts.push(`${number(usage.input)} tokens in${usage.cached > 0 ? ` (${number(usage.cached)} cached)` : ""}`);
    parts.push(`${number(usage.output)} out${usage.reasoning > 0 ? ` (${number(usage.reasoning)} reasoning)` : ""}`);
  }
  return parts.map((part) => make("span", {}, part));
}

/** @param {number} ms */
function seconds(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** @param {number} count */
function number(count) {
  return count.toLocaleString("en");
}
