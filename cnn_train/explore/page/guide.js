// "Why this answer?": three suggestions for the image, and what one can do next, in one line.

import { tellCover, useMethod } from "./backward.js";
import { historyOfImage, needHistory, tellTime } from "./chart.js";
import { button, figures, find, make } from "./elements.js";
import { reveal } from "./network.js";
import { want } from "./questions.js";
import { aboutImage, askedClass, chooseClass, chooseUnit, className, on, state } from "./state.js";

const HINT =
  "Click any number in a map: its sum is worked out below. Cover a part of the image: everything follows. " +
  "Maps, rows and columns count from 0.";

const LAST_MAPS = "the last convolution whose maps have 4 × 4 numbers or more";

export function setUp() {
  on("look class", showQuestions);
  on("backward", () => {
    if (answering !== askParts) return;
    if (state.method === "occlusion") askParts();
    else forget();
  });
  on("image", forget);
  on("history", () => answering === askTime && askTime());
  find("release").addEventListener("click", () => chooseClass(null));
  suggest("Which parts matter?", askParts, "Occlusion: covers every part of the image in turn");
  if (lastMaps() >= 0)
    suggest("Which map speaks for this class?", askMaps, `Gradient × value in ${LAST_MAPS}`);
  if (state.page.checkpoints.length > 1)
    suggest("When did it learn this class?", askTime, "What every checkpoint says of this image");
}

function forget() {
  answering = null;
  answer(HINT);
}

let answering = null; // the suggestion that was chosen: its answer follows brush, class and checkpoint

function suggest(text, ask, title) {
  const element = button(text, "", () => {
    answering = ask;
    ask();
  });
  element.title = title;
  find("suggestions").append(element);
}

function showQuestions() {
  if (!state.look) return;
  const name = className(askedClass());
  find("guide-title").textContent = `Why ${name}?`;
  find("release").hidden = state.focus === null;
  find("release").title = `${name} stays the class that is asked about. Release it: ask about the answer`;
  if (answering !== askParts) answering?.(); // the parts follow the overlay
}

function answer(...parts) {
  find("hint").replaceChildren(...parts);
}

function askParts() {
  if (state.method !== "occlusion") useMethod("occlusion");
  else if (state.backward?.method === "occlusion") answer(tellCover());
}

// The last convolution whose maps still show where something is: 4 × 4 numbers, if there is one.
function lastMaps() {
  const { layers } = state.page;
  const isOne = ({ kind, unit }) => kind === "convolution" && unit;
  const last = (side) => layers.findLastIndex((one) => isOne(one) && Math.min(...one.shape.slice(1)) >= side);
  return last(4) < 0 ? last(2) : last(4);
}

function askMaps() {
  const body = (against) => () =>
    answering === askMaps && { ...aboutImage(), layer: lastMaps(), class: askedClass(), against };
  want("speakers", body(null), (found, { class: asked }) => {
    if (answering !== askMaps) return;
    const { label } = state.image;
    const [parts, name] = [tellMaps(found, className(asked), "its score"), className(asked)];
    if (label === null || label === asked) return answer(...parts, make("br"), HOW_COUNTED);
    want("speakers", body(label), (other) => {
      if (answering !== askMaps) return;
      const words = tellMaps(other, `${name} rather than ${className(label)}`, "the difference of the scores");
      answer(...parts, make("br"), ...words, make("br"), HOW_COUNTED);
    });
  });
}

const HOW_COUNTED =
  "An amount is gradient × value, summed over the map: a linearisation, as if the score went on in a " +
  "straight line. Biases and bends make up the rest.";

const signed = (value) => (value > 0 ? "+" : "") + figures(value, 2);

// Which maps add most to a score, in words; the maps can be clicked.
function tellMaps({ maps, sum, score }, what, whole) {
  const layer = lastMaps();
  const { name, shape } = state.page.layers[layer];
  const open = ({ channel, row, column }) => {
    reveal(layer);
    chooseUnit({ layer, channel, row, column });
  };
  const link = (text, map) => button(text, "", () => open(map), "link");
  const amount = (one) => ` (${signed(one.sum)})`;
  const [first, ...others] = maps;
  const against = maps.at(-1).sum < 0 ? maps.at(-1) : null;
  if (first.sum <= 0) return [`No map of ${name} speaks for ${what}. `];
  return [
    `${name}, `,
    link(`map ${first.channel}`, first),
    ` adds most to ${what}: ${signed(first.sum)}`,
    ...others
      .filter((one) => one.sum > 0)
      .flatMap((one, i) => [i ? " and " : "; then map ", link(one.channel, one), amount(one)]),
    ...(against ? [". Most against it: ", link(`map ${against.channel}`, against), amount(against)] : []),
    `. All ${shape[0]} maps add ${signed(sum)}; ${whole} is ${figures(score, 2)}. `,
  ];
}

function askTime() {
  const found = historyOfImage();
  if (found) answer(tellTime(found.steps), toCurves);
  else needHistory();
}

function showTime() {
  find("time").scrollIntoView({ behavior: "smooth", block: "start" });
  find("chart").focus({ preventScroll: true });
}

const toCurves = button("See the curves", "", showTime, "link");
