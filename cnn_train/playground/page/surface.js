// The output at every point of the plane, with the points that it was trained and tested on.

import { colours, paintMap, sharp, typeSize } from "./colours.js";
import { unpack } from "./server.js";

const canvas = document.querySelector("#surface");
const showTest = document.querySelector("#show-test");
const title = document.querySelector("#surface-title");
const [low, high] = ["#scale-low", "#scale-high"].map((id) => document.querySelector(id));

let reach = 1;
let points = { train: null, test: null };
let surface = null;
let neuron = null; // {name, map} of the neuron that is pointed at

export function setUp(page) {
  reach = page.reach;
  showTest.addEventListener("change", draw);
  new ResizeObserver(draw).observe(canvas);
}

export function begin(start) {
  points = { train: start.train_points, test: start.test_points };
}

export function show(state, pointedAt) {
  surface = unpack(state.surface);
  neuron = pointedAt;
  draw();
}

export function draw() {
  if (!surface) return;
  const { context, width } = sharp(canvas);
  paintMap(canvas, neuron ? neuron.map : surface);
  title.textContent = neuron ? neuron.name : "Output";
  [low.textContent, high.textContent] = neuron ? ["negative", "positive"] : ["orange", "blue"];
  drawAxes(context, width);
  if (showTest.checked) drawPoints(context, width, points.test, true);
  drawPoints(context, width, points.train, false);
}

function drawAxes(context, width) {
  const at = (x) => ((x + reach) / (2 * reach)) * width;
  const type = 0.79 * typeSize();
  context.strokeStyle = context.fillStyle = colours().ink;
  context.font = `${type}px system-ui, sans-serif`;
  context.globalAlpha = 0.75;
  for (const tick of [-3, 0, 3]) {
    const text = String(tick).replace("-", "−");
    context.textAlign = "center";
    context.fillText(text, at(tick), width - 0.35 * type);
    context.textAlign = "left";
    if (tick) context.fillText(text, 0.35 * type, at(-tick) + 0.35 * type);
  }
  context.textAlign = "right";
  context.fillText("x₁", width - 0.5 * type, at(0) - 0.35 * type);
  context.fillText("x₂", at(0) - 0.35 * type, 1.1 * type);
  context.globalAlpha = 0.15;
  context.strokeRect(at(0), 0, 0, width);
  context.strokeRect(0, at(0), width, 0);
  context.globalAlpha = 1;
}

export function drawPoints(context, width, { points, labels }, hollow) {
  const radius = 0.8 + width / 150;
  const { orange, blue, centre } = colours();
  points.forEach(([x1, x2], i) => {
    const colour = labels[i] ? blue : orange;
    context.beginPath();
    const [x, y] = [(x1 + reach) * width, (reach - x2) * width].map((v) => v / (2 * reach));
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = hollow ? centre : colour;
    context.strokeStyle = hollow ? colour : centre;
    context.lineWidth = (hollow ? 0.48 : 0.3) * radius;
    context.fill();
    context.stroke();
  });
}
