// @ts-check
/** Making and finding elements, and speaking to screen readers. Texts are always set as text, never as HTML. */

/**
 * The element of the page with this id.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T} throws when the page has none of the type
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`#${id} is not a ${type.name}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("icons.svg", import.meta.url).pathname;

/**
 * A picture from the sprite; decoration, never the only label.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * @param {string} name of the picture
 * @param {string} label
 * @param {() => void} onClick
 * @returns {HTMLButtonElement}
 */
export function quietButton(name, label, onClick) {
  const button = make("button", { type: "button", class: "quiet" }, icon(name), make("span", {}, label));
  button.addEventListener("click", onClick);
  return button;
}

/**
 * Lets a screen reader say something, once, when it has nothing better to say. Meant for states and whole answers, never
 * for the words as they come.
 * @param {string} text
 */
export function announce(text) {
  const announcer = byId("announcer", HTMLElement);
  announcer.replaceChildren(make("p", {}, text));
  clearTimeout(silencing);
  silencing = window.setTimeout(() => announcer.replaceChildren(), ANNOUNCED_MS); // who reads on finds it only once
}

const ANNOUNCED_MS = 5000;
let silencing = 0;
