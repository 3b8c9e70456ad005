// The page: buttons and pictures around an experiment that runs in the program behind it.
//
// One question is asked at a time, and the next only when its answer is drawn: a slow page never
// falls behind.

import { colours, paintScale, sharp, whenColoursChange } from "./colours.js";
import * as controls from "./controls.js";
import * as curves from "./curves.js";
import * as experiments from "./experiments.js";
import * as formula from "./formula.js";
import * as network from "./network.js";
import { Refused } from "./server.js";
import * as surface from "./surface.js";

const find = (id) => document.getElementById(id);
const FIRST_WEIGHT = { layer: 0, unit: 0, source: 0 };

let page = null; // what there is to choose from
let experiment = null; // the answer to the last start
let state = null; // the experiment as it stands
let playing = false;
let busy = false;
let chosen = FIRST_WEIGHT; // the weight whose formula is shown …
let chosenNode = null; // the neuron whose map is shown large; null: the output
let pointed = null; // … unless another one is pointed at
let pointedNode = null;
let wantedAddress = null;
let wantedSteps = null; // 0: only look again

const place = () => pointed ?? chosen;

async function work() {
  if (busy) return;
  busy = true;
  try {
    for (;;) {
      if (wantedAddress !== null) await start();
      else if (wantedSteps !== null) await advance(takeWantedSteps());
      else if (playing) await playFrame();
      else break;
    }
  } catch (problem) {
    setPlaying(false);
    say(problem.message);
  } finally {
    busy = false;
  }
}

function takeWantedSteps() {
  const steps = wantedSteps;
  wantedSteps = null;
  return steps;
}

async function playFrame() {
  await new Promise(requestAnimationFrame);
  if (playing) await advance(Number(find("speed").value) || experiment.steps_per_epoch);
}

async function start() {
  const address = wantedAddress;
  [wantedAddress, wantedSteps] = [null, null];
  try {
    experiment = await experiments.start(address, chosen, experiment?.experiment ?? null);
  } catch (problem) {
    if (!experiment || !(problem instanceof Refused)) throw problem;
    showSettings();
    say(`${problem.message}. Nothing was changed: the page shows the settings that count.`);
    return;
  }
  say("");
  showSettings();
  [chosenNode, pointed, pointedNode] = [null, null, null];
  network.begin(experiment);
  formula.begin(experiment);
  surface.begin(experiment);
  curves.begin();
  const { hidden } = experiment.settings;
  find("layers").textContent = `${hidden.length} hidden layer${hidden.length === 1 ? "" : "s"}`;
  find("activation").hidden = hidden.length === 0; // there is no neuron that it would follow
  find("fewer").disabled = hidden.length === 0;
  find("more").disabled = hidden.length === 6;
  show(experiment.state);
  chosen = state.place;
}

function showSettings() {
  history.replaceState(null, "", `#${experiment.address}`);
  controls.show(experiment.settings);
}

async function advance(steps) {
  show(await experiments.advance(experiment.experiment, steps, place()));
}

function show(newState) {
  state = newState;
  network.show(state);
  const node = pointedNode ?? chosenNode;
  surface.show(state, node && { name: node.name, map: network.mapOf(node) });
  curves.add(state);
  formula.show(state);
  find("epochs").textContent = state.epoch;
  find("steps").textContent = state.step;
  for (const set of ["train", "test"]) {
    const { loss, accuracy } = state[set];
    find(`${set}-loss`).textContent = loss === null ? "∞" : curves.figures(loss, 4);
    find(`${set}-accuracy`).textContent = `${(100 * accuracy).toFixed(1)} %`;
  }
  if (state.problem) {
    setPlaying(false);
    say(`Training diverged in ${state.problem}.`);
  }
}

function say(text) {
  find("message").textContent = text;
  find("message").hidden = !text;
  find("message").className = "";
}

function setPlaying(value) {
  playing = value;
  find("play").textContent = playing ? "❚❚ Pause" : "▶ Play";
  find("play").setAttribute("aria-pressed", playing);
  if (playing) work();
}

function startAgain(address) {
  wantedAddress = address;
  work();
}

function wantSteps(steps) {
  wantedSteps = (wantedSteps ?? 0) + steps;
  work();
}

// A second click on a neuron brings the output back.
function choose(newPlace, node) {
  const again = node && node.name === chosenNode?.name;
  [chosen, chosenNode] = [newPlace, again ? null : node];
  [pointed, pointedNode] = [null, null];
  wantSteps(0);
}

function point(newPlace, node) {
  [pointed, pointedNode] = [newPlace, node];
  if (state) wantSteps(0);
}

function drawToySets() {
  for (const [name, points] of Object.entries(page.toy_sets)) {
    const { context, width } = sharp(document.querySelector(`[value=${name}] + canvas`));
    surface.drawPoints(context, width, points, false);
  }
  paintScale(find("scale"));
}

function connect() {
  find("play").addEventListener("click", () => setPlaying(!playing));
  find("step").addEventListener("click", () => wantSteps(1));
  find("epoch").addEventListener("click", () =>
    wantSteps(experiment.steps_per_epoch - (state.step % experiment.steps_per_epoch)),
  );
  find("reset").addEventListener("click", () => startAgain(experiment?.address ?? ""));
  find("suggest").addEventListener("click", () => startAgain(experiment.suggested_address));
  find("more").addEventListener("click", () => startAgain(controls.address(controls.changedDepth(1))));
  find("fewer").addEventListener("click", () => startAgain(controls.address(controls.changedDepth(-1))));
  addEventListener("hashchange", () => startAgain(location.hash.slice(1)));
  controls.setUp(startAgain);
  formula.setUp((newPlace) => choose(newPlace, null));
  curves.setUp();
  surface.setUp(page);
  network.setUp(page, {
    toggle: (name) =>
      startAgain(controls.address(controls.toggledFeature(name, Object.keys(page.features)))),
    resize: (layer, size) => startAgain(controls.address(controls.resizedLayer(layer, size))),
    choose,
    point,
  });
  whenColoursChange(() => {
    drawToySets();
    if (!state) return;
    network.begin(experiment);
    show(state);
    curves.draw();
  });
}

async function openPage() {
  try {
    page = await experiments.describe();
  } catch (problem) {
    say(problem.message);
    return;
  }
  connect();
  drawToySets();
  wantedAddress = location.hash.slice(1);
  await work();
  if (!experiment) {
    const problem = find("message").textContent;
    wantedAddress = "";
    await work();
    if (experiment) say(`${problem}. The settings here are the usual ones instead.`);
  }
  for (const part of document.querySelectorAll("[inert]")) part.inert = !experiment;
}

openPage();
