// Units, the single numbers of layers: their names, choosing one, and moving it by keys.

import { find } from "./elements.js";
import { chooseUnit, className, inside, state } from "./state.js";

const MOST_NAMES = 25; // that a drawing has room for

function givesScores(layer) {
  const { layers, classes } = state.page;
  return layer === layers.length - 1 && layers[layer].shape[0] === classes.length;
}

// The classes beside the last layer's numbers, where there is room.
export const namesOf = (layer) =>
  givesScores(layer) && state.page.classes.length <= MOST_NAMES ? state.page.classes : null;

export function nameOfUnit({ layer, channel, row, column }) {
  if (layer < 0) return `${["red", "green", "blue"][channel]}, row ${row}, column ${column}`;
  const { name, shape } = state.page.layers[layer];
  const [, height, width] = shape;
  if (height * width > 1) return `${name}, map ${channel}, row ${row}, column ${column}`;
  return givesScores(layer) ? `${name}, ${className(channel)}` : `${name}, number ${channel}`;
}

export function pick(unit) {
  const { unit: possible, name } = state.page.layers[unit.layer];
  if (possible) chooseUnit(inside(unit));
  else find("pointed").textContent = `${name}: no single sum makes its numbers; choose another layer.`;
}

const STEPS = {
  ArrowLeft: [0, 0, -1],
  ArrowRight: [0, 0, 1],
  ArrowUp: [0, -1, 0],
  ArrowDown: [0, 1, 0],
  PageUp: [-1, 0, 0],
  PageDown: [1, 0, 0],
};

// Arrow keys move the chosen unit, also from its panel.
// unitsInARow: how many numbers of a flat layer stand side by side.
export function useKey(event, unitsInARow = () => 1) {
  const { unit } = state;
  const layer = Number(event.target.dataset.layer ?? unit?.layer ?? -1);
  if (layer < 0 || event.target.matches("select, input")) return;
  else if (event.key === "Enter" && event.target.matches("canvas")) pick(strongest(layer));
  else if (STEPS[event.key])
    move(unit?.layer === layer ? unit : strongest(layer), STEPS[event.key], unitsInARow(layer));
  else return;
  event.preventDefault();
}

function move(unit, [byMap, byRow, byColumn], perRow) {
  const [, height, width] = state.page.layers[unit.layer].shape;
  const flat = height * width === 1;
  const channel = unit.channel + byMap + (flat ? byColumn + byRow * perRow : 0);
  pick(inside({ ...unit, channel, row: unit.row + byRow, column: unit.column + byColumn }));
}

// The unit of a layer with the largest number.
function strongest(layer) {
  const values = state.maps.get(layer)?.values ?? [0];
  const [, height, width] = state.page.layers[layer].shape;
  const place = values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
  const inMap = place % (height * width);
  return {
    layer,
    channel: Math.floor(place / (height * width)),
    row: Math.floor(inMap / width),
    column: inMap % width,
  };
}
