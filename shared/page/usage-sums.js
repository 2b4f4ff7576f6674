// @ts-check
/** Sums for the usage view. Pure. */

/** How many models have a colour of their own. */
export const MAX_MODELS = 5;
export const OTHERS = "others";
const DAY_MS = 24 * 60 * 60 * 1000;

/** @typedef {{day: string, model: string, input: number, output: number}} Row */

/**
 * Return the models by what they took, the most first; beyond `MAX_MODELS` as `OTHERS`.
 * @param {readonly Row[]} rows
 * @returns {string[]}
 */
export function modelsOf(rows) {
  /** @type {Map<string, number>} */
  const totals = new Map();
  for (const { model, input, output } of rows) totals.set(model, (totals.get(model) ?? 0) + input + output);
  const names = [...totals].sort(([, one], [, two]) => two - one).map(([name]) => name);
  return names.length <= MAX_MODELS ? names : [...names.slice(0, MAX_MODELS - 1), OTHERS];
}

/**
 * Return the days from the first to the last, both included.
 * @param {string} first as YYYY-MM-DD
 * @param {string} last
 * @returns {string[]}
 */
export function daysBetween(first, last) {
  const days = [];
  const end = Date.parse(last);
  for (let at = Date.parse(first); at <= end; at += DAY_MS) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/**
 * Return the tokens of each day, by model.
 * @param {readonly Row[]} rows
 * @param {readonly string[]} days
 * @param {readonly string[]} models as `modelsOf` returns them
 * @returns {number[][]}
 */
export function barsOf(rows, days, models) {
  const bars = days.map(() => models.map(() => 0));
  for (const { day, model, input, output } of rows) {
    const bar = bars[days.indexOf(day)];
    const index = models.includes(model) ? models.indexOf(model) : models.length - 1;
    if (bar !== undefined) bar[index] = (bar[index] ?? 0) + input + output;
  }
  return bars;
}
