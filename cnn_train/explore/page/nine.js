// The nine validation images, cut to what a unit sees, that make a map largest.

import { showImage } from "./choose.js";
import { button, figures, make, thumbnail, toBytes } from "./elements.js";
import { wantSoon } from "./questions.js";
import { className, state, tell } from "./state.js";

const patches = new Map(); // "checkpoint layer channel": the answer

export const nine = make("div", "side");

const keyOf = ({ layer, channel }) => `${state.checkpoint} ${layer} ${channel}`;

export function askPatches() {
  if (!state.page.split || !state.unit) return;
  const known = patches.get(keyOf(state.unit));
  showPatches(known);
  if (known) return;
  const body = () =>
    state.unit && { checkpoint: state.checkpoint, layer: state.unit.layer, channel: state.unit.channel };
  wantSoon(
    "patches",
    body,
    (found, { checkpoint, layer, channel }) => {
      patches.set(`${checkpoint} ${layer} ${channel}`, found);
      state.dead.set(`${checkpoint} ${layer}`, found.dead);
      tell("frames");
      if (state.unit) showPatches(patches.get(keyOf(state.unit)));
    },
    150,
  );
}

function showPatches(found) {
  if (!found) {
    const words = "Looking through the validation images for what makes this largest …";
    return nine.replaceChildren(make("h3", "hint", words));
  }
  const { num_active: active, num_images: all } = found;
  const isDead = found.dead.includes(state.unit.channel);
  const where = active
    ? `Where it is largest (it is above 0 on ${active} of ${all} validation images)`
    : `Never above 0 on ${all} validation images; where it is largest`;
  const text = isDead ? `Dead: 0 on all ${all} validation images.` : `${where}; click to look at an image:`;
  const images = found.patches.map(({ value, image, label, side, pixels }) => {
    const name = `${className(label)}, ${figures(value, 2)}`;
    const words = [make("span", "", className(label)), make("span", "", figures(value, 2))];
    return button(
      [thumbnail(toBytes(pixels), side), ...words],
      `Show validation image ${image}, ${name}`,
      () => showImage(image),
    );
  });
  nine.replaceChildren(make("h3", "", text), make("div", "nine", isDead ? [] : images));
}
