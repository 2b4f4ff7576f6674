// @ts-check
/** The page's controller: send a question, receive its answer, and update the views. */

import { offersResume, stopAnswer } from "./ask.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { announce, byId } from "./elements.js";
import { Export } from "./export.js";
import { AnswerFailed, PAGE_FAILED, finishNote } from "./failures.js";
import { Follow } from "./follow.js";
import { Key } from "./key.js";
import { Models } from "./models.js";
import { Options } from "./options.js";
import { askOn } from "./resume.js";
import { TabStorage } from "./tab-storage.js";
import { transcript } from "./transcript.js";
import { TurnView } from "./turn-view.js";
import { UsageView } from "./usage.js";

/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./conversation.js").Ending} Ending */
/** @typedef {import("./conversation.js").Measure} Measure */
/** @typedef {import("./failures.js").Failure} Failure */
/** @typedef {{measure: Measure, reason: string, failure: Failure | null, isStopped: boolean}} Received */

const STOPPED = "Stopped. The answer is incomplete.";
/** A longer answer is not announced to screen readers; the user reads it at their own pace. */
const MAX_ANNOUNCED_CHARACTERS = 2000;
/** A longer question in the page's address is cut. */
const MAX_LINKED_CHARACTERS = 8000;
/** How long answers are rendered without a pause when a conversation comes back. */
const RESTORING_MS = 50;
const RESTORING_PAUSE_MS = 20;
const SAVE_MS = 2000;
const SAVE_DRAFT_MS = 300;

const list = byId("conversation", HTMLElement);
const welcome = byId("welcome", HTMLElement);
const leftOut = byId("left-out", HTMLElement);
const keyNotice = byId("key-notice", HTMLElement);
const newChat = byId("new-chat", HTMLButtonElement);

const storage = new TabStorage();
const conversation = new Conversation();
const follow = new Follow();
const models = new Models();
const options = new Options(storage);
const exported = new Export(() => transcript(conversation.turns, options.instructions));
const key = new Key(keyChanged);
new UsageView(() => key.value);
const composer = new Composer({
  onAsk: ({ text, pictures }) => answer(conversation.begin(text, pictures)),
  onStop: stop,
  onChange: () => saveDraftSoon(),
});

/** @type {AbortController | null} */
let activeRequest = null;
/** @type {Map<Turn, TurnView>} */
const views = new Map();
/** @type {TurnView | null} */
let lastView = null;
/** Whether the last question failed only because it had no valid key. */
let waitsForKey = false;
let draftTimer = 0;
/** Which of the conversations that came back is being rendered. */
let bringingBack = 0;
/** How many turns did not fit when the page was reloaded. */
let leftOutBefore = 0;
/** Whether the page has been left: the browser ends the answer then, which is no failure to be kept. */
let isLeft = false;
/** Whether an answer goes on where its connection broke. */
const resumes = offersResume();

/**
 * Ask the turn's question and show the answer.
 * @param {Turn} turn
 */
