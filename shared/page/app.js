// @ts-check
/** The page's controller: send a question, receive its answer, and update the views. */

import { ask } from "./ask.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { announce, byId } from "./elements.js";
import { AnswerFailed, PAGE_FAILED, finishNote } from "./failures.js";
import { Follow } from "./follow.js";
import { Key } from "./key.js";
import { Models } from "./models.js";
import { TurnView } from "./turn-view.js";

/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./failures.js").Failure} Failure */
/** @typedef {import("./turn-view.js").Measure} Measure */
/** @typedef {{measure: Measure, reason: string, failure: Failure | null, isStopped: boolean}} Ending */

const STOPPED = "Stopped. The answer is incomplete.";
/** A longer answer is not announced to screen readers; the user reads it at their own pace. */
const MAX_ANNOUNCED_CHARACTERS = 2000;

const list = byId("conversation", HTMLElement);
const welcome = byId("welcome", HTMLElement);
const keyNotice = byId("key-notice", HTMLElement);
const newChat = byId("new-chat", HTMLButtonElement);

const conversation = new Conversation();
const follow = new Follow();
const models = new Models();
const key = new Key(keyChanged);
const composer = new Composer({ onAsk: (question) => answer(conversation.begin(question)), onStop: stop });

/** @type {AbortController | null} */
let activeRequest = null;
/** @type {TurnView | null} */
let lastView = null;
/** Whether the last question failed only because it had no valid key. */
let waitsForKey = false;

/**
 * Ask the turn's question and show the answer.
 * @param {Turn} turn
 */
async function answer(turn) {
  const aborter = new AbortController();
  activeRequest = aborter;
  waitsForKey = false;
  const view = show(turn);
  composer.isBusy = true;
  announce("The model is answering.");
  const { measure, reason, failure, isStopped } = await receive(turn, view, aborter.signal);
  turn.isUsable = reason !== "content_filter";
  const note = isStopped ? STOPPED : finishNote(reason);
  try {
    await view.end({ measure, note, failure, atOnce: isStopped || measure.isComplete, onRetry: () => retry(turn), text: turn.answer });
  } catch (error) {
    reportError(error); // the composer must become usable again
  }
  if (activeRequest !== aborter) return; // a new chat was started in the meantime
  activeRequest = null;
  composer.isBusy = false;
  follow.keepUp();
  announceEnd(note, failure);
  if (failure?.needsKey) {
    waitsForKey = true;
    key.ask(key.value === "" ? "This deployment requires a key." : "The key was not accepted. Check it or enter another one.");
  }
}

/**
 * @param {Turn} turn
 * @param {TurnView} view
 * @param {AbortSignal} signal
 * @returns {Promise<Ending>}
 */
async function receive(turn, view, signal) {
  const began = performance.now();
  /** @type {Measure} */
  const measure = { firstMs: null, totalMs: 0, isComplete: false, model: "", usage: null };
  let reason = "";
  /** @type {Failure | null} */
  let failure = null;
  const streaming = composer.isStreaming;
  const messages = conversation.messagesFor(turn);
  view.wait(streaming ? "Waiting for the first word" : "Waiting for the complete answer");
  try {
    for await (const event of ask({ messages, model: models.chosen, streaming, key: key.value, signal })) {
      if (event.type === "delta" || event.type === "reasoning") measure.firstMs ??= performance.now() - began;
      switch (event.type) {
        case "complete":
          measure.isComplete = true;
          break;
        case "started":
          measure.model = event.model;
          break;
        case "delta":
          turn.answer += event.text;
          view.addText(event.text);
          break;
        case "reasoning":
          view.addReasoning(event.text);
          break;
        case "step":
          view.addStep(event.name, event.status);
          break;
        case "usage":
          measure.usage = event.usage;
          break;
        case "finished":
          reason = event.reason;
          break;
      }
    }
  } catch (error) {
    if (error instanceof AnswerFailed) failure = error.failure;
    else if (!signal.aborted) {
      reportError(error);
      failure = PAGE_FAILED;
    }
  }
  measure.totalMs = performance.now() - began;
  return { measure, reason, failure, isStopped: signal.aborted };
}

/**
 * Show the turn at the end of the conversation. A question that is asked again replaces its earlier answer.
 * @param {Turn} turn
 * @returns {TurnView}
 */
function show(turn) {
  const view = new TurnView(turn.question, () => follow.keepUp());
  if (turn.isShown) lastView?.element.remove();
  else lastView?.noLongerLast();
  Object.assign(turn, { answer: "", isUsable: false, isShown: true });
  list.append(view.element);
  lastView = view;
  welcome.hidden = true;
  newChat.hidden = false;
  follow.toEnd();
  return view;
}

/** @param {Turn} turn */
function retry(turn) {
  composer.focus(); // the button is removed with the answer it belongs to
  void answer(turn);
}

/** Close the connection, which stops the model. What has arrived stays and is shown at once. */
function stop() {
  activeRequest?.abort();
  lastView?.hurry();
}

/**
 * @param {string} note
 * @param {Failure | null} failure
 */
function announceEnd(note, failure) {
  if (failure !== null) return announce(`${failure.title}. ${failure.advice} ${failure.message}`);
  const text = lastView?.spokenText() ?? "";
  const said = text.length > MAX_ANNOUNCED_CHARACTERS ? "The answer is complete. It is long; read it at the end of the page." : `Answer: ${text}`;
  announce(`${said} ${note}`);
}

function startOver() {
  stop();
  activeRequest = null;
  conversation.clear();
  list.replaceChildren();
  lastView = null;
  welcome.hidden = false;
  newChat.hidden = true;
  composer.isBusy = false;
  composer.focus();
  announce("New chat started.");
}

async function loadModels() {
  keyNotice.hidden = !(await models.load(key.value));
  if (document.activeElement === document.body) composer.focus(); // it was on the notice's button
}

function keyChanged() {
  void loadModels();
  const turn = conversation.last;
  if (waitsForKey && key.value !== "" && activeRequest === null && turn !== undefined) void answer(turn);
}

newChat.addEventListener("click", startOver);
document.addEventListener("formulas", () => follow.keepUp());
byId("key-notice-button", HTMLButtonElement).addEventListener("click", () => key.ask("This deployment requires a key."));
for (const example of welcome.querySelectorAll("button[data-example]")) {
  example.addEventListener("click", () => {
    composer.focus();
    if (activeRequest === null) void answer(conversation.begin(example.textContent?.trim() ?? ""));
  });
}
composer.focus();
void loadModels();
