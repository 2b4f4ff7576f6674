// @ts-check
/**
 * Images that the user attaches: read, scaled down to what a model looks at, and drawn. They are drawn on a canvas, so that the
 * page's policy need not allow any image address.
 */

import { make } from "./elements.js";

/** @typedef {import("./conversation.js").Picture} Picture */

const MAX_FILE_BYTES = 30 * 1024 * 1024;
/** Longer sides are scaled down: models do so themselves. In pixels. */
const MAX_SIDE = 2048;
/** Of the data URL. */
const MAX_CHARACTERS = 1_400_000;
/** Sent as they are when small; everything else becomes a JPEG, which also removes where a photo was taken. */
const KEPT_TYPES = new Set(["image/png", "image/gif", "image/webp"]);
const QUALITY = 0.88;
const SHRINK = 0.75;
const MAX_THUMBNAIL = 240;

/** An image that is not taken; the message says why. */
export class PictureRefused extends Error {}

let count = 0;

/**
 * @param {File} file
 * @returns {Promise<Picture>} throws `PictureRefused`
 */
export async function readPicture(file) {
  const name = file.name || "image";
  if (!file.type.startsWith("image/")) throw new PictureRefused(`${name} is not an image.`);
  if (file.size > MAX_FILE_BYTES) throw new PictureRefused(`${name} is too large; the limit is ${MAX_FILE_BYTES / 1024 / 1024} MB.`);
  /** @type {ImageBitmap} */
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new PictureRefused(`${name} is not an image that this browser can read. PNG, JPEG, WebP and GIF work everywhere.`);
  }
  try {
    const url = await dataUrl(file, bitmap);
    return { id: `${Date.now()}-${(count += 1)}`, name, url };
  } finally {
    bitmap.close();
  }
}

/**
 * Return a canvas with the image, small.
 * @param {Picture} picture
 * @returns {HTMLCanvasElement}
 */
export function thumbnail({ name, url }) {
  const canvas = make("canvas", { class: "thumbnail", role: "img", "aria-label": name, width: "96", height: "96" });
  void (async () => {
    try {
      const bitmap = await createImageBitmap(toBlob(url));
      const scale = Math.min(1, MAX_THUMBNAIL / Math.max(bitmap.width, bitmap.height));
      canvas.width = Math.max(1, Math.round(bitmap.width * scale));
      canvas.height = Math.max(1, Math.round(bitmap.height * scale));
      canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      bitmap.close();
    } catch {
      canvas.classList.add("broken"); // its name is still there for screen readers
    }
  })();
  return canvas;
}

/**
 * @param {File} file
 * @param {ImageBitmap} bitmap
 * @returns {Promise<string>}
 */
async function dataUrl(file, bitmap) {
  const longest = Math.max(bitmap.width, bitmap.height);
  if (KEPT_TYPES.has(file.type) && longest <= MAX_SIDE) {
    const url = await read(file);
    if (url.length <= MAX_CHARACTERS) return url;
  }
  for (let side = Math.min(longest, MAX_SIDE); ; side *= SHRINK) {
    const url = drawn(bitmap, side / longest);
    if (url.length <= MAX_CHARACTERS) return url;
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} scale
 * @returns {string} a JPEG; what is transparent becomes white
 */
function drawn(bitmap, scale) {
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = make("canvas", { width: String(width), height: String(height) });
  const context = canvas.getContext("2d");
  if (context === null) throw new PictureRefused("This browser cannot scale images.");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas.toDataURL("image/jpeg", QUALITY);
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function read(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/**
 * @param {string} url a data URL in base64
 * @returns {Blob}
 */
function toBlob(url) {
  const [, type = "", data = ""] = /^data:([\w/+.-]+);base64,(.*)$/s.exec(url) ?? [];
  return new Blob([Uint8Array.from(atob(data), (character) => character.charCodeAt(0))], { type });
}
