// @ts-check
/**
 * What a source says, shown while the pointer or the focus is on something that refers to it. One card for the page. It can be
 * pointed at itself, and Escape closes it: https://www.w3.org/WAI/WCAG22/Understanding/content-on-hover-or-focus.html.
 */

import { make } from "./elements.js";

/** @typedef {import("./ask.js").Source} Source */

/** Time to move the pointer from the reference to the card. */
const LEAVE_MS = 200;
const GAP_PX = 6;
const EDGE_PX = 8;

const title = make("strong", { dir: "auto" });
const address = make("span", { class: "address" });
const excerpt = make("p", { dir: "auto" });
const card = make("div", { id: "source-card", class: "source-card", role: "tooltip", hidden: "" }, title, address, excerpt);
/** @type {HTMLElement | null} */
let shownFor = null;
let leaving = 0;

export class SourceCard {
  /**
   * @param {HTMLElement} reference
   * @param {Source} source
   */
  static attach(reference, source) {
    const show = () => open(reference, source);
    reference.addEventListener("pointerenter", show);
    reference.addEventListener("focus", show);
    reference.addEventListener("pointerleave", leaveSoon);
    reference.addEventListener("blur", close);
    if (reference.localName === "button") reference.addEventListener("click", show); // its only use
  }
}

/**
 * @param {HTMLElement} reference
 * @param {Source} source
 */
function open(reference, source) {
  clearTimeout(leaving);
  if (!card.isConnected) document.body.append(card);
  if (shownFor !== reference) close();
  title.textContent = source.title;
  address.textContent = source.url;
  excerpt.textContent = source.excerpt;
  address.hidden = source.url === "";
  excerpt.hidden = source.excerpt === "";
  card.hidden = false;
  shownFor = reference;
  reference.setAttribute("aria-describedby", card.id);
  place(reference.getBoundingClientRect());
}

function leaveSoon() {
  clearTimeout(leaving);
  leaving = window.setTimeout(() => {
    if (shownFor !== document.activeElement) close();
  }, LEAVE_MS);
}

function close() {
  clearTimeout(leaving);
  shownFor?.removeAttribute("aria-describedby");
  shownFor = null;
  card.hidden = true;
}

/** @param {DOMRect} at where the reference is */
function place(at) {
  const { width, height } = card.getBoundingClientRect();
  const left = Math.max(EDGE_PX, Math.min(at.left, document.documentElement.clientWidth - width - EDGE_PX));
  const below = at.bottom + GAP_PX;
  const fits = below + height <= window.innerHeight - EDGE_PX;
  card.style.left = `${left}px`;
  card.style.top = `${fits ? below : Math.max(EDGE_PX, at.top - GAP_PX - height)}px`;
}

card.addEventListener("pointerenter", () => clearTimeout(leaving));
card.addEventListener("pointerleave", leaveSoon);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shownFor !== null) close();
});
document.addEventListener("scroll", close, { capture: true, passive: true });
document.addEventListener("pointermove", () => {
  if (shownFor !== null && !shownFor.isConnected) close(); // a growing answer is rendered again, its links with it
}, { passive: true });
