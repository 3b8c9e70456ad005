// "Why this answer?": three suggestions for the image, and what one can do next, in one line.

import { button, find } from "./elements.js";
import { useMethod } from "./backward.js";
import { reveal } from "./network.js";
import { want } from "./questions.js";
import { aboutImage, askedClass, chooseClass, chooseUnit, className, on, state } from "./state.js";
import { unpack } from "./server.js";
import { strongest } from "./units.js";

const done = new Set();

const HINTS = [
  ["unit", "Click any pixel of a map: the sum behind it is worked out below."],
  ["pixels", "Cover a part of the image with the brush: everything changes while you paint."],
  ["class", "Click a class among the bars to ask why it got its score."],
  ["checkpoint", "Move the slider at the top to see the network at earlier steps."],
  ["open", "Fold and unfold the blocks by their names."],
];

export function setUp() {
  if (state.page.checkpoints.length < 2) done.add("checkpoint");
  for (const [name] of HINTS) {
    on(name, () => {
      if (name === "unit" && !state.unit) return;
      if (name === "class" && state.focus === null) return;
      done.add(name);
      showHint();
    });
  }
  on("look class", showQuestions);
  showHint();
}

function showHint() {
  const [, text] = HINTS.find(([name]) => !done.has(name)) ?? [
    "",
    "Arrow keys move the chosen number, Page Up and Page Down change its map, Escape closes it.",
  ];
  if (find("hint").textContent !== text) find("hint").textContent = text;
}

let asked = null;

function showQuestions() {
  if (!state.look) return;
  const name = className(askedClass());
  if (asked === name) return;
  asked = name;
  find("guide-title").textContent = `Why ${name}?`;
  const suggestions = [
    [
      "Which parts of the image matter?",
      () => useMethod("occlusion"),
      "Occlusion: covers every part in turn and shows where the score falls",
    ],
    [
      `Which map speaks for ${name}?`,
      findSpeaker,
      "Of the last convolution: the map whose numbers raise the score most",
    ],
  ];
  if (state.page.checkpoints.length > 1) {
    suggestions.push([
      `When did it learn ${name}?`,
      showTime,
      "The probability of every class at every checkpoint",
    ]);
  }
  find("suggestions").replaceChildren(
    ...suggestions.map(([text, act, title]) => {
      const element = button(text, "", act);
      element.title = title;
      return element;
    }),
  );
}

function showTime() {
  chooseClass(askedClass());
  find("time").scrollIntoView({ behavior: "smooth", block: "start" });
  find("chart").focus({ preventScroll: true });
}

// The last layer of maps before the classifier, that a sum can be worked out for.
function lastMaps() {
  return state.page.layers.findLastIndex(
    ({ kind, shape }) => kind === "convolution" && shape[1] * shape[2] > 1,
  );
}

// Choose the map with the largest Σ value × gradient: to first order its share of the score.
function findSpeaker() {
  const layer = lastMaps();
  if (layer < 0) {
    useMethod("gradient");
    return;
  }
  reveal(layer);
  const question = { ...aboutImage(), layers: [layer] };
  want(
    "look once",
    () => question,
    ({ maps: [{ values }] }) => {
      const body = () => ({ ...question, class: askedClass(), method: "gradient" });
      want("backward once", body, ({ maps }) => {
        const gradients = unpack(maps[0].values);
        const shares = Float32Array.from(unpack(values), (value, i) => value * gradients[i]);
        chooseUnit(strongestIn(layer, shares));
      });
    },
  );
}

// The largest share in the map whose shares have the largest sum.
function strongestIn(layer, shares) {
  const [channels, height, width] = state.page.layers[layer].shape;
  const size = height * width;
  const maps = Array.from({ length: channels }, (_, i) => shares.subarray(i * size, (i + 1) * size));
  const sums = maps.map((map) => map.reduce((sum, value) => sum + value, 0));
  const channel = sums.indexOf(Math.max(...sums));
  return strongest(layer, maps[channel], channel);
}
