// Backwards: from a class's score to the pixels, and to the maps, that speak for it.

import { paintScale, tints, whenColoursChange } from "./colours.js";
import { figures, find, percent } from "./elements.js";
import { layersInSight, takeMaps } from "./network.js";
import { showOverlay } from "./picture.js";
import { say, want } from "./questions.js";
import { aboutImage, askedClass, chooseClass, className, on, state, tell } from "./state.js";
import { unpack } from "./server.js";

export function setUp() {
  const predicted = new Option("the answer", "");
  find("class").append(predicted, ...state.page.classes.map((name, index) => new Option(name, index)));
  find("class").addEventListener("change", ({ target }) =>
    chooseClass(target.value === "" ? null : Number(target.value)),
  );
  const hasMaps = state.page.layers.some(({ shape }) => shape[1] * shape[2] > 1);
  if (!hasMaps) find("method").querySelector("[value=cam]").remove();
  find("method").addEventListener("change", ({ target }) => useMethod(target.value));
  find("gradients").addEventListener("change", ({ target }) => {
    state.showGradients = target.checked;
    askBackward();
    tell("gradients");
  });
  on("look class", showControls);
  on("class", askBackward);
  whenColoursChange(showLegend);
  showControls();
  showLegend();
}

export function useMethod(name) {
  state.method = name;
  if (name !== "gradient") state.showGradients = false;
  showControls();
  askBackward();
  tell("gradients");
}

function showControls() {
  const known = [...find("method").options].some(({ value }) => value === state.method);
  if (!known) state.method = "none";
  find("method").value = state.method;
  find("class").value = state.focus ?? "";
  find("class").options[0].text = state.look
    ? `the answer, ${className(state.look.predicted)}`
    : "the answer";
  find("opacity-label").hidden = state.method === "none";
  find("gradients-label").hidden = state.method !== "gradient";
  find("gradients").checked = state.showGradients;
}

export function askBackward() {
  if (state.method === "none") {
    say("backward", "");
    take(null);
    return;
  }
  want("backward", question, (answer, { method, class: asked }) => {
    if (method === state.method) take({ ...answer, method, class: asked });
  });
}

function take(answer) {
  const values = answer && unpack(answer.image.values);
  state.backward = answer;
  showOverlay(answer && { ...answer.image, values, read: (x, y) => read(answer, values, x, y) });
  state.gradients.clear();
  takeMaps(answer?.maps ?? [], state.gradients, state.version);
  showLegend();
  tell("gradients");
  tell("backward");
}

const METHODS = { gradient: "Gradient", guided: "Guided backpropagation", cam: "Grad-CAM", occlusion: "Occlusion" };

// What the method shows, and what its full colours mean.
function showLegend() {
  const { backward: found } = state;
  find("backward-scale").hidden = found?.image.channels !== 1;
  if (!found) {
    find("backward-words").textContent =
      "Choose a method: what speaks for the class is then laid over the image; pointing at it reads its number.";
    return;
  }
  const { limit, channels } = found.image;
  const [from, most] = [found.method === "cam" ? 0 : -1, figures(limit, 2)];
  find("backward-least").textContent = from ? figures(-limit, 2) : "0";
  find("backward-most").textContent = most;
  const table = tints(1);
  paintScale(
    find("backward-colours"),
    table.map((_, i) => table[Math.round(127 + (127 * (from * (254 - i) + i)) / 254)]),
  );
  const mixed =
    channels === 3
      ? ` Grey is 0; lighter red, green or blue: more of it speaks for the class; darker: less (full: ${most}).`
      : "";
  find("backward-words").textContent = `${METHODS[found.method]} for ${className(found.class)}: ${found.words}.${mixed}`;
}

const share = (value) => (state.look.probabilities ? percent(value) : figures(value, 2));

// The rectangle of one of the covers, which stand row by row; each begins ``step`` after the last.
function frameOf({ size_px: size, step_px: step, left }, at) {
  const perRow = Math.round(Math.sqrt(left.length));
  const [[top, bottom], [start, end]] = [Math.floor(at / perRow), at % perRow].map((index) => [
    Math.max(0, (index + 1) * step - size),
    Math.min(state.page.side, (index + 1) * step),
  ]);
  return { left: start, top, width: end - start, height: bottom - top };
}

function effect({ covers, class: asked }, at) {
  const then = covers.predicted[at];
  const other = then === asked ? "" : `; ${className(then)} wins`;
  return `${className(asked)} ${share(covers.before)} → ${share(covers.left[at])}${other}`;
}

// What the overlay says of a pixel, and the frame of what is meant.
function read(found, values, x, y) {
  const { limit, channels } = found.image;
  if (found.covers) {
    const { size_px: size, step_px: step, left } = found.covers;
    const perRow = Math.round(Math.sqrt(left.length));
    const [row, column] = [y, x].map((at) =>
      Math.min(perRow - 1, Math.max(0, Math.round((at + 0.5 + size / 2) / step - 1))),
    );
    const at = row * perRow + column;
    return { text: `Covered: ${effect(found, at)}`, frame: frameOf(found.covers, at) };
  }
  const start = channels * (y * state.page.side + x);
  const numbers = [...values.subarray(start, start + channels)].map((value) => {
    const beyond = { 127: "≥ ", [-127]: "≤ " }[value] ?? "";
    return beyond + figures((value / 127) * limit, 2);
  });
  const names = channels === 3 ? ["red ", "green ", "blue "] : [`${METHODS[found.method]} `];
  return { text: names.map((name, i) => name + numbers[i]).join(", ") };
}

// Which cover costs the class most, in words.
export function tellCover() {
  const { covers, class: asked } = state.backward;
  const [size, name] = [`${covers.size_px} × ${covers.size_px} pixels`, className(asked)];
  const at = covers.left.indexOf(Math.min(...covers.left));
  if (covers.left[at] >= covers.before) return `No cover of ${size} lowers ${name} (${share(covers.before)}).`;
  const { left, top, width, height } = frameOf(covers, at);
  const third = (middle, names) => names[Math.min(2, Math.floor((3 * middle) / state.page.side))];
  const place = [
    third(top + height / 2, ["top", "", "bottom"]),
    third(left + width / 2, ["left", "", "right"]),
  ].join(" ");
  const where = place.trim() ? `at the ${place.trim()}` : "in the middle";
  const exactly = `rows ${top} to ${top + height - 1}, columns ${left} to ${left + width - 1}`;
  return `Of all covers of ${size}, the one ${where} (${exactly}) costs most: ${effect(state.backward, at)}.`;
}

function question() {
  if (!state.image || !state.look || state.method === "none") return null;
  return {
    ...aboutImage(),
    class: askedClass(),
    method: state.method,
    layers: state.showGradients ? layersInSight() : [],
  };
}
