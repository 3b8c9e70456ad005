// All maps of one layer in one canvas: where each lies, and drawing them at whole factors.

import { colours, tints } from "./colours.js";
import { frame, rem, sized } from "./elements.js";

const LARGEST_FACTOR = 10; // of one map of several
const LARGEST_ALONE = 48;
const SMALLEST_MAP = 16; // in CSS pixels; a map of more cells has one pixel for each
const FLAT_FACTORS = [7, 14]; // of numbers that stand alone
const SHARE_OF_ROOM = 0.34; // of the height, for one map of several
const MANY = 16; // maps that a unit reads
const MOST_ROOMS = 2.6; // a canvas so many times as wide as its room shows the first maps only

// Decide how large the maps of a layer are drawn and how they are laid out.
// room: {width, height} in CSS pixels that the canvas should keep to; all: show every channel.
export function layOut([channels, height, width], room, all) {
  const flat = height * width === 1;
  const gap = flat ? 1 : 3;
  const share = Math.floor((SHARE_OF_ROOM * room.height) / Math.max(height, width));
  const most = channels === 1 ? LARGEST_ALONE : Math.min(LARGEST_FACTOR, Math.max(1, share));
  const least = Math.min(LARGEST_FACTOR, Math.ceil(SMALLEST_MAP / Math.max(height, width)));
  const [smallest, largest] = flat ? FLAT_FACTORS : [least, Math.max(least, most)];
  const cells = (factor) => [height * factor + gap, width * factor + gap];
  const fits = (factor) => {
    const found = arrange(channels, ...cells(factor), room);
    return found.width <= room.width && found.height <= room.height;
  };
  let factor = largest;
  while (factor > smallest && !fits(factor)) factor--;
  const [cellHeight, cellWidth] = cells(factor);
  const inRoom = (size, cell) => Math.max(1, Math.floor(size / cell));
  const first = inRoom(MOST_ROOMS * room.width, cellWidth) * inRoom(room.height, cellHeight);
  const shown = all ? channels : Math.min(channels, first);
  const { perColumn, perRow } = arrange(shown, cellHeight, cellWidth, room);
  const size = { width: perRow * cellWidth - gap, height: perColumn * cellHeight - gap };
  return { shape: [channels, height, width], factor, gap, cellHeight, cellWidth, shown, perRow, ...size };
}

function arrange(channels, cellHeight, cellWidth, room) {
  const most = (size, cell) => Math.min(channels, Math.max(1, Math.floor(size / cell)));
  const perRow = room.byRows
    ? most(room.width, cellWidth)
    : Math.ceil(channels / most(room.height, cellHeight));
  const perColumn = Math.ceil(channels / perRow);
  return { perColumn, perRow, width: perRow * cellWidth, height: perColumn * cellHeight };
}

// Channels run along the rows: first all of the first row.
function corner(plan, channel) {
  const row = Math.floor(channel / plan.perRow);
  return [(channel - row * plan.perRow) * plan.cellWidth, row * plan.cellHeight];
}

// Which unit lies at a point of the canvas, or null; a name beside it belongs to it.
export function unitAt(plan, pointX, y) {
  const [, height, width] = plan.shape;
  const x = Math.min(pointX, plan.width - 1);
  const [mapColumn, mapRow] = [Math.floor(x / plan.cellWidth), Math.floor(y / plan.cellHeight)];
  const channel = mapRow * plan.perRow + mapColumn;
  if (mapColumn < 0 || mapColumn >= plan.perRow || mapRow < 0 || channel < 0 || channel >= plan.shown)
    return null;
  const row = Math.floor((y - mapRow * plan.cellHeight) / plan.factor);
  const column = Math.floor((x - mapColumn * plan.cellWidth) / plan.factor);
  return { channel, row: Math.min(row, height - 1), column: Math.min(column, width - 1) };
}

let words = null; // the colours of -127 … 127 as 32-bit pixels

