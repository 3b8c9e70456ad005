// What forms during the training: the first layer's filters, and where the images lie for the
// last hidden layer.

import { colours, sharp, tints, whenColoursChange } from "./colours.js";
import { find, rem, sized, toText } from "./elements.js";
import { whenSeen, wantSoon } from "./questions.js";
import { askedClass, className, on, state } from "./state.js";
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
    const picture = new ImageData(width, height);
    for (let at = 0; at < size; at++) {
      const of = (input) => filters.values[(tile * (coloured ? inputs : 1) + input) * size + at];
      picture.data.set([...(coloured ? [0, 1, 2].map((c) => 128 + of(c)) : table[of(0) + 127]), 255], 4 * at);
    }
    const cells = new OffscreenCanvas(width, height);
    cells.getContext("2d").putImageData(picture, 0, 0);
    const [row, column] = [Math.floor(tile / perRow), tile % perRow];
    context.drawImage(
      cells,
      column * (width * factor + 3),
      row * (height * factor + 3),
      width * factor,
      height * factor,
    );
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
  wantSoon(
    "embedding",
    () => ({ checkpoint: state.checkpoint, pixels: toText(state.image.pixels) }),
    (answer) => {
      const before = shown;
      cloud = answer;
      if (before?.points.length === cloud.points.length && !still.matches) move(before, performance.now());
      else settle();
    },
  );
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
  const all = [...points, here];
  const [least, most] = [Math.min, Math.max].map((pick) =>
    [0, 1].map((i) => all.reduce((value, point) => pick(value, point[i]), point0(all, i))),
  );
  const place = (point) =>
    [0, 1].map((i) => {
      const share = (point[i] - least[i]) / (most[i] - least[i] || 1);
      return 10 + (i ? 1 - share : share) * ([width, height][i] - 20);
    });
  const { ink, orange, blue, testInk, faint } = colours();
  const colourOf = { [askedClass()]: blue, [state.look?.predicted]: orange, [state.image?.label]: testInk };
  const inFront = (label) => (label in colourOf ? 1 : 0);
  const order = labels.map((_, i) => i).sort((a, b) => inFront(labels[a]) - inFront(labels[b]));
  for (const i of order) {
    const special = inFront(labels[i]);
    dot(context, place(points[i]), special ? 3.2 : 2.4, special ? colourOf[labels[i]] : faint);
  }
  const [x, y] = place(here);
  context.beginPath();
  context.arc(x, y, 7, 0, 7);
  [context.strokeStyle, context.lineWidth] = [ink, 2.5];
  context.stroke();
  dot(context, [x, y], 2.5, ink);
  describe();
}

const point0 = (all, i) => all[0][i];

function dot(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
}

function describe() {
  const { label } = state.image;
  const names = [
    ...new Set(
      [label, state.look?.predicted, askedClass()].filter((one) => one !== null && one !== undefined),
    ),
  ];
  const words = `${shown.points.length} validation images as the last hidden layer sees them; coloured: ${names.map(className).join(", ")}. The ring is this image.`;
  find("cloud-words").textContent = words;
  find("cloud").setAttribute("aria-label", words);
}
