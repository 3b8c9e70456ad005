// The settings: what the form and the network's buttons say, written as the page's address.

const form = document.querySelector("#settings");
const sliders = [...form.querySelectorAll("[type=range]")];

let features = [];
let hidden = [];

export function setUp(startAgain) {
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const slider of sliders) {
    Object.assign(slider.dataset, { step: slider.step, max: slider.max });
    slider.addEventListener("input", () => fit(slider, notch(slider, slider.value)));
  }
  form.addEventListener("input", showValues);
  for (const field of form.elements) {
    field.addEventListener("change", () => startAgain(address()));
  }
}

// Make the form say what an experiment's settings are.
export function show(settings) {
  ({ features, hidden } = settings);
  for (const [name, value] of Object.entries(settings)) {
    const field = form.elements.namedItem(name);
    if (sliders.includes(field)) fit(field, value);
    else if (field) field.value = String(value);
  }
  showValues();
}

// Let a slider stand where a value is, also between or beyond its notches: an address may say any.
function fit(slider, value) {
  slider.max = Math.max(slider.dataset.max, value);
  slider.step = notch(slider, value) === value ? slider.dataset.step : "any";
  slider.value = value;
}

// The slider's notch that is nearest to a value.
function notch({ min, dataset: { step } }, value) {
  return Number((Number(min) + Math.round((value - min) / step) * step).toFixed(6));
}

export function address(changed = {}) {
  const settings = {
    ...Object.fromEntries(new FormData(form)),
    features: features.join(","),
    hidden: hidden.join(","),
    ...changed,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`)
    .join("&");
}

export function toggledFeature(name, all) {
  const kept = features.includes(name)
    ? features.filter((other) => other !== name)
    : all.filter((other) => other === name || features.includes(other));
  return { features: (kept.length ? kept : features).join(",") };
}

export function resizedLayer(layer, size) {
  return { hidden: hidden.with(layer, size).join(",") };
}

export function changedDepth(more) {
  const sizes = more > 0 ? [...hidden, hidden.at(-1) ?? 4] : hidden.slice(0, -1);
  return { hidden: sizes.join(",") };
}

function showValues() {
  for (const text of form.querySelectorAll(".value")) {
    const { name, value } = text.parentElement.querySelector("input");
    text.textContent = name === "noise" ? value : `${Math.round(100 * value)} %`;
  }
}
