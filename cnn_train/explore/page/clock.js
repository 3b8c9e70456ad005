// The checkpoints of the training as a slider, and playing them one after another.

import { find } from "./elements.js";
import { checkpointIndex, chooseCheckpoint, on, state } from "./state.js";

const PAUSE_MILLISECONDS = 800; // so that the eye sees each checkpoint, and the slow questions are asked

let playing = false;
let timer = null;

export function setUp() {
  const { checkpoints } = state.page;
  find("clock").hidden = false;
  find("clock-slider").max = checkpoints.length - 1;
  find("clock-slider").disabled = checkpoints.length < 2;
  find("clock-play").hidden = find("clock-slider").hidden = checkpoints.length < 2;
  find("clock-slider").addEventListener("input", ({ target }) => {
    setPlaying(false);
    chooseCheckpoint(checkpoints[target.value].key);
  });
  find("clock-play").addEventListener("click", () => {
    setPlaying(!playing);
    const isUsual = [state.page.checkpoint, checkpoints.at(-1).key].includes(state.checkpoint);
    if (playing) advance(isUsual ? 0 : checkpointIndex() + 1);
  });
  on("checkpoint", show);
  on("look problem", () => {
    clearTimeout(timer);
    timer = setTimeout(() => playing && advance(checkpointIndex() + 1), PAUSE_MILLISECONDS);
  });
  show();
}

function advance(index) {
  const next = state.page.checkpoints[index];
  if (next) chooseCheckpoint(next.key);
  else setPlaying(false);
}

function setPlaying(value) {
  playing = value;
  find("clock-play").textContent = playing ? "❚❚" : "▶";
  find("clock-play").setAttribute("aria-pressed", playing);
}

function show() {
  const index = checkpointIndex();
  find("clock-slider").value = index;
  find("clock-name").textContent = state.page.checkpoints[index].name;
  find("clock-slider").setAttribute("aria-valuetext", find("clock-name").textContent);
}
