// @ts-check
/** The usage view: tokens by day and model as bars, the same as a table, and what is left of each limit. */

import { readUsage } from "./ask.js";
import { byId, make } from "./elements.js";
import { AnswerFailed } from "./failures.js";
import { barsOf, daysBetween, modelsOf } from "./usage-sums.js";

/** @typedef {import("./ask.js").UsageReport} UsageReport */
/** @typedef {import("./ask.js").UsageRow} UsageRow */
/** @typedef {import("./ask.js").Limit} Limit */

const SVG = "http://www.w3.org/2000/svg";
const DAY_WIDTH = 16;
const BAR_WIDTH = 12;
const HEIGHT = 120;
const numbers = new Intl.NumberFormat("en-US");
const costs = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });

export class UsageView {
  #dialog = byId("usage-dialog", HTMLDialogElement);
  #what = byId("usage-what", HTMLElement);
  #content = byId("usage-content", HTMLElement);
  #key;
  #opened = 0;

  /** @param {() => string} key returns the caller's key */
  constructor(key) {
    this.#key = key;
    byId("usage-button", HTMLButtonElement).addEventListener("click", () => void this.#open());
    byId("usage-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  async #open() {
    this.#opened += 1;
    const opened = this.#opened;
    byId("options-dialog", HTMLDialogElement).close();
    this.#what.textContent = "Looking up what was used.";
    this.#content.replaceChildren();
    this.#dialog.showModal();
    const [said, shown] = await look(this.#key());
    if (opened !== this.#opened) return; // opened again in the meantime
    this.#what.textContent = said;
    this.#content.replaceChildren(...shown);
  }
}

/**
 * @param {string} key
 * @returns {Promise<[string, HTMLElement[]]>} a sentence, and what follows it
 */
async function look(key) {
  try {
    const report = await readUsage(key);
    const whose = report.isAboutAll ? "all callers" : report.caller;
    const days = `from ${report.from} to ${report.to}`;
    if (report.rows.length === 0) return [`Nothing was used by ${whose} ${days}.`, limits(report.limits)];
    const total = report.rows.reduce((sum, { input, output }) => sum + input + output, 0);
    return [`${numbers.format(total)} tokens were used by ${whose} ${days} (UTC).`, [plot(report), limits(report.limits), table(report)].flat()];
  } catch (error) {
    if (!(error instanceof AnswerFailed)) throw error;
    const { title, advice, message } = error.failure;
    return [message === "" ? `${title}. ${advice}` : message, []];
  }
}

/**
 * @param {UsageReport} report
 * @returns {HTMLElement[]}
 */
function plot({ rows, from, to }) {
  const models = modelsOf(rows);
  const days = daysBetween(from, to);
  const bars = barsOf(rows, days, models);
  const most = Math.max(1, ...bars.map((bar) => bar.reduce((sum, tokens) => sum + tokens, 0)));
  const svg = document.createElementNS(SVG, "svg");
  const width = days.length * DAY_WIDTH;
  svg.setAttribute("class", "usage-plot");
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Tokens by day and model; the highest day has ${numbers.format(most)}. The table has the numbers.`);
  bars.forEach((bar, day) => {
    let top = HEIGHT;
    bar.forEach((tokens, model) => {
      if (tokens === 0) return;
      const height = (tokens / most) * HEIGHT;
      top -= height;
      const rect = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ x: day * DAY_WIDTH + 2, y: top, width: BAR_WIDTH, height })) rect.setAttribute(name, String(value));
      rect.setAttribute("class", `series-${model}`);
      const title = document.createElementNS(SVG, "title");
      title.textContent = `${days[day]}, ${models[model]}: ${numbers.format(tokens)}`;
      rect.append(title);
      svg.append(rect);
    });
  });
  const axis = make("p", { class: "usage-axis", "aria-hidden": "true" }, make("span", {}, from), make("span", {}, to));
  const legend = make("ul", { class: "usage-legend", "aria-label": "Models" }, ...models.map((name, index) => make("li", { class: `series-${index}` }, name)));
  const figure = make("div", { class: "usage-figure" });
  figure.append(svg);
  return [figure, axis, legend];
}

/**
 * @param {Limit[]} listed
 * @returns {HTMLElement[]}
 */
function limits(listed) {
  if (listed.length === 0) return [];
  const items = listed.map(({ unit, span, maximum, left, resetsAt }) => {
    const what = span === "now" ? `${unit} at a time` : `${unit} a ${span}`;
    const said = left === null ? "unknown how many are left" : `${numbers.format(left)} of ${numbers.format(maximum)} left`;
    const item = make("li", {}, `${what}: ${said}${resetsAt === "" ? "" : `, until ${resetsAt.replace("T", " ").replace("Z", " UTC")}`}`);
    if (left !== null) item.append(make("meter", { min: "0", max: String(Math.max(1, maximum)), value: String(left), "aria-label": `${what} left` }));
    return item;
  });
  return [make("h3", {}, "Limits"), make("ul", { class: "usage-limits" }, ...items)];
}

/**
 * @param {UsageReport} report
 * @returns {HTMLElement[]}
 */
function table({ rows, isAboutAll }) {
  const hasCosts = rows.some(({ cost }) => cost !== null);
  const names = [...(isAboutAll ? ["Caller"] : []), "Day", "Model"];
  const counted = ["Answers", "Input", "Output", "Estimated", ...(hasCosts ? ["Cost"] : [])];
  const head = make("tr", {}, ...[...names, ...counted].map((name) => make("th", { scope: "col" }, name)));
  const lines = rows.map(({ caller, day, model, answers, input, output, estimated, cost }) =>
    make(
      "tr",
      {},
      ...[...(isAboutAll ? [caller] : []), day, model].map((name) => make("td", {}, name)),
      ...[answers, input, output, estimated].map((count) => make("td", { class: "number" }, numbers.format(count))),
      ...(hasCosts ? [make("td", { class: "number" }, cost === null ? "" : costs.format(cost))] : []),
    ),
  );
  const box = make("div", { class: "usage-table", tabindex: "0", role: "region", "aria-label": "Usage as a table" });
  box.append(make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
  return [make("h3", {}, "By day and model"), box];
}
