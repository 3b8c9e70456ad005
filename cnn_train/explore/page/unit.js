// One number of a layer, worked out: the sum, what it reads, and what comes after it.

import { whenColoursChange } from "./colours.js";
import { button, figures, find, make } from "./elements.js";
import { digits, grid, largest, pair, productBars, tint } from "./grids.js";
import { showBeside } from "./lens.js";
import { focusMaps, reveal } from "./network.js";
import { askPatches, nine } from "./nine.js";
import { want } from "./questions.js";
import { howToRead, openAdded, openCell, openTerm, readsOnePlace } from "./reads.js";
import { aboutImage, chooseUnit, inside, on, state, tell } from "./state.js";
import { nameOfUnit, useKey } from "./units.js";

const FIRST_TERMS = 3;
const SLIDE_MILLISECONDS = 70;

const panel = find("unit");
let answer = null;
let showAll = false;
let sliding = false;
let last = null; // the unit that was shown before

const parts = {
  title: make("h2"),
  slide: button("▶ Slide the window", "", () => (sliding ? stopSliding() : slide())),
  equation: make("p", "equation", "", { role: "status" }),
  reading: make("p", "reading"),
  terms: make("div", "terms"),
};

export function setUp() {
  const step = (by, label, text) =>
    button(text, label, () => chooseUnit(inside({ ...state.unit, channel: state.unit.channel + by })));
  const buttons = [
    parts.slide,
    step(-1, "Previous map or number of this layer", "‹ previous"),
    step(1, "Next map or number of this layer", "next ›"),
    button("Close", "Close (Escape)", () => chooseUnit(null)),
  ];
  panel.append(
    make("div", "title", [parts.title, make("div", "buttons", buttons)]),
    parts.equation,
    parts.reading,
    parts.terms,
    nine,
  );
  panel.addEventListener("keydown", (event) => useKey(event));
  on("unit", changed);
  whenColoursChange(() => answer && state.unit && show());
}

function changed() {
  const { unit } = state;
  if (!unit || !sliding) stopSliding();
  panel.hidden = !unit;
  if (!unit) {
    [last, answer] = [null, null];
    tell("frames");
    return;
  }
  if (last?.layer !== unit.layer) showAll = false;
  if (!last) {
    parts.equation.textContent = "Working the sum out …";
    for (const part of [parts.terms, parts.reading, nine]) part.replaceChildren();
    setTimeout(bringInSight, 50);
  }
  last = unit;
  if (!document.activeElement?.closest("#net, #unit, header")) focusMaps(unit.layer);
  parts.title.textContent = nameOfUnit(unit);
  tell("frames");
  askUnit();
}

// Scroll only if nothing of the panel is seen, and if its sum is near no further than to that.
function bringInSight() {
  if (panel.getBoundingClientRect().top < innerHeight) return;
  const away = parts.equation.getBoundingClientRect().bottom + 16 - innerHeight;
  if (away < innerHeight / 2) scrollBy({ top: away, behavior: "smooth" });
  else panel.scrollIntoView({ block: "start", behavior: "smooth" });
}

export function askUnit() {
  if (!state.unit || !state.image) return;
  const body = () => state.unit && { ...aboutImage(), ...state.unit };
  want("unit", body, (found, { layer, channel, row, column }) => {
    const { unit } = state;
    if (!unit || unit.layer !== layer || unit.channel !== channel) return;
    if (unit.row !== row || unit.column !== column) return;
    answer = found;
    show();
    tell("frames");
    if (sliding) setTimeout(slideOn, SLIDE_MILLISECONDS);
    else askPatches();
  });
}

function show() {
  const { sources, field } = answer;
  state.field = field;
  const [, height, width] = state.page.layers[sources.layer]?.shape ?? [0, 1, 1];
  const inOneMap = readsOnePlace() ? 1 : height * width;
  const read = answer.terms?.map(({ channel, index }) => channel ?? Math.floor(index / inOneMap));
  state.source = { ...sources, channels: new Set(read ?? [state.unit.channel]) };
  parts.slide.hidden = state.page.layers[state.unit.layer].shape[1] === 1;
  parts.reading.textContent = howToRead(answer);
  parts.equation.replaceChildren(...equation());
  parts.terms.replaceChildren(...terms());
}

const result = (value, limit) => {
  const element = make("b", "result", figures(value, 4));
  element.style.background = tint(value, limit);
  return element;
};

