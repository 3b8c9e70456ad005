// Backwards: from a class's score to the pixels, and to the maps, that speak for it.

import { find } from "./elements.js";
import { layersInSight, takeMaps } from "./network.js";
import { showOverlay } from "./picture.js";
import { want } from "./questions.js";
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
  showControls();
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
    showOverlay(null);
    state.gradients.clear();
    find("backward-words").hidden = true;
    return;
  }
  want("backward", question, (answer, { method, class: asked }) => {
    if (method !== state.method) return;
    showOverlay({ ...answer.image, values: unpack(answer.image.values) });
    state.gradients.clear();
    takeMaps(answer.maps, state.gradients, state.version);
    find("backward-words").textContent = `${className(asked)}: ${answer.words}`;
    find("backward-words").hidden = false;
    tell("gradients");
  });
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
