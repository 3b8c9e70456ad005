// What the page shows, and the address that says it.

import { colours } from "./colours.js";
import { toText } from "./elements.js";

export const state = {
  page: null, // the program's answer to api/page
  image: null, // {key, index | null, name, label | null, pixels, original, preview}
  list: { order: "as they come", from: 0 }, // the row of images to choose from
  checkpoint: null, // key
  unit: null, // {layer, channel, row, column}
  focus: null, // class index that is asked about; null: the predicted one
  open: new Set(), // blocks that are unfolded
  method: "none", // of the backward view
  backward: null, // the answer to the last api/backward that is shown, with its class and method
  showGradients: false, // on the maps, instead of values
  look: null, // the answer to the last api/look …
  before: null, // … and that to the image before anything was painted on it
  maps: new Map(), // layer: {limit, values, dead}
  gradients: new Map(), // layer: {limit, values}
  dead: new Map(), // "checkpoint layer": channels that are 0 on all validation images
  source: null, // {layer, top, left, height, width, channels}: what the chosen unit reads
  field: null, // where the chosen unit looks in the image
  version: 0, // counts the changes of image and checkpoint
  veil: null, // {layer, channel, cell}: cells of a map after this one are not formed yet
};

const listeners = new Map();

export function on(names, act) {
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(act);
  }
}

export function tell(name) {
  for (const act of listeners.get(name) ?? []) act();
  writeAddressSoon();
}

export const askedClass = () => state.focus ?? state.look?.predicted ?? 0;
export const className = (index) => state.page.classes[index] ?? `class ${index}`;
export const isPainted = ({ pixels, original }) => pixels.some((value, i) => value !== original[i]);

// What most questions begin with.
export const aboutImage = () => ({ pixels: toText(state.image.pixels), checkpoint: state.checkpoint });

// The colours of the class that is asked about, of the answer, and of the correct class, by index.
export function classColours() {
  const { orange, blue, ink, testInk } = colours();
  const label = state.image?.label ?? null;
  const all = [
    [state.focus, blue],
    [state.look?.predicted, label === null ? ink : orange], // without a label nothing is wrong
    [label, testInk],
  ];
  return new Map(all.filter(([index]) => index !== null && index !== undefined));
}

export const checkpointIndex = () => state.page.checkpoints.findIndex(({ key }) => key === state.checkpoint);

export function chooseUnit(unit) {
  state.unit = unit;
  if (!unit) [state.source, state.field] = [null, null];
  tell("unit");
}

export function chooseCheckpoint(key) {
  if (key === state.checkpoint) return;
  state.checkpoint = key;
  tell("checkpoint");
}

export function chooseClass(index) {
  state.focus = index;
  tell("class");
}

// The row, column and channel that a layer has and that are nearest to the wanted ones.
export function inside({ layer, channel, row, column }) {
  const [channels, height, width] = state.page.layers[layer].shape;
  const clip = (value, size) => Math.min(size - 1, Math.max(0, value));
  return {
    layer,
    channel: clip(channel, channels),
    row: clip(row, height),
    column: clip(column, width),
  };
}

// From here on the class is the one that is asked about now, also if the answer becomes another.
export function holdClass() {
  if (state.focus === null && state.look) chooseClass(state.look.predicted);
}

export function readAddress(text) {
  opening = true;
  const found = Object.fromEntries(new URLSearchParams(text));
  const { page } = state;
  const numbers = (value) => (value ?? "").split(",").filter(Boolean).map(Number);
  const key = page.checkpoints.some((one) => one.key === found.checkpoint) && found.checkpoint;
  state.checkpoint = key || page.checkpoint;
  const focus = page.classes.indexOf(found.class);
  state.focus = focus < 0 ? null : focus;
  const open = "open" in found ? numbers(found.open) : page.open;
  state.open = new Set(open.filter((block) => page.blocks[block]));
  const [layer, channel, row, column] = numbers(found.unit);
  const whole = [layer, channel, row, column].every(Number.isInteger) && page.layers[layer]?.unit;
  state.unit = whole ? inside({ layer, channel, row, column }) : null;
  if (!whole) [state.source, state.field] = [null, null];
  state.method = found.method ?? "none";
  state.showGradients = found.maps === "gradients";
  const order = ["mistakes", ...page.classes].includes(found.list) ? found.list : "as they come";
  state.list = { order, from: Math.max(0, Number.parseInt(found.from) || 0) };
  return found.image ?? null;
}

let timer = null;
let opening = true; // the image that the address names is not there yet
let write = "replaceState";

// A browser refuses more than a few changes of the address a second.
function writeAddressSoon() {
  timer ??= setTimeout(writeAddress, 200);
}

function writeAddress() {
  clearTimeout(timer);
  timer = null;
  if (opening) return;
  history[write](null, "", `#${address()}`);
  write = "replaceState";
}

// Take an image: as a new step of the browser's history, unless the address asked for it.
export function takeImage(image) {
  if (!opening && image.key !== state.image?.key) {
    writeAddress();
    write = "pushState";
    state.focus = null;
  }
  opening = false;
  [state.image, state.before, state.look] = [image, null, null];
  tell("image");
  tell("class");
}

function address() {
  const { image, list, unit, open, page } = state;
  const usual = list.order === "as they come";
  const parts = {
    image: image?.key,
    list: usual ? null : list.order,
    from: usual ? null : list.from,
    class: state.focus === null ? null : page.classes[state.focus],
    checkpoint: state.checkpoint === page.checkpoint ? null : state.checkpoint,
    unit: unit && [unit.layer, unit.channel, unit.row, unit.column].join(","),
    open: [...open].sort((a, b) => a - b).join(","),
    method: state.method === "none" ? null : state.method,
    maps: state.showGradients ? "gradients" : null,
  };
  return Object.entries(parts)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`)
    .join("&");
}
