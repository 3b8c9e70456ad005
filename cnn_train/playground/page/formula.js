// The learning rule with the numbers of the last step, as the program wrote them.

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
  choice.replaceChildren(...start.places.map(({ name, ...place }) => option(name, place)));
}

function option(name, { layer, unit, source }) {
  const element = document.createElement("option");
  element.textContent = name;
  element.value = JSON.stringify({ layer, unit, source });
  return element;
}

export function show(state) {
  const { layer, unit, source } = state.place;
  choice.value = JSON.stringify({ layer, unit, source });
  if (state.weight_step) {
    heading.textContent = `step ${state.step}, a minibatch of ${state.num_points}`;
  } else {
    heading.textContent = state.problem ? "the step was refused" : "numbers come with the first step";
  }
  body.replaceChildren(...state.formula.map(row));
}

function row({ name, symbols, numbers }) {
  const element = document.createElement("tr");
  element.id = `formula-${name}`;
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const meaning = document.createElement("td");
  meaning.append(...typeset(symbols));
  const figures = document.createElement("td");
  figures.textContent = numbers;
  element.append(head, meaning, figures);
  if (name === "loss") meaning.append(remark(lossFormula));
  return element;
}

function remark(symbols) {
  const element = document.createElement("span");
  element.className = "remark";
  element.append(...typeset(symbols));
  return element;
}

// Write s_y and Σ_{j≠y} with their indices below the line.
function typeset(symbols) {
  return symbols.split(/_(\{.*?\}|[a-z]+)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const index = document.createElement("sub");
    index.textContent = part.replace(/[{}]/g, "");
    return index;
  });
}
