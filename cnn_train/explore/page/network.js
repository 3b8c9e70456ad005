// The network from left to right: a column for each layer, in blocks that fold and unfold.

import { paintScale, tints, whenColoursChange } from "./colours.js";
import { button, find, make, rem } from "./elements.js";
import { point, shownMaps } from "./lens.js";
import { drawMaps, frameCells, frameSource, layOut, readColours, unitAt } from "./maps.js";
import { on, state, tell } from "./state.js";
import { unpack } from "./server.js";
import { namesOf, pick, useKey } from "./units.js";

const net = find("net");
const narrow = matchMedia("(max-width: 860px)");
const IMAGE = -1; // the place of the image itself, before layer 0

const columns = new Map(); // layer: {element, canvas, plan, all}
const seen = new Set(); // layers whose column is in sight
let ask = () => {};

const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const layer = Number(target.dataset.layer);
      if (!isIntersecting) seen.delete(layer);
      else if (!seen.has(layer)) {
        seen.add(layer);
        draw(layer);
      }
    }
    if (layersInSight().some((layer) => state.maps.get(layer)?.version !== state.version)) ask();
  },
  { rootMargin: "300px" },
);

// askAgain: what to do when layers come in sight that are not known yet.
export function setUp(askAgain) {
  ask = askAgain;
  net.append(imageColumn());
  for (const index of state.page.blocks.keys()) net.append(make("div"));
  buildAll();
  paintScale(find("scale"), tints(1));
  on("look gradients frames", drawAll);
  on("pixels image", () => draw(IMAGE));
  on("open", buildAll);
  net.addEventListener("keydown", (event) => useKey(event, unitsInARow));
  let width = net.clientWidth;
  new ResizeObserver(() => {
    if (net.clientWidth === width) return;
    width = net.clientWidth;
    planAll();
  }).observe(net);
  narrow.addEventListener("change", planAll);
  whenColoursChange(() => {
    readColours();
    paintScale(find("scale"), tints(1));
    drawAll();
  });
}

const unitsInARow = (layer) => columns.get(layer)?.plan.perRow ?? 1;

// The unfolded layers that are in sight or nearly so.
export const layersInSight = () => [...seen].filter((layer) => layer >= 0).sort((a, b) => a - b);

export function reveal(layer) {
  const { block } = state.page.layers[layer];
  if (!state.open.has(block)) {
    state.open.add(block);
    tell("open");
  }
  const { element } = columns.get(layer);
  const middle = element.offsetLeft - net.offsetLeft - (net.clientWidth - element.offsetWidth) / 2;
  net.scrollTo({ left: middle, behavior: "smooth" });
}

// Let keys move the number of a layer, without moving the page.
export const focusMaps = (layer) => columns.get(layer)?.canvas.focus({ preventScroll: true });

function buildAll() {
  state.page.blocks.forEach((block, index) => {
    const [old, open] = [net.children[index + 1], state.open.has(index)];
    if (old.dataset.open === String(open)) return;
    const hadFocus = old.contains(document.activeElement);
    const element = buildBlock(block, index, open);
    element.dataset.open = open;
    old.replaceWith(element);
    if (hadFocus) element.querySelector("button").focus({ preventScroll: true });
  });
  planAll();
}

function buildBlock({ name, first, last }, index, open) {
  for (let layer = first; layer <= last; layer++) forget(layer);
  const layers = last - first + 1;
  const shape = state.page.layers[last].shape;
  const note = `${layers} layer${layers > 1 ? "s" : ""}` + (open ? "" : `, ${sizes(shape)}`);
  const label = [`${open ? "▾" : "▸"} ${name}`, make("span", "hint", note)];
  const fold = button(make("span", "name", label), "", () => {
    if (!state.open.delete(index)) state.open.add(index);
    tell("open");
  });
  fold.setAttribute("aria-expanded", open);
  const element = make("section", open ? "block" : "block folded", [fold], { "aria-label": name });
  if (open) {
    const list = make("div", "columns");
    for (let layer = first; layer <= last; layer++) list.append(layerColumn(layer));
    element.append(list);
  }
  return element;
}

function forget(layer) {
  const column = columns.get(layer);
  if (!column) return;
  watcher.unobserve(column.element);
  columns.delete(layer);
  seen.delete(layer);
}

const sizes = ([channels, height, width]) =>
  height * width === 1 ? `${channels}` : `${channels} × ${height} × ${width}`;

