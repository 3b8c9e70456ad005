// What a worked-out number reads: words about it, and the way to how that was made.

import { reveal } from "./network.js";
import { chooseUnit, inside, state } from "./state.js";

export function howToRead({ kind, formula, terms, patch, inside: within, sources, added }) {
  const isOver = (cells) => cells?.flat().includes(false);
  const opens = sources.opens ?? added.find((one) => one.opens !== null)?.opens ?? null;
  return [
    { convolution: "Point at a number for its product.", "batch norm": `${formula}.` }[kind],
    opens !== null && `Click ${kind === "linear" ? "a name" : "a number it reads"} to see how that was made.`,
    isOver(within ?? terms?.[0].inside) && "Dashed: padding, beyond the edge of the map.",
    !patch && kind !== "activation" && "Computed with unrounded numbers.",
  ]
    .filter(Boolean)
    .join(" ");
}

function openUnit(layer, channel, row, column) {
  reveal(layer);
  chooseUnit(inside({ layer, channel, row, column }));
}

// What a click on a cell of a patch does, or null.
export function openCell({ sources }, channel, cells) {
  const { opens, top, left, height, width } = sources;
  if (opens === null) return null;
  const step = (size, count) => (count > 1 ? (size - 1) / (count - 1) : 1); // of a dilated filter
  const [down, right] = [step(height, cells.length), step(width, cells[0].length)];
  return (y, x) => openUnit(opens, channel, top + y * down, left + x * right);
}

// The same of one of two numbers whose sum is read.
export const openAdded = ({ opens }) =>
  opens === null ? null : () => openUnit(opens, state.unit.channel, state.unit.row, state.unit.column);

// Whether a fully connected layer is applied at each place of maps, so that its terms are channels.
export function readsOnePlace() {
  const [, height, width] = state.page.layers[state.unit.layer].shape;
  return height * width > 1;
}

// The same of a term of a fully connected layer, which reads maps as numbers in a row.
export function openTerm({ sources: { opens, top, left } }) {
  if (opens === null) return null;
  if (readsOnePlace()) return ({ index }) => openUnit(opens, index, top, left);
  const [, height, width] = state.page.layers[opens].shape;
  const size = height * width;
  return ({ index: i }) => openUnit(opens, Math.floor(i / size), Math.floor(i / width) % height, i % width);
}
