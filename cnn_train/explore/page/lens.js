// Beside the pointer: the number that it points at, unrounded, and a small map enlarged.

import { figures, find, make } from "./elements.js";
import { drawMaps, frameCells, imageMaps, layOut } from "./maps.js";
import { want } from "./questions.js";
import { unpack } from "./server.js";
import { aboutImage, askedClass, className, on, state } from "./state.js";
import { nameOfUnit } from "./units.js";

const LARGE = 40; // CSS pixels; a map that is drawn as large is not enlarged
const ROOM = { width: 100, height: 100 }; // for a map that is enlarged
const AWAY = 16; // between the pointer and what is shown beside it

const lens = make("div", "", "", { id: "lens", role: "tooltip", hidden: "" });
const canvas = make("canvas");
let pointed = null; // {unit, plan, event}
let exact = { key: "", numbers: null }; // of the layer that was pointed at last

document.body.append(lens);
on("look gradients", () => pointed && show());
addEventListener("scroll", () => hide(), true);

// Show something beside the pointer.
export function showBeside({ clientX, clientY }, ...content) {
  lens.replaceChildren(...content);
  lens.hidden = false;
  const { width, height } = lens.getBoundingClientRect();
  const beside = (at, size, room) => Math.max(2, at + AWAY + size < room ? at + AWAY : at - AWAY - size);
  lens.style.left = `${beside(clientX, width, innerWidth)}px`;
  lens.style.top = `${beside(clientY, height, innerHeight)}px`;
}

export const hide = () => (lens.hidden = true);

// Say which number of a layer is pointed at; unit: null if none is.
export function point(unit, plan, event) {
  pointed = unit && { unit, plan, event };
  if (unit) return show();
  find("pointed").textContent = "";
  hide();
}

function show() {
  const { unit, plan, event } = pointed;
  const [channels, height, width] = plan.shape;
  const { maps, isGradient } = shownMaps(unit.layer);
  if (!maps) return;
  const numbers = maps.numbers ?? askExact(unit.layer, isGradient);
  const place = (unit.channel * height + unit.row) * width + unit.column;
  const number = numbers ? figures(numbers[place], 4) : isGradient ? "…" : roughly(maps, place);
  const what = isGradient ? `gradient of the score of ${className(askedClass())} ` : "";
  find("pointed").textContent = `${nameOfUnit(unit)}: ${what}${number}`;
  if (channels === 1 || width === 1 || width * plan.factor >= LARGE) return hide();
  const alone = layOut([1, height, width], ROOM);
  const start = unit.channel * height * width;
  const context = drawMaps(canvas, alone, maps.values.subarray(start, start + height * width));
  frameCells(context, alone, 0, { top: unit.row, left: unit.column, height: 1, width: 1 });
  showBeside(event, canvas, `map ${unit.channel}: `, make("b", "", number));
}

// A number from its byte, with the decimals that this has.
function roughly({ values, limit }, place) {
  const decimals = Math.floor(-Math.log10((limit || 1) / 254));
  return `about ${figures((values[place] / 127) * limit, Math.min(6, Math.max(0, decimals)))}`;
}

// What the canvas of a layer shows.
export function shownMaps(layer) {
  if (layer < 0) return { maps: imageMaps(state.image, state.page), isGradient: false };
  const slopes = state.showGradients && state.gradients.get(layer);
  return { maps: slopes || state.maps.get(layer), isGradient: Boolean(slopes) };
}

// The unrounded numbers of a layer, or null until they come.
function askExact(layer, isGradient) {
  const kind = isGradient ? "backward exact" : "look exact";
  const keyNow = () => [kind, state.version, layer, isGradient && askedClass()].join();
  if (exact.key === keyNow()) return exact.numbers;
  let key = "";
  const body = () => {
    key = keyNow();
    if (pointed?.unit.layer !== layer || exact.key === key) return null;
    const asked = isGradient ? { class: askedClass(), method: "gradient" } : {};
    return { ...aboutImage(), ...asked, layers: [layer], exact: true };
  };
  want(kind, body, ({ maps }) => {
    exact = { key, numbers: new Float32Array(unpack(maps[0].exact).buffer) };
    if (pointed) show();
  });
  return null;
}
