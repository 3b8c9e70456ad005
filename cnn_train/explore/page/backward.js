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
  on("image", () => state.backward && take(null)); // it lay over the image before
  whenColoursChange(showLegend);
  showControls();
  showLegend();
}

export function useMethod(name) {
  state.method = name;
  if (name !== "gradient") state.showGradients = false;
  if (state.backward) take(null); // it may be that this method has no answer
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
    if (state.backward) take(null);
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

const nameOfMethod = () => find("method").selectedOptions[0].text;

// What the method shows, and what its full colours mean.
function showLegend() {
  const { backward: found } = state;
  find("backward-scale").hidden = found?.image.channels !== 1;
  if (!found) {
    find("backward-words").textContent =
      "Choose a method: what speaks for the class then lies over the image; point at it to read its numbers.";
    return;
  }
  const most = figures(found.image.limit, 2);
  const least = found.method === "cam" ? 0 : -127;
  const table = tints(1);
  const scale = table.map((_, i) => table[127 + Math.round(least + ((127 - least) * i) / 254)]);
  paintScale(find("backward-colours"), scale);
  [find("backward-least").textContent, find("backward-most").textContent] = [least ? `−${most}` : "0", most];
  find("backward-words").textContent =
    `${nameOfMethod()} for ${className(found.class)}: ${found.words}.` +
    (found.image.channels === 3
      ? ` Grey is 0; lighter red, green or blue: more of it speaks for the class; darker: less (full: ${most}).`
      : "");
}

function effect({ covers: { before, left, predicted }, class: asked }, at) {
  const share = (value) => (state.look.probabilities ? percent(value) : figures(value, 2));
  const other = predicted[at] === asked ? "" : `; ${className(predicted[at])} wins`;
  return `${className(asked)} ${share(before)} → ${share(left[at])}${other}`;
}

// What the overlay says of a pixel, and the frame of the cover that lies nearest.
function read(found, values, x, y) {
  const { limit, channels } = found.image;
  if (found.covers) {
    const away = found.covers.places.map(([top, left, height, width]) =>
      Math.hypot(top + height / 2 - y - 0.5, left + width / 2 - x - 0.5),
    );
    const at = away.indexOf(Math.min(...away));
    const [top, left, height, width] = found.covers.places[at];
    return { text: `Covered: ${effect(found, at)}`, frame: { top, left, height, width } };
  }
  const start = channels * (y * state.page.side + x);
  const names = channels === 3 ? ["red", "green", "blue"] : [nameOfMethod()];
  const cut = { 127: "≥ ", [-127]: "≤ " }; // the few largest numbers
  const number = (value) => (cut[value] ?? "") + figures((value / 127) * limit, 2);
  return { text: names.map((name, i) => `${name} ${number(values[start + i])}`).join(", ") };
}

// Which cover costs the class most, in words.
export function tellCover() {
  const { covers, class: asked } = state.backward;
  const { before, left, places, size_px: size } = covers;
  const at = left.indexOf(Math.min(...left));
  if (left[at] >= before) return `No cover of ${size} × ${size} pixels lowers ${className(asked)}.`;
  const [top, start, height, width] = places[at];
  const third = (middle) => Math.min(2, Math.floor((3 * middle) / state.page.side));
  const row = ["top ", "", "bottom "][third(top + height / 2)];
  const column = ["left ", "", "right "][third(start + width / 2)];
  const exactly = `rows ${top}–${top + height - 1}, columns ${start}–${start + width - 1}`;
  const where = `${row + column || "middle "}(${exactly})`;
  return `Covering the ${height} × ${width} pixels at the ${where} costs most: ${effect(state.backward, at)}.`;
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
