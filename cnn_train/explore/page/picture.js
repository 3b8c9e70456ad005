// The image, large: exactly the pixels that the network gets, to paint on, with what the backward
// view says about them laid over, and a frame around what the chosen unit sees.

import { colours, tints, whenColoursChange } from "./colours.js";
import { cellCanvas, find, frame, pixelCanvas, rem, sized } from "./elements.js";
import { className, holdClass, isPainted, on, state, tell } from "./state.js";

export const DRAWING = "your drawing";
const canvas = find("picture");
const MOST_UNDONE = 40;

let tool = null;
let scale = 1;
let cursor = null; // [x, y] in image pixels
let last = null; // where the stroke was before
let history = [];
let overlay = null; // {channels, limit, values: Int8Array, read(x, y): {text, frame}}

export function setUp() {
  find("tool").addEventListener("change", ({ target }) => target.name && useTool(target.value));
  find("colour").addEventListener("input", () => useTool("brush"));
  find("undo").addEventListener("click", undo);
  find("original").addEventListener("click", () => {
    keep();
    change(state.image.original.slice());
  });
  find("opacity").addEventListener("input", draw);
  find("size").max = Math.max(4, Math.round(state.page.side * 0.4));
  find("size").value = Math.max(1, Math.round(state.page.side * 0.16));
  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("pointermove", (event) => {
    cursor = place(event);
    if (last) stroke(cursor);
    draw();
  });
  canvas.addEventListener("pointerleave", () => {
    if (!last) cursor = null;
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (last = null));
  canvas.addEventListener("keydown", useKey);
  canvas.addEventListener("blur", () => {
    cursor = null;
    draw();
  });
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return; // only the height has changed, perhaps by drawing
    width = contentRect.width;
    draw();
  }).observe(find("left"));
  on("image", () => {
    history = [];
    overlay = null;
  });
  on("image pixels frames look", draw);
  whenColoursChange(draw);
  const fingers = matchMedia("(pointer: coarse)").matches;
  find("look").hidden = !fingers;
  useTool(fingers ? "none" : "grey");
}

export function showOverlay(image) {
  overlay = image;
  draw();
}

export function useTool(name) {
  tool = name === "none" ? null : name;
  find("tool").querySelector(`[value=${name}]`).checked = true;
  canvas.style.touchAction = tool ? "none" : "auto";
  canvas.style.cursor = tool ? "crosshair" : "default";
}

const place = ({ offsetX, offsetY }) => [offsetX / scale, offsetY / scale];

function begin(event) {
  if (!tool || !state.image || event.button) return;
  canvas.setPointerCapture(event.pointerId);
  keep();
  cursor = last = place(event);
  stroke(cursor);
}

function keep() {
  if (state.image.name !== DRAWING) holdClass(); // of a drawing, the answer is asked about as it forms
  history.push(state.image.pixels.slice());
  if (history.length > MOST_UNDONE) history.shift();
}

function undo() {
  if (history.length) change(history.pop());
}

function change(pixels) {
  state.image.pixels = pixels;
  tell("pixels");
}

// Colour every pixel whose middle is near the way from the last point to this one.
function stroke([x, y]) {
  const { side } = state.page;
  const { pixels, original } = state.image;
  const radius = Math.max(0.5, find("size").value / 2);
  const [fromX, fromY] = last;
  const length = Math.hypot(x - fromX, y - fromY);
  const colour = currentColour();
  for (let s = 0; s <= length; s += 0.5) {
    const share = length ? s / length : 1;
    const [cx, cy] = [fromX + share * (x - fromX), fromY + share * (y - fromY)];
    for (let row = Math.max(0, Math.floor(cy - radius)); row < Math.min(side, cy + radius); row++) {
      for (
        let column = Math.max(0, Math.floor(cx - radius));
        column < Math.min(side, cx + radius);
        column++
      ) {
        const away = Math.hypot(column + 0.5 - cx, row + 0.5 - cy);
        const under = row === Math.floor(cy) && column === Math.floor(cx);
        if (away > radius && !under) continue;
        const at = 3 * (row * side + column);
        pixels.set(colour ?? original.subarray(at, at + 3), at);
      }
    }
  }
  last = [x, y];
  tell("pixels");
}

// The colour of the tool; null: the original's own.
function currentColour() {
  if (tool === "restore") return null;
  if (tool === "grey") return state.page.normalization.mean.map((mean) => Math.round(255 * mean));
  return [1, 3, 5].map((i) => parseInt(find("colour").value.slice(i, i + 2), 16));
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function useKey(event) {
  const { side } = state.page;
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  else if (STEPS[event.key]) {
    const [x, y] = cursor ?? [side / 2, side / 2];
    cursor = STEPS[event.key].map((by, i) => Math.min(side - 0.5, Math.max(0.5, [x, y][i] + by)));
  } else if (event.key === " " && tool && state.image) {
    keep();
    last = cursor ??= [side / 2, side / 2];
    stroke(cursor);
    last = null;
  } else return;
  event.preventDefault();
  draw();
}

export function draw() {
  if (!state.image) return;
  const { side } = state.page;
  scale = Math.max(1, Math.floor(Math.min(canvas.parentElement.clientWidth - 26, 23 * rem()) / side));
  const context = sized(canvas, side * scale, side * scale);
  context.drawImage(pixelCanvas(state.image.pixels, side), 0, 0, side * scale, side * scale);
  if (overlay) drawOverlay(context, side * scale);
  const { ink, centre } = colours();
  const read = cursor && overlay?.read(...cursor.map((at) => Math.min(side - 1, Math.max(0, Math.floor(at)))));
  find("picture-reads").textContent = read?.text ?? "";
  find("picture-reads").hidden = !read;
  find("picture-says").hidden = Boolean(read);
  for (const place of [state.field, read?.frame].filter(Boolean)) {
    const { left, top, width, height } = place;
    frame(context, left * scale, top * scale, width * scale, height * scale, ink, centre);
  }
  if (cursor && tool) {
    context.beginPath();
    context.arc(cursor[0] * scale, cursor[1] * scale, (find("size").value / 2) * scale, 0, 7);
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.stroke();
  }
  const changed = isPainted(state.image);
  find("undo").disabled = !history.length;
  find("original").disabled = !changed;
  canvas.setAttribute("aria-label", describe(changed));
}

// One channel is drawn in orange and blue, clear where it is 0, over the image in a pale grey, so
// that they stand out on any image; three channels are drawn as colours.
function drawOverlay(context, width) {
  const { side } = state.page;
  const { values, channels } = overlay;
  const table = tints(1);
  if (channels === 1) {
    const opacity = Number(find("opacity").value);
    context.globalAlpha = Math.min(1, 2 * opacity);
    context.globalCompositeOperation = "saturation";
    context.fillStyle = "#808080";
    context.fillRect(0, 0, width, width);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = opacity / 2;
    context.fillStyle = colours().centre;
    context.fillRect(0, 0, width, width);
  }
  const cells = cellCanvas(side, side, (at) =>
    channels === 3
      ? [...[0, 1, 2].map((c) => 128 + values[3 * at + c]), 255]
      : [...table[values[at] + 127], 255 * (Math.abs(values[at]) / 127) ** 0.7],
  );
  context.globalAlpha = Number(find("opacity").value);
  context.drawImage(cells, 0, 0, width, width);
  context.globalAlpha = 1;
}

function describe(changed) {
  const { name, label } = state.image;
  const what = label === null ? name : `${name}, label ${className(label)}`;
  return `${what}${changed ? ", changed" : ""}; arrow keys move the brush, the space bar paints`;
}
