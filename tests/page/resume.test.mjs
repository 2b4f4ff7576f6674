/** One answer over several connections: where it goes on, how often, and what ends it. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { AnswerFailed } from "../../shared/page/failures.js";
import { PAUSES_MS, askOn } from "../../shared/page/resume.js";

const EVENTS = [
  { type: "started", id: "1", model: "m", resume: "resp_x" },
  { type: "delta", text: "one " },
  { type: "delta", text: "two " },
  { type: "finished", finish_reason: "stop" },
].map((event, index) => ({ ...event, seq: (index + 1) * 10 }));

let asked;
let plan;

/** Each request gets so many events, then the connection breaks; or an error status; or the process moves. */
beforeEach(() => {
  asked = [];
  globalThis.document = { baseURI: "http://app/" };
  globalThis.fetch = async (url, { method = "GET" }) => {
    asked.push(`${method} ${url.pathname}${url.search}`);
    const step = plan.shift();
    const headers = { "content-type": "application/x-ndjson" };
    if (typeof step === "string") {
      return step === "moved" ? new Response('{"type":"moved"}\n', { headers }) : new Response("{}", { status: Number(step) });
    }
    const left = EVENTS.filter(({ seq }) => seq > Number(url.searchParams.get("after") ?? 0)).slice(0, step);
    return new Response(left.map((event) => `${JSON.stringify(event)}\n`).join(""), { headers });
  };
});

async function read(steps, place = null) {
  plan = steps;
  const places = [];
  const pauses = [];
  let text = "";
  const question = { messages: [], model: "", streaming: true, temperature: null, key: "", resumes: true, signal: new AbortController().signal };
  const how = { place, onPlace: ({ after }) => places.push(after), onLost: () => {}, pause: async (ms) => pauses.push(ms) };
  for await (const event of askOn(question, how)) if (event.type === "delta") text += event.text;
  return { text, places, pauses };
}

test("the answer goes on from where it was, after a cut, a busy instance and a move", async () => {
  const { text, places, pauses } = await read([2, "503", "moved", 9]);
  assert.equal(text, "one two ");
  assert.deepEqual(places, [10, 20, 30, 40]);
  assert.deepEqual(pauses, PAUSES_MS.slice(0, 3));
  assert.deepEqual(asked.slice(1), Array(3).fill("GET /chat/answers/resp_x?after=20"));
});

test("an earlier page's answer goes on from its place", async () => {
  assert.equal((await read([9], { id: "resp_x", after: 20 })).text, "two ");
  assert.deepEqual(asked, ["GET /chat/answers/resp_x?after=20"]);
});

test("what brings nothing is tried as often as there are pauses, and then told", async () => {
  await assert.rejects(read([2, ...Array(PAUSES_MS.length).fill("503")]), AnswerFailed);
  assert.equal(asked.length, 1 + PAUSES_MS.length);
});

test("an error that stays is told at once, and an answer that has not begun is not taken up", async () => {
  await assert.rejects(read([2, "404"]), AnswerFailed);
  assert.equal(asked.length, 2);
  asked = [];
  await assert.rejects(read(["503"]), AnswerFailed);
  assert.equal(asked.length, 1);
});
