// What the tests share: the addresses, the behaviours and records of the simulated upstream, and what is equal to what.
import assert from "node:assert/strict";

const { APP_URL, KEYS_URL, KILLED_URL, RESUME_URL, SEARCH_URL, CALLER_KEY, UPSTREAM_URL, UPSTREAM_KEY, CONTROL_URL } = process.env;

export { APP_URL, CALLER_KEY, CONTROL_URL, KEYS_URL, KILLED_URL, RESUME_URL, SEARCH_URL, UPSTREAM_KEY, UPSTREAM_URL };

/** A prompt that tells the simulated upstream how to behave. */
export function sim(behaviour, words = "hi") {
  return `${words} [[sim ${JSON.stringify(behaviour)}]]`;
}

/** The newest record of an upstream request that contains the words and ended so; waits for it. */
export async function ended(how, contains, seconds = 5) {
  const query = new URLSearchParams({ ended: how, contains, timeout: String(seconds) });
  const response = await fetch(`${CONTROL_URL}/requests/wait?${query}`);
  assert.equal(response.status, 200, `no upstream request "${contains}" ended ${how}`);
  return response.json();
}

/** Words that occur in no other request. */
export function unique(words) {
  return `${words} ${Math.random().toString(36).slice(2)}`;
}

const OWN_TO_EACH_ANSWER = new Set([
  "id",
  "item_id",
  "call_id",
  "response_id",
  "created",
  "created_at",
  "completed_at",
  "timestamp",
  "obfuscation",
  "_request_id",
]);

/** The value without what differs between two answers to the same question.
 *
 * The app always asks the upstream for the usage of a chat stream. Whoever did not ask never sees that chunk, only that its
 * chunks say `"usage": null`, as they do for those who asked.
 */
export function comparable(value) {
  const told = JSON.stringify(value, (name, found) => {
    if (name === "usage" && found === null) return undefined;
    return OWN_TO_EACH_ANSWER.has(name) && found != null ? "…" : found;
  });
  return JSON.parse(told);
}

export async function collect(iterable) {
  const found = [];
  for await (const value of iterable) found.push(value);
  return found;
}

/** What a promise rejects with. */
export async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}
