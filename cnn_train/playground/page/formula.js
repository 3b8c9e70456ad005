// The learning rule with the numbers of the last step, as the program wrote them.

import { make } from "./elements.js";

const body = document.querySelector("#formula tbody");
const heading = document.querySelector("#formula-step");
const choice = document.querySelector("#weight");

let lossFormula = "";

// Fill the list of all weights and biases; ``choose`` gets the place of the one that is picked.
export function setUp(choose) {
  choice.addEventListener("change", () => choose(JSON.parse(choice.value)));
}

export function begin(start) {
  lossFormula = start.loss_formula;
  document.querySelector("#code").textContent = start.code;
  const option = ({ name, ...place }) => make("option", { value: JSON.stringify(place) }, name);
  choice.replaceChildren(...start.places.map(option));
}

export function show(state) {
  choice.value = JSON.stringify(state.place);
  if (state.weight_step) {
    heading.textContent = `step ${state.step}, a minibatch of ${state.num_points}`;
  } else {
    heading.textContent = state.problem ? "the step was refused" : "numbers come with the first step";
  }
  body.replaceChildren(...state.formula.map(row));
}

function row({ name, symbols, numbers }) {
  const head = make("th", { scope: "row" }, name);
  const meaning = make("td", {}, ...typeset(symbols));
  if (name === "loss") meaning.append(make("span", { class: "remark" }, ...typeset(lossFormula)));
  return make("tr", { id: `formula-${name}` }, head, meaning, make("td", {}, numbers));
}

// Write s_y and Σ_{j≠y} with their indices below the line.
function typeset(symbols) {
  return symbols.split(/_(\{.*?\}|[a-z]+)/).map((part, i) =>
    i % 2 === 0 ? part : make("sub", {}, part.replace(/[{}]/g, "")),
  );
}
