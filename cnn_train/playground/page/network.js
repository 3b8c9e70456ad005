// The network: a box with its map for every feature and neuron, a line for every weight.

import { paintMap, typeSize } from "./colours.js";
import { unpack } from "./server.js";

const SVG = "http://www.w3.org/2000/svg";
const net = document.querySelector("#net");
const svg = net.querySelector("svg");
const MOST_NEURONS = 8;

let page = null; // what there is to choose from
let actions = null; // toggle(feature), resize(layer, size), choose and point(place, node)
let columns = []; // of nodes {element, canvas, x, y, name}
let lines = []; // {path, layer, unit, source}
let halo = null;
let state = null;

export function setUp(description, given) {
  [page, actions] = [description, given];
  new ResizeObserver(arrange).observe(net);
  for (const [event, act] of [["mouseover", "point"], ["click", "choose"]]) {
    svg.addEventListener(event, ({ target }) => {
      if (target.dataset.place) actions[act](JSON.parse(target.dataset.place), null);
    });
  }
  svg.addEventListener("mouseout", () => actions.point(null, null));
}

// Build boxes and lines anew for an experiment's settings.
export function begin({ settings }) {
  const { ariaLabel: focused } = net.contains(document.activeElement) ? document.activeElement : {};
  net.replaceChildren(svg);
  const sizes = [...settings.hidden, 2];
  const inputs = Object.keys(page.features).map((name) => featureBox(name, settings.features));
  columns = [inputs, ...sizes.map((size, layer) => neuronColumn(size, layer, settings.hidden))];
  const [all, used] = [inputs, inputs.filter((node) => node.used)];
  net.style.setProperty("--columns", sizes.length);
  svg.replaceChildren((halo = path("halo")));
  lines = sizes.flatMap((size, layer) => {
    const sources = layer ? columns[layer] : used;
    return columns[layer + 1].flatMap((to, unit) =>
      sources.map((from, source) => weightLine(from, to, { layer, unit, source })),
    );
  });
  for (const node of all) paintMap(node.canvas, unpack(page.feature_maps[node.feature]));
  arrange();
  if (focused) focus(focused);
}

// Give the focus back to the button of this name, or to one beside it if it is disabled now.
function focus(name) {
  const wanted = [...net.querySelectorAll("button")].find(({ ariaLabel }) => ariaLabel === name);
  const near = wanted?.disabled ? wanted.parentElement.querySelector(":enabled") : wanted;
  near?.focus({ preventScroll: true });
}

function featureBox(name, used) {
  const node = box(`feature ${page.features[name]}`);
  node.used = used.includes(name);
  node.feature = name;
  node.element.setAttribute("aria-pressed", node.used);
  node.element.classList.toggle("unused", !node.used);
  node.element.addEventListener("click", () => actions.toggle(name));
  node.element.append(text("label before", page.features[name]));
  return node;
}

function neuronColumn(size, layer, hidden) {
  const isOutput = layer === hidden.length;
  const nodes = Array.from({ length: size }, (_, unit) => {
    const name = isOutput
      ? `score of ${page.classes[unit]}`
      : `hidden ${layer + 1}, neuron ${unit + 1}`;
    const node = box(`${name}; its bias`);
    node.name = name;
    node.bias = text("bias", "");
    node.element.append(node.bias);
    if (isOutput) node.element.append(text("label after", page.classes[unit]));
    const place = { layer, unit, source: null };
    node.element.addEventListener("click", () => actions.choose(place, { layer, unit, name }));
    for (const event of ["mouseenter", "focus"]) {
      node.element.addEventListener(event, () => actions.point(place, { layer, unit, name }));
    }
    for (const event of ["mouseleave", "blur"]) {
      node.element.addEventListener(event, () => actions.point(null, null));
    }
    return node;
  });
  nodes.head = isOutput ? text("head", "scores") : sizeButtons(layer, size);
  net.append(nodes.head);
  return nodes;
}

function sizeButtons(layer, size) {
  const head = document.createElement("div");
  head.className = "head counter";
  head.append(
    button("−", `One neuron fewer in hidden layer ${layer + 1}`, size - 1 < 1, () =>
      actions.resize(layer, size - 1),
    ),
    text("", size),
    button("+", `One neuron more in hidden layer ${layer + 1}`, size + 1 > MOST_NEURONS, () =>
      actions.resize(layer, size + 1),
    ),
  );
  return head;
}

function button(sign, label, disabled, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = sign;
  element.disabled = disabled;
  element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

function box(label) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "node";
  element.setAttribute("aria-label", label);
  element.title = label;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 96;
  element.append(canvas);
  net.append(element);
  return { element, canvas };
}

function text(className, content) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = content;
  return element;
}

function weightLine(from, to, place) {
  const [seen, hit] = [path("weight"), path("hit")];
  hit.dataset.place = JSON.stringify(place);
  svg.append(seen, hit);
  return { seen, hit, from, to, ...place };
}

function path(className) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", className);
  return element;
}

// Put every box and line where the size of the panel wants it.
function arrange() {
  if (!columns.length) return;
  const { paddingLeft, paddingRight, paddingTop } = getComputedStyle(net);
  const [left, right, top] = [paddingLeft, paddingRight, paddingTop].map(parseFloat);
  const [width, rowHeight] = [net.clientWidth - left - right, (net.clientHeight - top) / MOST_NEURONS];
  const box = Math.min(0.72 * rowHeight, (0.57 * width) / columns.length, 4 * typeSize());
  const pitch = (width - box) / (columns.length - 1);
  net.style.setProperty("--box", `${box}px`);
  columns.forEach((nodes, column) => {
    const x = left + pitch * column;
    if (nodes.head) nodes.head.style.left = `${x + box / 2}px`;
    nodes.forEach((node, row) => {
      [node.x, node.y] = [x, top + rowHeight * row];
      node.element.style.left = `${node.x}px`;
      node.element.style.top = `${node.y}px`;
    });
  });
  for (const line of lines) {
    const [x1, y1] = [line.from.x + box, line.from.y + box / 2];
    const [x2, y2] = [line.to.x, line.to.y + box / 2];
    const bend = (x2 - x1) / 2;
    const curve = `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
    line.seen.setAttribute("d", curve);
    line.hit.setAttribute("d", curve);
  }
  if (state) markChosen();
}

export function show(newState) {
  state = newState;
  const most = Math.max(1e-9, ...state.weights.flat(2).map(Math.abs));
  for (const { seen, layer, unit, source } of lines) {
    const weight = state.weights[layer][unit][source];
    seen.setAttribute("stroke-width", `${0.04 + (0.4 * Math.abs(weight)) / most}rem`);
    seen.classList.toggle("negative", weight < 0);
  }
  state.maps.forEach((maps, layer) =>
    maps.forEach((map, unit) => {
      const node = columns[layer + 1][unit];
      paintMap(node.canvas, unpack(map));
      node.bias.classList.toggle("negative", state.biases[layer][unit] < 0);
    }),
  );
  markChosen();
}

function markChosen() {
  const { layer, unit, source } = state.place;
  const chosen = lines.find((l) => l.layer === layer && l.unit === unit && l.source === source);
  halo.setAttribute("d", chosen ? chosen.seen.getAttribute("d") : "");
  columns.forEach((nodes, column) =>
    nodes.forEach((node, row) => {
      const bias = source === null && column === layer + 1 && row === unit;
      node.element.classList.toggle("chosen", bias);
    }),
  );
}

export const mapOf = ({ layer, unit }) => unpack(state.maps[layer][unit]);
