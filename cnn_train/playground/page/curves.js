// The loss over the steps, of the training and of the test points.

import { colours, sharp } from "./colours.js";

const canvas = document.querySelector("#curves");
const MOST_KEPT = 2000;
const [LEFT, BOTTOM, TOP] = [40, 16, 8];

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
  const losses = history.flatMap(([, train, test]) => [train, test]).filter((v) => v !== null);
  const most = 1.05 * Math.max(0.1, ...losses); // no loss touches the top
  const lastStep = history.at(-1)?.[0] ?? 0;
  const x = (step) => LEFT + ((width - LEFT - 6) * step) / Math.max(1, lastStep);
  const y = (loss) => height - BOTTOM - ((height - BOTTOM - TOP) * loss) / most;
  context.font = "11px system-ui, sans-serif";
  context.strokeStyle = faint;
  context.fillStyle = ink;
  for (const [loss, name] of ticks(most)) {
    context.strokeRect(LEFT, y(loss), width - LEFT - 6, 0);
    context.textAlign = "right";
    context.fillText(name, LEFT - 5, y(loss) + 4);
  }
  context.fillText(`step ${lastStep}`, width - 6, height - 3);
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
  context.lineWidth = 1.6;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}