async function answer(turn) {
  const aborter = new AbortController();
  activeRequest = aborter;
  waitsForKey = false;
  lastView?.withdrawUndo();
  const view = show(turn);
  follow.toEnd();
  setBusy(true);
  announce("The model is answering.");
  save();
  const saving = setInterval(save, SAVE_MS);
  const { measure, reason, failure, isStopped } = await receive(turn, view, aborter.signal);
  clearInterval(saving);
  turn.place = null;
  turn.isUsable = reason !== "content_filter";
  const note = isStopped ? STOPPED : finishNote(reason);
  turn.ending = { measure, note, failure };
  save();
  try {
    await view.end(turn.ending, { atOnce: isStopped || measure.isComplete });
  } catch (error) {
    reportError(error); // the composer must become usable again
  }
  if (activeRequest !== aborter) return; // a new chat was started in the meantime
  activeRequest = null;
  setBusy(false);
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
 * @returns {Promise<Received>}
 */
async function receive(turn, view, signal) {
  const began = performance.now();
  /** @type {Measure} */
  const measure = { firstMs: null, totalMs: 0, isComplete: false, model: "", usage: null };
  let reason = "";
  /** @type {Failure | null} */
  let failure = null;
  const streaming = options.isStreaming;
  const { temperature, instructions } = options;
  const messages = conversation.messagesFor(turn, instructions);
  view.wait(streaming ? "Waiting for the first word" : "Waiting for the complete answer");
  const place = turn.place ?? null;
  if (place !== null) view.goOn();
  let isLost = place !== null;
  /** @param {import("./resume.js").Place} at */
  const onPlace = (at) => (turn.place = at);
  const onLost = () => {
    isLost = true;
    view.wait("Reconnecting");
    announce("Reconnecting.");
  };
  if (isLost) view.wait("Reconnecting");
  try {
    const question = { messages, model: models.chosen, streaming, temperature, key: key.value, signal };
    const asked = { ...question, resumes: streaming && (await resumes) };
    for await (const event of askOn(asked, { place, onPlace, onLost })) {
      if (isLost) {
        isLost = false;
        view.back();
      }
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
          view.addStep(event.step);
          break;
        case "source":
          turn.sources.push(event.source);
          view.addSource(event.source);
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
 * Show the turn at the end of the conversation.
 * @param {Turn} turn
 * @returns {TurnView}
 */
function show(turn) {
  const view = new TurnView(turn, { onGrown: () => follow.keepUp(), onAsk: (question) => askAgain(turn, question) });
  list.append(view.element);
  views.set(turn, view);
  lastView = view;
  welcome.hidden = true;
  newChat.hidden = false;
  exported.isShown = true;
  return view;
}

/**
 * Show the conversation's turns, all of which have ended.
 * @param {readonly Turn[]} turns
 */
function showAll(turns) {
  conversation.turns = turns;
  views.clear();
  list.replaceChildren();
  lastView = null;
  const shown = turns.map((turn) => ({ view: show(turn), ending: turn.ending }));
  follow.toEnd();
  bringingBack += 1;
  restoreViews(shown, bringingBack);
}

/**
 * Render answers from the last to the first, in steps that leave the page usable.
 * @param {{view: TurnView, ending: Ending | null}[]} shown
 * @param {number} number of the conversation that they belong to
 */
function restoreViews(shown, number) {
  const until = performance.now() + RESTORING_MS;
  while (number === bringingBack) {
    const last = shown.pop();
    if (last?.ending) last.view.restore(last.ending);
    if (last === undefined || performance.now() > until) break;
  }
  follow.keepUp(); // once a step: it needs the layout
  if (shown.length > 0) setTimeout(() => restoreViews(shown, number), RESTORING_PAUSE_MS);
}

/**
 * Ask a turn's question again, perhaps in other words. What followed it is removed, and can be brought back.
 * @param {Turn} turn
 * @param {string} [question]
 */
function askAgain(turn, question = turn.question) {
  leaveAnswer();
  const before = conversation.turns;
  const { again, removed } = conversation.restart(turn, question);
  for (const gone of removed) {
    views.get(gone)?.element.remove();
    views.delete(gone);
  }
  lastView = null;
  composer.focus(); // the button is removed with the answer it belongs to
  void answer(again);
  if (removed.length > 1) views.get(again)?.offerUndo(removed.length - 1, () => bringBack(before));
}

/** @param {readonly Turn[]} turns */
function bringBack(turns) {
  leaveAnswer();
  setBusy(false);
  showAll(turns);
  save();
  composer.focus();
  announce("The earlier conversation is back.");
}

/** Stop the answer that is being written, and take no notice of its end. */
function leaveAnswer() {
  stop();
  activeRequest = null;
  const turn = conversation.last;
  if (turn !== undefined) turn.ending ??= { measure: null, note: STOPPED, failure: null };
}

/** @param {boolean} isBusy whether an answer is being written, which leaving the page would stop */
function setBusy(isBusy) {
  composer.isBusy = isBusy;
  if (isBusy) addEventListener("beforeunload", askBeforeLeaving);
  else removeEventListener("beforeunload", askBeforeLeaving);
}

/** @param {BeforeUnloadEvent} event */
function askBeforeLeaving(event) {
  if (!conversation.last?.place) event.preventDefault(); // or the answer goes on, and the next page with it
}

function save() {
  clearTimeout(draftTimer);
  if (isLeft) return;
  storage.save(conversation.turns, composer.draft, leftOutBefore);
}

function saveDraftSoon() {
  clearTimeout(draftTimer);
  draftTimer = window.setTimeout(save, SAVE_DRAFT_MS);
}

/** Bring back what this tab had before the page was loaded, and the question in its address. */
function restore() {
  const { turns, leftOut: count } = storage.loadChat();
  const last = turns.at(-1);
  const goesOn = last !== undefined && last.ending === null;
  if (turns.length > 0) showAll(goesOn ? turns.slice(0, -1) : turns);
  if (goesOn) {
    conversation.turns = turns;
    void answer(last);
  }
  leftOutBefore = count;
  leftOut.hidden = count === 0;
  leftOut.textContent = `${count === 1 ? "The first question was" : `The first ${count} questions were`} too much to be kept when the page was reloaded.`;
  composer.draft = storage.loadDraft();
  const address = new URL(location.href);
  const question = address.searchParams.get("q")?.trim().slice(0, MAX_LINKED_CHARACTERS) ?? "";
  if (!address.searchParams.has("q")) return;
  address.searchParams.delete("q"); // or each reload would bring it back
  history.replaceState(history.state, "", address);
  if (question !== "") composer.draft = { text: question, pictures: [] };
}

/** Close the connection, and stop the model. What has arrived stays and is shown at once. */
function stop() {
  activeRequest?.abort();
  const place = conversation.last?.place;
  if (activeRequest !== null && place) stopAnswer(place.id, key.value);
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
  leaveAnswer();
  conversation.clear();
  showAll([]);
  leftOutBefore = 0;
  leftOut.hidden = true;
  welcome.hidden = false;
  newChat.hidden = true;
  exported.isShown = false;
  setBusy(false);
  composer.draft = { text: "", pictures: [] };
  save();
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
  if (waitsForKey && key.value !== "" && activeRequest === null && turn !== undefined) askAgain(turn);
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
addEventListener("pagehide", () => {
  save();
  isLeft = true;
});
addEventListener("pageshow", () => (isLeft = false)); // back again, as it was
document.addEventListener("visibilitychange", () => {
  if (document.hidden) save(); // a phone may drop the tab without another word
});
restore();
composer.focus();
void loadModels();