function imageColumn() {
  const { side } = state.page;
  const words = "red, green and blue, each 0 at the mean of all images";
  const column = buildColumn(IMAGE, "image", sizes([3, side, side]), words, "");
  const parts = [make("h3", "", "input"), make("div", "columns", column.element)];
  return make("section", "block", parts, { "aria-label": "input" });
}

function layerColumn(layer) {
  const { name, words, shape, num_parameters, field_px } = state.page.layers[layer];
  const parameters = num_parameters ? `${num_parameters.toLocaleString("en")} parameters` : "no parameters";
  const sees = field_px ? `sees ${field_px[0]} × ${field_px[1]} px` : "sees the whole image";
  return buildColumn(layer, name, sizes(shape), words, `${parameters}; ${sees}`).element;
}

function buildColumn(layer, name, shape, words, facts) {
  const canvas = make("canvas", "", "", { tabindex: layer >= 0 ? 0 : -1, role: "img" });
  canvas.setAttribute(
    "aria-label",
    layer < 0
      ? "The image's three colours"
      : `Maps of ${name}; Enter chooses a number, arrow keys move it, Page Up and Page Down change the map`,
  );
  const title = make("h3", "", [`${name} `, make("span", "shape", shape)]);
  const element = make("div", "column waits", [
    title,
    make("p", "words", words),
    canvas,
    make("p", "facts", facts),
  ]);
  element.dataset.layer = canvas.dataset.layer = layer;
  const column = { element, canvas, plan: null, all: false };
  columns.set(layer, column);
  // A click has whole coordinates, so it means the number that was under the pointer.
  let under = null;
  const aim = (event) => point((under = unitUnder(column, layer, event)), column.plan, event);
  canvas.addEventListener("pointermove", aim);
  canvas.addEventListener("pointerdown", aim);
  canvas.addEventListener("pointerleave", () => point((under = null)));
  canvas.addEventListener("click", (event) => {
    const unit = under ?? unitUnder(column, layer, event);
    if (unit && layer >= 0) pick(unit);
  });
  watcher.observe(element);
  return column;
}

function unitUnder({ canvas, plan }, layer, { clientX, clientY }) {
  const { left, top } = canvas.getBoundingClientRect();
  const unit = unitAt(plan, clientX - left, clientY - top);
  return unit && { layer, ...unit };
}

function planAll() {
  for (const layer of columns.keys()) {
    plan(layer);
    draw(layer);
  }
}

const shapeOf = (layer) =>
  layer < 0 ? [3, state.page.side, state.page.side] : state.page.layers[layer].shape;

function plan(layer) {
  const column = columns.get(layer);
  const room = narrow.matches
    ? { width: net.clientWidth - 3 * rem(), height: 22 * rem(), byRows: true }
    : { width: 17 * rem(), height: Math.max(15 * rem(), 0.33 * innerHeight) };
  const isLast = namesOf(layer) !== null;
  column.plan = layOut(shapeOf(layer), isLast ? { ...room, width: rem(), byRows: true } : room, column.all);
  column.element.querySelector(".more")?.remove();
  const { shown, shape } = column.plan;
  if (shown === shape[0] && !column.all) return;
  const text = column.all ? "show fewer maps" : `${shown} of ${shape[0]}: show all maps`;
  const toggle = () => {
    column.all = !column.all;
    plan(layer);
    draw(layer);
  };
  column.canvas.after(button(text, "", toggle, "more"));
}

function drawAll() {
  for (const layer of seen) draw(layer);
  find("legend-words").textContent = state.showGradients
    ? "Gradients: where more would raise the score (blue) or lower it (orange)."
    : "Full colour: the largest number of each layer. A stroke: 0 all over this image; a cross: 0 on every image.";
}

function draw(layer) {
  const { canvas, plan, element } = columns.get(layer);
  const { maps } = shownMaps(layer);
  element.classList.toggle("waits", !maps);
  const [channels, height, width] = plan.shape;
  const values = maps ? maps.values : new Int8Array(channels * height * width);
  const veil = state.veil?.layer === layer ? state.veil : null;
  const context = drawMaps(canvas, plan, values, {
    dead: maps?.dead,
    always: state.dead.get(`${state.checkpoint} ${layer}`),
    veil,
    names: namesOf(layer),
  });
  const { unit, source } = state;
  if (source?.layer === layer) frameSource(context, plan, source);
  if (unit?.layer === layer) {
    frameCells(context, plan, unit.channel, { top: unit.row, left: unit.column, height: 1, width: 1 });
  }
}

export function takeMaps(maps, into, version) {
  for (const { layer, limit, values, dead_here } of maps) {
    into.set(layer, { limit, values: unpack(values), dead: dead_here, version });
  }
}
