// Small pieces of the page: elements, numbers as text, bytes as text, pixels on a canvas.

import { unpack } from "./server.js";

export const find = (id) => document.getElementById(id);

export function make(tag, className = "", content = "", attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...[content].flat());
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (tag === "button") element.type = "button";
  return element;
}

export function button(content, label, act, className = "") {
  const element = make("button", className, content);
  if (label) element.setAttribute("aria-label", (element.title = label));
  element.addEventListener("click", act);
  return element;
}

// A number in few characters, with a true minus sign.
export function figures(value, digits = 3) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "?";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 0.5 * 10 ** -digits || size >= 1e5)
      ? value.toExponential(1).replace("e+", "e")
      : value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : digits);
  return text.replaceAll("-", "−");
}

export const grouped = (whole) => whole.toLocaleString("en");
export const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

export const toBytes = (text) => new Uint8Array(unpack(text).buffer);

export function toText(bytes) {
  let letters = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    letters += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(letters);
}

// A canvas of its own, one to one; colourAt: the colour [red, green, blue, alpha] of each cell.
export function cellCanvas(width, height, colourAt) {
  const picture = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) picture.data.set(colourAt(at), 4 * at);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

// The same of an image's pixels, rows of RGB.
export const pixelCanvas = (pixels, width, height = width) =>
  cellCanvas(width, height, (at) => [pixels[3 * at], pixels[3 * at + 1], pixels[3 * at + 2], 255]);

// A canvas element that shows pixels; the style sheet gives it its size.
export function thumbnail(pixels, width, height = width, className = "crisp") {
  const canvas = make("canvas", className, "", { width, height });
  canvas.getContext("2d").drawImage(pixelCanvas(pixels, width, height), 0, 0);
  return canvas;
}

// Give a canvas a size in CSS pixels and the screen's own pixels behind it.
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.imageSmoothingEnabled = false;
  return context;
}

// A frame that is seen on any ground: the ink with a line of the ground on both sides.
export function frame(context, x, y, width, height, ink, ground, thick = 2) {
  context.lineJoin = "round";
  for (const [colour, line] of [
    [ground, thick + 2],
    [ink, thick],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x, y, width, height);
  }
}

export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

// Lay a bar from the middle of its track to the right, or to the left of a negative share.
export function layBar(fill, share) {
  const width = 50 * Math.abs(share);
  fill.style.left = `${share < 0 ? 50 - width : 50}%`;
  fill.style.width = `${width}%`;
}
