// What forms during the training: the first layer's filters, and where the images lie for the
// last hidden layer.

import { colours, sharp, tints, whenColoursChange } from "./colours.js";
import { cellCanvas, find, rem, sized } from "./elements.js";
import { whenSeen, wantSoon } from "./questions.js";
import { aboutImage, classColours, className, on, state } from "./state.js";
import { unpack } from "./server.js";

const MOVE_MILLISECONDS = 300;
const still = matchMedia("(prefers-reduced-motion: reduce)");

let filters = null;
let cloud = null; // {points, labels, here}
let shown = null; // the same on its way there

export function setUp() {
  find("filters-figure").hidden = firstConvolution() < 0;
  find("cloud-figure").hidden = !state.page.split;
  new ResizeObserver(drawCloud).observe(find("cloud"));
  on("class look", drawCloud);
  whenColoursChange(() => {
    drawFilters();
    drawCloud();
  });
}

const firstConvolution = () => state.page.layers.findIndex(({ kind }) => kind === "convolution");

export function askFilters() {
  const layer = firstConvolution();
  if (layer < 0) return;
  wantSoon(
    "filters",
    () => ({ checkpoint: state.checkpoint, layer }),
    (answer) => {
      filters = { ...answer, values: unpack(answer.values) };
      drawFilters();
    },
    0,
  );
}

function drawFilters() {
  if (!filters) return;
  const [outputs, inputs, height, width] = filters.shape;
  const coloured = inputs === 3;
  const tiles = coloured ? outputs : outputs * inputs;
  const room = 15 * rem();
  const perRow = Math.ceil(Math.sqrt((tiles * height) / width));
  const factor = Math.max(1, Math.floor((room / perRow - 3) / width));
  const context = sized(
    find("filters"),
    perRow * (width * factor + 3),
    Math.ceil(tiles / perRow) * (height * factor + 3),
  );
  const table = tints(1);
  const size = height * width;
  for (let tile = 0; tile < tiles; tile++) {
    const of = (channel, at) => filters.values[((coloured ? 3 : 1) * tile + channel) * size + at];
    const cells = cellCanvas(width, height, (at) =>
      coloured ? [128 + of(0, at), 128 + of(1, at), 128 + of(2, at), 255] : [...table[of(0, at) + 127], 255],
    );
    const [x, y] = [
      (tile % perRow) * (width * factor + 3),
      Math.floor(tile / perRow) * (height * factor + 3),
    ];
    context.drawImage(cells, x, y, width * factor, height * factor);
  }
  const { name, shape } = state.page.layers[firstConvolution()];
  const words =
    `The filters of ${name}` +
    (shape[0] > outputs ? `, ${outputs} of ${shape[0]}` : "") +
    (coloured ? ", in colour (grey is 0)." : ".");
  find("filters-words").textContent = words;
  find("filters").setAttribute("aria-label", words);
}

export const askEmbedding = whenSeen(find("cloud"), () => {
  wantSoon("embedding", aboutImage, (answer) => {
    const before = shown;
    cloud = answer;
    if (before?.points.length === cloud.points.length && !still.matches) move(before, performance.now());
    else settle();
  });
});

function settle() {
  shown = cloud;
  drawCloud();
}

// Let every point walk from where it was to where it is.
function move(before, start) {
  const target = cloud;
  const between = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));
  const frame = (now) => {
    if (cloud !== target) return;
    const share = Math.min(1, (now - start) / MOVE_MILLISECONDS);
    if (share === 1) return settle();
    shown = {
      ...target,
      points: target.points.map((point, i) => between(before.points[i], point, share)),
      here: between(before.here, target.here, share),
    };
    drawCloud();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function drawCloud() {
  const { context, width, height } = sharp(find("cloud"));
  if (!shown || !width) return;
  const { points, labels, here } = shown;
  const place = placing([...points, here], width, height);
  const { ink, faint } = colours();
  const colourOf = classColours();
  const order = labels.map((_, i) => i).sort((a, b) => colourOf.has(labels[a]) - colourOf.has(labels[b]));
  for (const i of order) {
    dot(context, place(points[i]), colourOf.has(labels[i]) ? 3.2 : 2.4, colourOf.get(labels[i]) ?? faint);
  }
  const [x, y] = place(here);
  context.beginPath();
  context.arc(x, y, 7, 0, 7);
  [context.strokeStyle, context.lineWidth] = [ink, 2.5];
  context.stroke();
  dot(context, [x, y], 2.5, ink);
  describe();
}

// What places points on a canvas so that all fit.
function placing(points, width, height) {
  const [xs, ys] = [0, 1].map((i) => points.map((point) => point[i]));
  const scale = (all, room) => {
    const [least, most] = [Math.min(...all), Math.max(...all)];
    return (value) => 10 + ((value - least) / (most - least || 1)) * (room - 20);
  };
  const [right, up] = [scale(xs, width), scale(ys, height)];
  return ([x, y]) => [right(x), height - up(y)];
}

function dot(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
}

function describe() {
  const names = [...classColours().keys()].map(className).join(", ");
  const words =
    `${shown.points.length} validation images as the last hidden layer sees them; ` +
    `coloured: ${names}. The ring is this image.`;
  find("cloud-words").textContent = words;
  find("cloud").setAttribute("aria-label", words);
}