export function readColours() {
  words = Uint32Array.from(tints(1), ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
}

// Draw the maps of a layer. dead: channels to strike out. always: those to cross out.
// veil: {channel, cell} after which nothing is drawn yet. names: to write beside the maps.
export function drawMaps(canvas, plan, values, { dead = [], always = [], veil = null, names = null } = {}) {
  if (!words) readColours();
  const [, height, width] = plan.shape;
  const { factor, shown } = plan;
  const margin = names ? nameWidth(names) : 0;
  const context = sized(canvas, plan.width + margin, plan.height);
  const picture = new ImageData(width, height * shown);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let at = 0; at < pixels.length; at++) pixels[at] = words[values[at] + 127];
  if (veil)
    pixels.fill(0, veil.channel * height * width + veil.cell + 1, (veil.channel + 1) * height * width);
  const tall = new OffscreenCanvas(width, height * shown);
  tall.getContext("2d").putImageData(picture, 0, 0);
  const { ink, faint } = colours();
  const edge = width * factor > 8; // a line around each map, as 0 has the panel's colour
  context.fillStyle = faint;
  for (let channel = 0; channel < shown; channel++) {
    const [x, y] = corner(plan, channel);
    if (edge) context.fillRect(x - 1, y - 1, width * factor + 2, height * factor + 2);
    context.drawImage(tall, 0, channel * height, width, height, x, y, width * factor, height * factor);
  }
  if (height * width > 1) strikeOut(context, plan, dead, always, ink);
  if (names) writeNames(context, plan, names, ink);
  return context;
}

function strikeOut(context, plan, dead, always, ink) {
  const [, height, width] = plan.shape;
  context.strokeStyle = ink;
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  context.beginPath();
  const [right, down] = [width * plan.factor, height * plan.factor];
  for (const channel of [...dead, ...always].filter((one) => one < plan.shown && right > 3)) {
    const [x, y] = corner(plan, channel);
    context.moveTo(x, y + down);
    context.lineTo(x + right, y);
    if (!always.includes(channel)) continue;
    context.moveTo(x, y);
    context.lineTo(x + right, y + down);
  }
  context.stroke();
  context.globalAlpha = 1;
}

const nameWidth = (names) => 8 + Math.min(9, Math.max(...names.map((name) => name.length)) * 0.62) * rem();

function writeNames(context, plan, names, ink) {
  context.fillStyle = ink;
  context.font = `${0.9 * rem()}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  names.forEach((name, channel) => {
    const [, y] = corner(plan, channel);
    context.fillText(name, plan.width + 6, y + (plan.cellHeight - plan.gap) / 2, nameWidth(names) - 8);
  });
}

// Frame what a unit reads in every map that it reads: by a thin line where there are many or they are small.
export function frameSource(context, plan, { channels, ...window }) {
  const [, rows, columns] = plan.shape;
  const all = window.height >= rows && window.width >= columns && channels.size > MANY;
  const isThin = channels.size > MANY || plan.factor < 3;
  const { ink, centre } = colours();
  if (all) frame(context, 1, 1, plan.width - 2, plan.height - 2, ink, centre);
  else for (const channel of channels) frameCells(context, plan, channel, window, isThin);
}

// Frame cells of a map.
export function frameCells(context, plan, channel, { top, left, height, width }, isThin = false) {
  if (channel >= plan.shown) return;
  const [, rows, columns] = plan.shape;
  const { ink, centre } = colours();
  const [x, y] = corner(plan, channel);
  const [from, to] = [Math.max(0, left), Math.min(columns, left + width)];
  const [high, low] = [Math.max(0, top), Math.min(rows, top + height)];
  const { factor } = plan;
  const box = [x + from * factor, y + high * factor, (to - from) * factor, (low - high) * factor];
  if (!isThin) frame(context, ...box, ink, centre);
  else {
    context.strokeStyle = ink;
    context.lineWidth = 1;
    context.globalAlpha = 0.6;
    context.strokeRect(...box);
    context.globalAlpha = 1;
  }
}

// The image as maps: normalised as the network gets it.
export function imageMaps(image, { side, normalization: { mean, deviation } }) {
  if (!image) return null;
  const scaled = Float32Array.from(
    image.pixels,
    (value, i) => (value / 255 - mean[i % 3]) / deviation[i % 3],
  );
  const numbers = scaled.map((_, i) => scaled[3 * (i % side ** 2) + Math.floor(i / side ** 2)]);
  const limit = scaled.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return { limit, numbers, values: Int8Array.from(numbers, (value) => Math.round((127 * value) / limit)) };
}
