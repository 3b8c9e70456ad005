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
  const most = Math.max(0.1, ...losses);
  const lastStep = Math.max(1, history.at(-1)?.[0] ?? 1);
  const x = (step) => LEFT + ((width - LEFT - 6) * step) / lastStep;
  const y = (loss) => height - BOTTOM - ((height - BOTTOM - TOP) * loss) / most;
  context.font = "11px system-ui, sans-serif";
  context.strokeStyle = faint;
  context.fillStyle = ink;
  for (const loss of [0, most / 2, most]) {
    context.strokeRect(LEFT, y(loss), width - LEFT - 6, 0);
    context.textAlign = "right";
    context.fillText(loss ? figures(loss, 2) : "0", LEFT - 5, y(loss) + 4);
  }
  context.fillText(`step ${lastStep}`, width - 6, height - 3);
  line(context, history.map(([step, , test]) => [x(step), test === null ? null : y(test)]), testInk, [5, 3]);
  line(context, history.map(([step, train]) => [x(step), train === null ? null : y(train)]), ink, []);
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
