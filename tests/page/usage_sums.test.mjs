// The sums of the usage view.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_MODELS, OTHERS, barsOf, daysBetween, modelsOf } from "../../shared/page/usage-sums.js";

/** @param {string} day @param {string} model @param {number} input @param {number} output */
const row = (day, model, input, output = 0) => ({ day, model, input, output });

test("the days of a month are all there, those without use too", () => {
  assert.deepEqual(daysBetween("2026-02-27", "2026-03-02"), ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]);
  assert.deepEqual(daysBetween("2026-11-01", "2026-11-01"), ["2026-11-01"]);
  assert.deepEqual(daysBetween("nonsense", ""), []);
});

test("models are in the order of what they took, and the smallest are one", () => {
  assert.deepEqual(modelsOf([row("d", "a", 1), row("d", "b", 1, 5), row("d", "a", 2)]), ["b", "a"]);
  const many = Array.from({ length: MAX_MODELS + 2 }, (_, index) => row("d", `m${index}`, 100 - index));
  assert.deepEqual(modelsOf(many), ["m0", "m1", "m2", "m3", OTHERS]);
});

test("a bar is the day's tokens of each model, over all callers", () => {
  const rows = [row("2026-11-01", "a", 1, 2), row("2026-11-01", "a", 4), row("2026-11-02", "x", 8), row("2026-12-01", "a", 99)];
  assert.deepEqual(barsOf(rows, ["2026-11-01", "2026-11-02"], ["a", OTHERS]), [[7, 0], [0, 8]]);
});
