// @ts-check
/** Copy text, and buttons that do so. */

import { announce, icon, make } from "./elements.js";

const SHOWN_MS = 1600;

/**
 * @param {string} label
 * @param {() => string} text called when the button is pressed
 * @returns {HTMLButtonElement}
 */
export function copyButton(label, text) {
  const words = make("span", {}, label);
  const button = make("button", { type: "button", class: "quiet copy" }, icon("copy"), words);
  button.addEventListener("click", async () => {
    const isCopied = await copy(text());
    button.firstElementChild?.replaceWith(icon(isCopied ? "check" : "copy"));
    words.textContent = isCopied ? "Copied" : "Copy failed";
    announce(words.textContent);
    setTimeout(() => {
      button.firstElementChild?.replaceWith(icon("copy"));
      words.textContent = label;
    }, SHOWN_MS);
  });
  return button;
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it succeeded
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyWithSelection(text); // no permission, or no secure context (plain http, not localhost)
  }
}

/**
 * @param {string} text
 * @returns {boolean}
 */
function copyWithSelection(text) {
  const focused = document.activeElement;
  const field = make("textarea", { class: "visually-hidden", readonly: "", "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
