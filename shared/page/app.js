// @ts-check
/** The page's conduct: a question goes out, its answer comes in, and everything else hears of it. */

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

const STOPPED = "Stopped: the answer is not complete.";
/** More than this is not read out by itself; the reader can go through it at will. */
const MOST_ANNOUNCED = 2000;

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
let underWay = null;
/** @type {TurnView | null} */
let lastView = null;
/** Whether the last question only lacks a key. */
let waitsForKey = false;

/**
 * Asks the turn's question, and shows what comes.
 * @param {Turn} turn
 */
async function answer(turn) {
  const aborter = new AbortController();
  underWay = aborter;
  waitsForKey = false;
  const view = show(turn);
  composer.isBusy = true;
  announce("The model is answering.");
  const { measure, reason, failure, isStopped } = await receive(turn, view, aborter.signal);
  turn.isUsable = reason !== "content_filter";
  const note = isStopped ? STOPPED : finishNote(reason);
  await view.end({ measure, note, failure, atOnce: isStopped || measure.isWhole, onRetry: () => retry(turn), text: turn.answer });
  if (underWay !== aborter) return; // a new chat has begun meanwhile
  underWay = null;
  composer.isBusy = false;
  follow.keepUp();
  announceEnd(note, failure);
  if (failure?.needsKey) {
    waitsForKey = true;
    key.ask(key.value === "" ? "This deployment asks for a key." : "The key was not accepted. Check it, or enter another one.");
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
  const measure = { firstMs: null, totalMs: 0, isWhole: false, model: "", usage: null };
  let reason = "";
  /** @type {Failure | null} */
  let failure = null;
  const streaming = composer.isStreaming;
  const messages = conversation.messagesFor(turn);
  view.wait(streaming ? "Waiting for the first word" : "Waiting for the whole answer");
  try {
    for await (const event of ask({ messages, model: models.chosen, streaming, key: key.value, signal })) {
      if (event.type === "delta" || event.type === "reasoning") measure.firstMs ??= performance.now() - began;
      switch (event.type) {
        case "whole":
          measure.isWhole = true;
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
 * Shows the turn at the end of the conversation; one that is asked again takes the place of its first answer.
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
  composer.focus(); // the button goes with the answer that is replaced
  void answer(turn);
}

/** Closes the connection, which stops the model; what has arrived stays, and is shown at once. */
function stop() {
  underWay?.abort();
  lastView?.hurry();
}

/**
 * @param {string} note
 * @param {Failure | null} failure
 */
function announceEnd(note, failure) {
  if (failure !== null) return announce(`${failure.title}. ${failure.advice} ${failure.message}`);
  const text = lastView?.spokenText() ?? "";
  const said = text.length > MOST_ANNOUNCED ? "The answer is finished. It is long, and stands at the end of the page." : `Answer: ${text}`;
  announce(`${said} ${note}`);
}

function startOver() {
  stop();
  underWay = null;
  conversation.clear();
  list.replaceChildren();
  lastView = null;
  welcome.hidden = false;
  newChat.hidden = true;
  composer.isBusy = false;
  composer.focus();
  announce("A new chat.");
}

async function loadModels() {
  keyNotice.hidden = !(await models.load(key.value));
  if (document.activeElement === document.body) composer.focus(); // the notice's button had it
}

function keyChanged() {
  void loadModels();
  const turn = conversation.last;
  if (waitsForKey && key.value !== "" && underWay === null && turn !== undefined) void answer(turn);
}

newChat.addEventListener("click", startOver);
byId("key-notice-button", HTMLButtonElement).addEventListener("click", () => key.ask("This deployment asks for a key."));
for (const example of welcome.querySelectorAll("button[data-example]")) {
  example.addEventListener("click", () => {
    composer.focus();
    if (underWay === null) void answer(conversation.begin(example.textContent?.trim() ?? ""));
  });
}
composer.focus();
void loadModels();
