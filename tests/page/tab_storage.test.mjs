/** What of a conversation survives a reload, and what does not fit. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../../shared/page/conversation.js";
import { CUT, INTERRUPTED, TabStorage } from "../../shared/page/tab-storage.js";
import { transcript } from "../../shared/page/transcript.js";

const MEASURE = { firstMs: 1, totalMs: 2, isComplete: false, model: "gpt", usage: null };
const DONE = { measure: MEASURE, note: "", failure: null };
const NOTHING = { text: "", pictures: [] };

/** Session storage of a limited size. */
class Store {
  values = new Map();
  constructor(limit = Infinity) {
    this.limit = limit;
  }
  get length() {
    return this.values.size;
  }
  key(index) {
    return [...this.values.keys()][index] ?? null;
  }
  getItem(name) {
    return this.values.get(name) ?? null;
  }
  removeItem(name) {
    this.values.delete(name);
  }
  setItem(name, value) {
    const others = [...this.values].reduce((sum, [key, text]) => sum + (key === name ? 0 : text.length), 0);
    if (others + value.length > this.limit) throw new Error("QuotaExceededError");
    this.values.set(name, value);
  }
}

const picture = (id, length = 100) => ({ id, name: `${id}.png`, url: `data:image/png;base64,${"A".repeat(length)}` });
const turn = (question, answer = "yes", more = {}) => ({ question, pictures: [], lostPictures: 0, answer, sources: [], isUsable: true, ending: DONE, ...more });

function reloaded(turns, draft = NOTHING, store = new Store()) {
  new TabStorage(() => store).save(turns, draft);
  const storage = new TabStorage(() => store);
  return { ...storage.loadChat(), draft: storage.loadDraft(), store };
}

test("turns, images and draft come back as they were", () => {
  const failure = { title: "t", advice: "a", message: "", detail: "", needsKey: false };
  const turns = [turn("one", "1", { pictures: [picture("a")] }), turn("two", "", { ending: { measure: null, note: "Stopped.", failure } })];
  const draft = { text: "thr", pictures: [picture("b")] };
  const found = reloaded(turns, draft);
  assert.deepEqual(found.turns, turns);
  assert.deepEqual(found.draft, draft);
  assert.equal(found.leftOut, 0);
});

test("an answer that was being written comes back with what had arrived, and says so", () => {
  const [found] = reloaded([turn("one", "Half", { ending: null, isUsable: false })]).turns;
  assert.deepEqual([found.answer, found.isUsable, found.ending.note], ["Half", true, INTERRUPTED]);
});

test("an empty conversation leaves nothing behind, and neither do images that were removed", () => {
  const { store } = reloaded([turn("one", "1", { pictures: [picture("a")] })], { text: "d", pictures: [picture("b")] });
  assert.equal(store.length, 4);
  new TabStorage(() => store).save([turn("one")], NOTHING);
  assert.equal(store.length, 1);
  new TabStorage(() => store).save([], NOTHING);
  assert.equal(store.length, 0);
});

test("of images that do not fit the oldest are left out, and counted", () => {
  const turns = ["a", "b", "c"].map((id) => turn(id, "1", { pictures: [picture(id, 600_000)] }));
  const found = reloaded(turns, { text: "", pictures: [picture("d", 600_000)] });
  assert.deepEqual(found.turns.map(({ pictures, lostPictures }) => [pictures.length, lostPictures]), [[0, 1], [0, 1], [1, 0]]);
  assert.equal(found.draft.pictures.length, 1);
});

test("of turns that do not fit the oldest are left out, and counted on over reloads", () => {
  const { turns, leftOut, store } = reloaded(Array.from({ length: 10 }, (_, n) => turn(String(n), "x".repeat(100_000))));
  assert.deepEqual(turns.map(({ question }) => question), ["4", "5", "6", "7", "8", "9"]);
  assert.equal(leftOut, 4);
  const storage = new TabStorage(() => store);
  storage.save(turns, NOTHING, leftOut);
  assert.equal(storage.loadChat().leftOut, 4);
});

test("a single answer that is too long is cut, and says so", () => {
  const { turns } = reloaded([turn("one", '"'.repeat(1_200_000))]);
  assert.equal(turns[0].ending.note, CUT);
  assert.ok(turns[0].answer.length > 100_000);
});

