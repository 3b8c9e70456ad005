// Numbers as grids, each cell in the colour of its number.

import { colours, tints } from "./colours.js";
import { figures, layBar, make } from "./elements.js";

const LARGEST_WITH_NUMBERS = 7; // columns; larger filters are colours only

const STRENGTH = 0.75; // so that the numbers stay readable

export function tint(value, limit, table = tints(STRENGTH)) {
  const share = Math.max(-1, Math.min(1, value / (limit || 1)));
  return `rgb(${table[Math.round(127 * share) + 127].join(",")})`;
}

// So short that every number of a grid is equally wide.
const inShort = (value) =>
  value
    .toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)
    .replace(/^-(?!0\.00$)/, "−")
    .replace("-", "");

// rows: numbers. inside: false where the patch hangs over the edge and padding is read.
export function grid(rows, limit, { inside = null, winner = null, name = "" } = {}) {
  const table = tints(STRENGTH);
  const body = make(
    "tbody",
    "",
    rows.map((row, y) =>
      make(
        "tr",
        "",
        row.map((value, x) => {
          const cell = make("td", "", inShort(value));
          cell.style.background = tint(value, limit, table);
          if (inside && !inside[y][x]) cell.className = "outside";
          if (winner && winner[0] === y && winner[1] === x) cell.className = "winner";
          Object.assign(cell.dataset, { y, x });
          return cell;
        }),
      ),
    ),
  );
  const small = rows[0].length > LARGEST_WITH_NUMBERS;
  return make("table", small ? "grid small" : "grid", body, { "aria-label": name });
}

export const largest = (grids) =>
  grids.flat(2).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);

// Two grids whose cells belong together: pointing at one lights both and reads them aloud.
export function pair(left, right, say) {
  const light = ({ target }) => {
    for (const cell of [...left.querySelectorAll(".lit"), ...right.querySelectorAll(".lit")])
      cell.classList.remove("lit");
    const { y, x } = target.dataset;
    if (y === undefined) return;
    const [a, b] = [left, right].map((table) => table.rows[y].cells[x]);
    for (const cell of [a, b]) cell.classList.add("lit");
    say(y, x);
  };
  for (const table of [left, right]) {
    table.addEventListener("pointerover", light);
    table.addEventListener("pointerleave", light);
  }
}

// Bars of products, the largest first; rest: {count, sum} of the others.
export function productBars(terms, rest) {
  const limit = terms.reduce(
    (most, { product }) => Math.max(most, Math.abs(product)),
    Math.abs(rest.sum) || 1e-9,
  );
  const line = (name, weighed, product) => {
    const fill = make("i", "fill");
    layBar(fill, product / limit);
    fill.style.background = product < 0 ? colours().orange : colours().blue;
    return [
      make("span", "", name),
      make("span", "weighed hint", weighed),
      make("span", "track", fill),
      make("span", "number", figures(product)),
    ];
  };
  return make("div", "bars", [
    ...terms.flatMap(({ name, value, weight, product }) =>
      line(name, `${figures(value)} × ${figures(weight)}`, product),
    ),
    ...(rest.count ? line(`${rest.count} others`, "", rest.sum) : []),
  ]);
}
