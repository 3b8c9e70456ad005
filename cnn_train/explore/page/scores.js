// The bars: what the network says about the image, while it is painted on.

import { find, figures, layBar, make, percent, sized, pixelCanvas, rem, toBytes } from "./elements.js";
import { chooseClass, className, isPainted, on, state } from "./state.js";

const MOST = 12;

let rows = new Map(); // class: its elements

export function setUp() {
  on("look", show);
  on("image", () => {
    showImage();
    rows = new Map(); // with very many classes, other ones come first
    find("scores").classList.add("waits");
  });
  on("pixels", showImage);
  on("class", () => {
    if (state.look && state.focus !== null && !rows.has(state.focus)) rows = new Map();
    if (state.look) show();
  });
}

function showImage() {
  const { name, label, preview } = state.image;
  document.querySelector(".preview")?.remove();
  if (preview) {
    const canvas = make("canvas", "preview", "", { role: "img", "aria-label": "The file as it is" });
    const share = Math.min(1 / 4, (2.2 * rem()) / preview.height);
    const size = [share * preview.width, share * preview.height];
    const context = sized(canvas, ...size);
    context.imageSmoothingEnabled = true;
    context.drawImage(pixelCanvas(toBytes(preview.pixels), preview.width, preview.height), 0, 0, ...size);
    find("picture-says").before(canvas);
  }
  find("picture-says").replaceChildren(
    ...(label === null ? [name] : ["Label: ", make("b", "", className(label))]),
    isPainted(state.image) ? ", changed" : "",
  );
}

function show() {
  const { look, image } = state;
  if (look.predicted === undefined) return;
  const values = look.probabilities ?? look.scores;
  if (!rows.size) build(values);
  find("scores").classList.remove("waits");
  const most = look.probabilities ? 1 : Math.max(1e-9, ...look.scores.map(Math.abs));
  for (const [index, row] of rows) {
    const value = values[index];
    row.number.textContent = look.probabilities ? percent(value) : figures(value, 2);
    if (look.probabilities) row.fill.style.width = `${100 * value}%`;
    else layBar(row.fill, value / most);
    const old = state.before && (state.before.probabilities ?? state.before.scores)[index];
    row.was.hidden = !state.before || state.before === look;
    if (!row.was.hidden) row.was.style.left = at(old / most, !look.probabilities);
    row.element.classList.toggle("predicted", index === look.predicted);
    row.element.classList.toggle("wrong", ![null, look.predicted].includes(image.label));
    row.element.classList.toggle("correct", index === image.label);
  }
  markAsked();
  const others = values.filter((_, index) => !rows.has(index));
  const rest = others.reduce((sum, value) => sum + value, 0);
  find("scores-hint").textContent =
    (look.probabilities ? "" : "Scores: this loss has no probabilities. ") +
    (others.length ? `${others.length} other classes` + (look.probabilities ? `: ${percent(rest)}. ` : ". ") : "") +
    (state.before && state.before !== look ? "The thin line is the answer before the change. " : "") +
    "Choose a class to ask about it.";
}

function build(values) {
  const all = values.map((_, index) => index);
  const best = all.toSorted((a, b) => values[b] - values[a]).slice(0, MOST);
  const asked = [state.image.label, state.focus].filter((one) => one !== null);
  const shown = all.length <= MOST ? all : [...new Set([...best.slice(0, MOST - asked.length), ...asked])];
  rows = new Map(shown.map((index) => [index, row(index)]));
  find("scores").replaceChildren(...[...rows.values()].map(({ element }) => element));
}

function row(index) {
  const [fill, was, number] = [make("i", "fill"), make("i", "was"), make("span", "number")];
  const track = make("span", "track", [fill, was]);
  const name = make("span", "name", className(index), { title: className(index) });
  const element = make("button", "score", [name, track, number]);
  element.addEventListener("click", () => chooseClass(index === state.focus ? null : index));
  return { element, fill, was, number };
}

const at = (share, signed) => `${100 * (signed ? 0.5 + share / 2 : share)}%`;

function markAsked() {
  if (!state.look) return;
  for (const [index, { element }] of rows) {
    element.setAttribute("aria-pressed", index === state.focus);
  }
}
