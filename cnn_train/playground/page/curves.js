// The loss over the steps, of the training and of the test points.

import { colours, sharp, typeSize } from "./colours.js";

const canvas = document.querySelector("#curves");
const MOST_KEPT = 2000;

let history = []; // [step, training loss, test loss]

export const figures = (loss, digits) =>
  loss < 1000 ? loss.toFixed(digits) : loss.toExponential(1).replace("+", "");

export function setUp() {
  new ResizeObserver(draw).observe(canvas);
}

export function begin() {
  history = [];
}

export function add(state) {
  const last = history.at(-1);
  if (last && last[0] === state.step) return;
  history.push([state.step, state.train.loss, state.test.loss]);
  if (history.length > MOST_KEPT) history = history.filter((_, i) => i % 2 === 0);
  draw();
}

export function draw() {
  const { context, width, height } = sharp(canvas);
  const { ink, faint, testInk } = colours();
  const type = 0.79 * typeSize();
  const [left, right, top, bottom] = [3.6 * type, width - type / 2, 0.7 * type, height - 1.5 * type];
  const losses = history.flatMap(([, train, test]) => [train, test]).filter((v) => v !== null);
  const most = 1.05 * Math.max(0.1, ...losses); // no loss touches the top
  const lastStep = history.at(-1)?.[0] ?? 0;
  const x = (step) => left + ((right - left) * step) / Math.max(1, lastStep);
  const y = (loss) => bottom - ((bottom - top) * loss) / most;
  context.font = `${type}px system-ui, sans-serif`;
  context.strokeStyle = faint;
  context.fillStyle = ink;
  for (const [loss, name] of ticks(most)) {
    context.strokeRect(left, y(loss), right - left, 0);
    context.textAlign = "right";
    context.fillText(name, left - 0.5 * type, y(loss) + 0.35 * type);
  }
  context.fillText(`step ${lastStep}`, right, height - 0.3 * type);
  line(context, history.map(([step, , test]) => [x(step), test === null ? null : y(test)]), testInk, [5, 3]);
  line(context, history.map(([step, train]) => [x(step), train === null ? null : y(train)]), ink, []);
}

// Two to four round numbers from 0 to ``most``, and how they are written.
function ticks(most) {
  const scale = 10 ** Math.floor(Math.log10(most));
  const stride = [0.5, 1, 2, 5].map((size) => size * scale).find((size) => most / size < 4);
  const digits = Math.max(0, -Math.floor(Math.log10(stride) + 1e-9));
  const number = Math.floor(most / stride) + 1;
  return Array.from({ length: number }, (_, i) => {
    const loss = Number((i * stride).toPrecision(2));
    const long = loss >= 1000; // its name would not fit beside the curves
    return [loss, long ? loss.toExponential().replace("+", "") : loss.toFixed(loss && digits)];
  });
}

function line(context, points, colour, dash) {
  context.beginPath();
  for (const [x, y] of points) if (y !== null) context.lineTo(x, y);
  context.strokeStyle = colour;
  context.lineWidth = 0.11 * typeSize();
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}
