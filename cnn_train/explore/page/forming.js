// What forms during the training: the first layer's filters.

import { tints, whenColoursChange } from "./colours.js";
import { cellCanvas, find, rem, sized } from "./elements.js";
import { wantSoon } from "./questions.js";
import { unpack } from "./server.js";
import { state } from "./state.js";

let filters = null;

export function setUp() {
  find("filters-figure").hidden = firstConvolution() < 0;
  whenColoursChange(drawFilters);
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
