// Where the validation images lie for the last hidden layer, and this image among them.

import { colours, sharp, whenColoursChange } from "./colours.js";
import { showImage } from "./choose.js";
import { button, find, make, thumbnail, toBytes } from "./elements.js";
import { whenSeen, wantSoon } from "./questions.js";
import { aboutImage, classColours, className, on, state } from "./state.js";

const MOVE_MILLISECONDS = 300;
const REACH_PX = 12;
const MOST_OUTSIDE = 0.01; // the share of points at each end that are laid at the edge
const still = matchMedia("(prefers-reduced-motion: reduce)");
const canvas = find("cloud");

let cloud = null; // {points, labels, images, here, nearest}
let shown = null; // the same on its way there
let pointed = null; // the index of a point

export function setUp() {
  find("cloud-figure").hidden = !state.page.split || !state.page.has_features;
  new ResizeObserver(draw).observe(canvas);
  on("class look", draw);
  on("image pixels checkpoint", () => {
    point(null);
    find("cloud-figure").classList.add("waits");
    find("nearest").hidden = true;
  });
  whenColoursChange(draw);
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => point(nearestTo(offsetX, offsetY)));
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("click", () => pointed !== null && showImage(cloud.images[pointed]));
}

export const askEmbedding = whenSeen(canvas, () => {
  wantSoon("embedding", aboutImage, (answer, { checkpoint }) => {
    if (checkpoint !== state.checkpoint) return; // the next question is on its way
    const before = shown;
    cloud = answer;
    pointed = null;
    find("cloud-figure").classList.remove("waits");
    find("nearest").hidden = false;
    showNearest();
    if (before?.points.length === cloud.points.length && !still.matches) move(before, performance.now());
    else settle();
  });
});

// The images nearest to this one, each a button that shows it.
function showNearest() {
  const { nearest } = cloud;
  const counts = new Map();
  for (const { label } of nearest) counts.set(label, (counts.get(label) ?? 0) + 1);
  const words = [...counts].sort((a, b) => b[1] - a[1]).map(([label, count]) => `${count} ${className(label)}`);
  const images = nearest.map((image) =>
    button(thumbnail(toBytes(image.pixels), state.page.side), nameOf(image), () => showImage(image.index)),
  );
  find("nearest").replaceChildren(
    make("p", "hint", `Most like this image for the last hidden layer, by label: ${words.join(", ")}.`),
    make("div", "nearest", images),
  );
}

const nameOf = ({ index, label, predicted }) =>
  `image ${index}, ${className(label)}` + (predicted === label ? "" : `, taken for ${className(predicted)}`);

// Name the image behind a point, and show it.
function point(index) {
  if (index === pointed) return;
  pointed = index;
  canvas.style.cursor = index === null ? "" : "pointer";
  find("cloud-pointed").replaceChildren();
  draw();
  if (index === null) return;
  const asked = cloud.images[index];
  const body = () => pointed === index && { indices: [asked], checkpoint: state.checkpoint };
  wantSoon("images once", body, ({ images: [image] }) => {
    if (pointed !== index) return;
    find("cloud-pointed").replaceChildren(
      thumbnail(toBytes(image.pixels), state.page.side),
      `${nameOf(image)}. A click shows it.`,
    );
  }, 80);
}

function nearestTo(x, y) {
  if (!shown || shown !== cloud) return null;
  const place = placing(canvas.clientWidth, canvas.clientHeight);
  const away = shown.points.map((at) => Math.hypot(place(at)[0] - x, place(at)[1] - y));
  const least = Math.min(...away);
  return least < REACH_PX ? away.indexOf(least) : null;
}

function settle() {
  shown = cloud;
  draw();
}

// Let every point walk from where it was to where it is.
function move(before, start) {
  const target = cloud;
  const between = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));
  const frame = (now) => {
    if (cloud !== target) return;
    const share = Math.min(1, (now - start) / MOVE_MILLISECONDS);
    if (share === 1) return settle();
    shown = {
      ...target,
      points: target.points.map((point, i) => between(before.points[i], point, share)),
      here: between(before.here, target.here, share),
    };
    draw();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function draw() {
  const { context, width, height } = sharp(canvas);
  if (!shown || !width) return;
  const { points, labels, here } = shown;
  const place = placing(width, height);
  const { ink, faint } = colours();
  const colourOf = classColours();
  const order = labels.map((_, i) => i).sort((a, b) => colourOf.has(labels[a]) - colourOf.has(labels[b]));
  for (const i of order) {
    dot(context, place(points[i]), colourOf.has(labels[i]) ? 3.2 : 2.4, colourOf.get(labels[i]) ?? faint);
  }
  const [x, y] = place(here);
  context.beginPath();
  context.arc(x, y, 7, 0, 7);
  [context.strokeStyle, context.lineWidth] = [ink, 2.5];
  context.stroke();
  dot(context, [x, y], 2.5, ink);
  if (pointed !== null && shown === cloud) dot(context, place(points[pointed]), 5.5, ink);
  describe();
}

// What places points on the canvas so that all fit; the few that lie far out are laid at its edge.
function placing(width, height) {
  const scale = (axis, room) => {
    const all = shown.points.map((one) => one[axis]).sort((a, b) => a - b);
    const cut = Math.floor(MOST_OUTSIDE * all.length);
    const least = Math.min(all[cut], shown.here[axis]);
    const most = Math.max(all[all.length - 1 - cut], shown.here[axis]);
    const share = (value) => Math.min(1, Math.max(0, (value - least) / (most - least || 1)));
    return (value) => 10 + share(value) * (room - 20);
  };
  const [right, up] = [scale(0, width), scale(1, height)];
  return ([x, y]) => [right(x), height - up(y)];
}

function dot(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
}

function describe() {
  const names = [...classColours().keys()].map(className).join(", ");
  const words =
    `${shown.points.length} validation images as the last hidden layer sees them, in two dimensions; ` +
    `coloured by label: ${names}. The ring is this image. Point at a dot to see it.`;
  find("cloud-words").textContent = words;
  canvas.setAttribute("aria-label", words);
}
