// @ts-check
/** Create and find elements, and announce texts to screen readers. Text is always set as text, never as HTML. */

/**
 * Return the element with this id.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T} throws a TypeError when it is missing or of another type
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
 * Return an icon of the sprite. It is decorative, never the only label.
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
 * @param {string} name of the icon
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
 * Whether a key press in a text field sends the text.
 * @param {KeyboardEvent} event
 * @returns {boolean}
 */
export function isSendKey(event) {
  // NOTE: the Enter that ends an input method's composition has `isComposing` set; in Safari, only key code 229.
  return event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
}

/**
 * Announce a text to screen readers, politely and once. For states and complete answers, never for single words of a
 * stream.
 * @param {string} text
 */
export function announce(text) {
  const announcer = byId("announcer", HTMLElement);
  announcer.replaceChildren(make("p", {}, text));
  clearTimeout(silencing);
  silencing = window.setTimeout(() => announcer.replaceChildren(), ANNOUNCED_MS); // so that browsing the page does not find it again
}

const ANNOUNCED_MS = 5000;
let silencing = 0;