test("a store that is full, blocked or holds something else is no reason to fail", () => {
  const found = reloaded([turn("one", "1", { pictures: [picture("a", 5000)] })], NOTHING, new Store(3000));
  assert.deepEqual([found.turns[0].pictures.length, found.turns[0].lostPictures], [0, 1]);
  assert.deepEqual(reloaded([turn("one")], NOTHING, new Store(10)).turns, []);
  const blocked = new TabStorage(() => {
    throw new Error("SecurityError");
  });
  blocked.save([turn("one")], NOTHING);
  assert.deepEqual(blocked.loadChat().turns, []);
  for (const text of ["no JSON", "7", "null", "[]", '{"turns":7}', '{"turns":[null,7,{},{"question":"q"}]}']) {
    const store = new Store();
    store.setItem("streaming-endpoint-chat", text);
    store.setItem("streaming-endpoint-draft", text);
    assert.deepEqual(new TabStorage(() => store).loadChat().turns, [], text);
    assert.deepEqual(new TabStorage(() => store).loadDraft(), NOTHING, text);
  }
  const odd = new Store();
  odd.setItem("streaming-endpoint-chat", '{"turns":[{"question":"q","answer":"a","pictures":["x"],"ending":{"measure":{"totalMs":"1"},"failure":{}}}]}');
  assert.deepEqual(new TabStorage(() => odd).loadChat().turns, [turn("q", "a", { isUsable: false, lostPictures: 1, ending: { measure: null, note: "", failure: null } })]);
});

test("images are sent as parts, the newest first, and those that are not are named", () => {
  const conversation = new Conversation();
  Object.assign(conversation.begin("one", [picture("a", 6_000_000)]), { answer: "1", isUsable: true });
  const last = conversation.begin("", [picture("b", 6_000_000)]);
  assert.deepEqual(conversation.messagesFor(last, "Be brief."), [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "one" }, { type: "text", text: "[An image of this question can no longer be sent.]" }] },
    { role: "assistant", content: "1" },
    { role: "user", content: [{ type: "image_url", image_url: { url: last.pictures[0].url } }] },
  ]);
});

test("asking again removes the turn and what follows it", () => {
  const conversation = new Conversation();
  const [first, second] = ["one", "two", "three"].map((question) => conversation.begin(question, question === "two" ? [picture("a")] : []));
  const { again, removed } = conversation.restart(second, "2");
  assert.deepEqual(removed.map(({ question }) => question), ["two", "three"]);
  assert.deepEqual(conversation.turns, [first, again]);
  assert.deepEqual([again.question, again.pictures.length, again.ending], ["2", 1, null]);
});

test("sources come back, and are named in the transcript without a link that they hide", () => {
  const sources = [{ id: "1", title: "A [b](c)", url: "https://x/", excerpt: "e" }, { id: "2", title: "P", url: "", excerpt: "" }];
  const { turns, store } = reloaded([turn("q", "a [1]", { sources })]);
  assert.deepEqual(turns[0].sources, sources);
  assert.match(transcript(turns), /\n\n- \\\[1\\\] A \\\[b\\\]\(c\) <https:\/\/x\/>\n- \\\[2\\\] P\n/);
  store.setItem("streaming-endpoint-chat", JSON.stringify({ turns: [{ ...turn("q", "a"), sources: [null, 5, { id: "1" }, sources[0]] }] }));
  assert.deepEqual(new TabStorage(() => store).loadChat().turns[0].sources, [sources[0]]);
});

test("the transcript is Markdown in which nothing swallows the rest", () => {
  const turns = [turn("Hi", "Hello.", { pictures: [{ ...picture("a"), name: "a*b.png" }] }), turn("Code?", "```js\nlet a;", { ending: { measure: null, note: "Stopped.", failure: null } })];
  assert.equal(
    transcript(turns, "Be brief."),
    "## Instructions\n\nBe brief.\n\n## You\n\n*Image: a\\*b.png*\n\nHi\n\n## gpt\n\nHello.\n\n## You\n\nCode?\n\n## Answer\n\n```js\nlet a;\n```\n\n*Stopped.*\n",
  );
});

test("an answer that goes on without the page comes back with its place, and as not ended", () => {
  const place = { id: "resp_x", after: 7 };
  const writing = turn("one", "Half", { ending: null, isUsable: false, place });
  const [found] = reloaded([writing]).turns;
  assert.deepEqual([found.answer, found.ending, found.place], ["Half", null, place]);
  const [earlier] = reloaded([writing, turn("two")]).turns;
  assert.equal(earlier.ending.note, INTERRUPTED);
  for (const bad of [{}, { id: "", after: 1 }, { id: "x", after: "1" }, "x", null]) {
    assert.equal(reloaded([{ ...writing, place: bad }]).turns[0].ending.note, INTERRUPTED);
  }
});