function equation() {
  const { total, network, bias, followed_by: after = [] } = answer;
  const limit = state.maps.get(state.unit.layer)?.limit ?? Math.abs(total);
  const same = Math.abs(total - network) <= 1e-3 * Math.max(1, Math.abs(network));
  return [
    ...beginning(bias),
    result(total, limit),
    ...after.flatMap(({ name, value }) => [` → ${name}: `, result(value, limit)]),
    make("small", "", ` the network itself says ${figures(network, 4)}${same ? " ✓" : ""}`),
  ];
}

function beginning(bias) {
  const { kind, total, input, added, mean, deviation, gamma, beta } = answer;
  const link = (value, open) =>
    open ? button(figures(value, 4), "Work it out", () => open(0, 0), "link") : figures(value, 4);
  const sum = added.flatMap((one, i) => [`${i ? " + " : ""}${one.name} `, link(one.value, openAdded(one))]);
  const before = sum.length ? [...sum, ` = ${figures(input, 4)}; `] : [];
  const read = link(input, openCell(answer, state.unit.channel, [[input]]));
  if (kind === "batch norm") {
    const [m, d, g, b] = [mean, deviation, gamma, beta].map((value) =>
      value < 0 ? `(${digits(value)})` : digits(value),
    );
    const rest = ` − ${m}) / ${d} × ${g} + ${b} = `;
    return [...before, "(", read, rest];
  }
  if (kind === "activation") return [...before, `${answer.formula}: from `, read, " to "];
  if (kind === "pooling") return [`${answer.formula}: `];
  const all = `Σ ${kind === "linear" ? "number × weight" : "patch × filter"} = `;
  return [bias === null ? all : `${all}${figures(total - bias, 4)} + bias ${figures(bias, 4)} = `];
}

function terms() {
  const { kind, terms: all, rest, patch, winner } = answer;
  if (kind === "linear") return [productBars(all, rest, openTerm(answer))];
  if (patch) {
    const open = openCell(answer, state.unit.channel, patch);
    const numbers = grid(patch, largest(patch), { winner, inside: answer.inside, open });
    return [make("div", "term", [make("h3", "", "the patch"), numbers])];
  }
  if (!all) return [];
  const [patchLimit, filterLimit] = ["patch", "filter"].map((name) => largest(all.map((term) => term[name])));
  const shown = all.slice(0, showAll ? all.length : FIRST_TERMS);
  const cards = shown.map((term) => card(term, patchLimit, filterLimit));
  if (all.length > FIRST_TERMS) {
    const others = all.slice(FIRST_TERMS).reduce((sum, term) => sum + term.sum, 0);
    const text = showAll
      ? "Show the largest only"
      : `Show all ${all.length} input maps (the others add ${figures(others, 4)})`;
    const toggle = () => {
      showAll = !showAll;
      show();
    };
    cards.push(button(text, "", toggle, "all"));
  }
  return cards;
}

function card({ channel, name, patch, filter, inside: within, sum }, patchLimit, filterLimit) {
  const open = openCell(answer, channel, patch);
  const left = grid(patch, patchLimit, { inside: within, name: `patch of ${name}`, open });
  const right = grid(filter, filterLimit, { name: `filter for ${name}` });
  pair(left, right, (y, x, event) => {
    const [a, b] = [patch[y][x], filter[y][x]];
    const where = within && !within[y][x] ? " (padding)" : "";
    showBeside(event, `${digits(a)} × ${digits(b)} = ${digits(a * b)}${where}`);
  });
  const title = make("h3", "", [`from ${name}: Σ = `, result(sum, patchLimit * filterLimit)]);
  return make("div", "term", [title, make("div", "product", [left, make("span", "by", ["×", right])])]);
}

// Move the window over the whole map, so that the map forms number by number.
function slide() {
  sliding = true;
  parts.slide.textContent = "❚❚ Stop";
  reveal(state.unit.layer);
  const [, height, width] = state.page.layers[state.unit.layer].shape;
  const { row, column } = state.unit;
  const atEnd = row === height - 1 && column === width - 1;
  goTo(atEnd || !state.veil ? 0 : row * width + column);
}

function slideOn() {
  if (!sliding || !state.unit) return;
  const [, height, width] = state.page.layers[state.unit.layer].shape;
  const cell = state.unit.row * width + state.unit.column + 1;
  if (cell < height * width) goTo(cell);
  else stopSliding();
}

function goTo(cell) {
  const { layer, channel } = state.unit;
  const [, , width] = state.page.layers[layer].shape;
  state.veil = { layer, channel, cell };
  chooseUnit({ layer, channel, row: Math.floor(cell / width), column: cell % width });
}

function stopSliding() {
  if (!sliding) return;
  sliding = false;
  state.veil = null;
  parts.slide.textContent = "▶ Slide the window";
  tell("frames");
  askPatches();
}
