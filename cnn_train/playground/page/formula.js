// The learning rule with the numbers of the last step, as the program wrote them.

const body = document.querySelector("#formula tbody");
const heading = document.querySelector("#formula-step");
const choice = document.querySelector("#weight");

let lossFormula = "";

// Fill the list of all weights and biases; ``choose`` gets the place of the one that is picked.
export function setUp(choose) {
  choice.addEventListener("change", () => choose(JSON.parse(choice.value)));
}

export function begin(start, featureSigns) {
  lossFormula = start.loss_formula;
  const { hidden, features } = start.settings;
  const sizes = [features.length, ...hidden, 2];
  choice.replaceChildren();
  for (let layer = 0; layer + 1 < sizes.length; layer++) {
    const group = document.createElement("optgroup");
    const last = layer === hidden.length;
    group.label = last ? "scores" : `hidden layer ${layer + 1}`;
    for (let unit = 0; unit < sizes[layer + 1]; unit++) {
      const name = last ? ["orange", "blue"][unit] : `neuron ${unit + 1}`;
      for (let source = 0; source < sizes[layer]; source++) {
        const from = layer ? `neuron ${source + 1}` : featureSigns[features[source]];
        group.append(option(`${name} ← ${from}`, { layer, unit, source }));
      }
      group.append(option(`${name}, bias`, { layer, unit, source: null }));
    }
    choice.append(group);
  }
}

function option(text, place) {
  const element = document.createElement("option");
  element.textContent = text;
  element.value = JSON.stringify(place);
  return element;
}

export function show(state) {
  choice.value = JSON.stringify(state.place);
  heading.textContent = state.step
    ? `step ${state.step}, a minibatch of ${state.num_points}`
    : "numbers appear with the first step";
  body.replaceChildren(...state.formula.map(row));
}

function row({ name, symbols, numbers }) {
  const element = document.createElement("tr");
  element.id = `formula-${name}`;
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  element.append(head, cell(symbols), cell(numbers));
  if (name === "loss") element.children[1].append(remark(`   ${lossFormula}`));
  return element;
}

function cell(text) {
  const element = document.createElement("td");
  element.textContent = text;
  return element;
}

function remark(text) {
  const element = document.createElement("span");
  element.className = "remark";
  element.textContent = text;
  return element;
}
