// Numbers as grids, each cell in the colour of its number.

import { colours, tints } from "./colours.js";
import { button, figures, layBar, make } from "./elements.js";
import { hide } from "./lens.js";

const LARGEST_WITH_NUMBERS = 8; // columns; larger filters are colours only
const DIGITS = 3; // of a number in a grid

const STRENGTH = 0.75; // so that the numbers stay readable

export function tint(value, limit, table = tints(STRENGTH)) {
  const share = Math.max(-1, Math.min(1, value / (limit || 1)));
  return `rgb(${table[Math.round(127 * share) + 127].join(",")})`;
}

// A number by its first digits that count, so that sums and products can be checked by hand.
export function digits(value, count = 4) {
  const size = Math.abs(value);
  if (size === 0 || size >= 10 ** count || !Number.isFinite(size)) return figures(value, 0);
  const text = size < 1e-3 ? value.toExponential(count - 2) : value.toPrecision(count);
  return text.replaceAll("-", "−");
}

// rows: numbers. inside: false where the patch hangs over the edge and padding is read.
// open: what a click does with the row and the column of a number that is inside.
export function grid(rows, limit, { inside = null, winner = null, name = "", open = null } = {}) {
  const table = tints(STRENGTH);
  const longest = Math.max(...rows.flat().map((value) => digits(value, DIGITS).length));
  const cellOf = (value, y, x) => {
    const cell = make("td", "", digits(value, DIGITS));
    cell.style.background = tint(value, limit, table);
    if (inside && !inside[y][x]) cell.className = "outside";
    else if (open) cell.className = "opens";
    if (winner && winner[0] === y && winner[1] === x) cell.classList.add("winner");
    Object.assign(cell.dataset, { y, x });
    return cell;
  };
  const lines = rows.map((row, y) => make("tr", "", row.map((value, x) => cellOf(value, y, x))));
  const small = rows[0].length > LARGEST_WITH_NUMBERS;
  const element = make("table", small ? "grid small" : "grid", make("tbody", "", lines), { "aria-label": name });
  element.style.setProperty("--wide", `${longest}ch`);
  element.addEventListener("click", ({ target }) => {
    if (target.matches(".opens")) open(Number(target.dataset.y), Number(target.dataset.x));
  });
  return element;
}

export const largest = (grids) =>
  grids.flat(2).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);

// Two grids whose cells belong together: pointing at one lights both and says what they make.
// say: gets row and column, and the pointer's event.
export function pair(left, right, say) {
  const light = (event) => {
    for (const cell of [...left.querySelectorAll(".lit"), ...right.querySelectorAll(".lit")])
      cell.classList.remove("lit");
    const { y, x } = event.target.dataset;
    if (y === undefined) return hide();
    const [a, b] = [left, right].map((table) => table.rows[y].cells[x]);
    for (const cell of [a, b]) cell.classList.add("lit");
    say(y, x, event);
  };
  for (const table of [left, right]) {
    table.addEventListener("pointerover", light);
    table.addEventListener("pointerleave", light);
  }
}

// Bars of products, the largest first; rest: {count, sum} of the others.
// open: what a click on a name does with its term.
export function productBars(terms, rest, open = null) {
  const limit = terms.reduce(
    (most, { product }) => Math.max(most, Math.abs(product)),
    Math.abs(rest.sum) || 1e-9,
  );
  const line = (name, weighed, product) => {
    const fill = make("i", "fill");
    layBar(fill, product / limit);
    fill.style.background = product < 0 ? colours().orange : colours().blue;
    return [
      name,
      make("span", "weighed hint", weighed),
      make("span", "track", fill),
      make("span", "number", digits(product)),
    ];
  };
  return make("div", "bars", [
    ...terms.flatMap((term) => {
      const { name, value, weight, product } = term;
      const label = open ? button(name, "", () => open(term), "link") : make("span", "", name);
      return line(label, `${digits(value)} × ${digits(weight)}`, product);
    }),
    ...(rest.count ? line(make("span", "", `${rest.count} others`), "", rest.sum) : []),
  ]);
}
