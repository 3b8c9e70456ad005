// This image over the training: each class's probability at every checkpoint; of a branch, beside
// what became of the run that it left.

import { colours, sharp, whenColoursChange } from "./colours.js";
import { figures, find, grouped, percent, rem } from "./elements.js";
import { whenSeen, wantSoon } from "./questions.js";
import {
  aboutImage,
  askedClass,
  checkpointIndex,
  chooseCheckpoint,
  classColours,
  className,
  on,
  state,
  tell,
} from "./state.js";

const canvas = find("chart");
let answer = null;
let isOld = true; // the answer is to another image, or to this one before it was painted on
let plot = null; // {x(index), at(step), y(value)}

export function setUp() {
  new ResizeObserver(draw).observe(canvas);
  on("checkpoint class look", draw);
  on("image", () => {
    answer = null;
    draw();
  });
  on("image pixels", () => {
    isOld = true;
    find("settled").textContent = "";
    canvas.parentElement.classList.add("waits");
  });
  whenColoursChange(draw);
  canvas.addEventListener("pointerdown", choose);
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) choose(event);
    canvas.title = answer && plot ? tellStep(nearestStep(event)) : "";
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = by && state.page.checkpoints[checkpointIndex() + by];
    if (!next) return;
    event.preventDefault();
    chooseCheckpoint(next.key);
  });
}

function ask() {
  wantSoon(
    "history",
    () => ({ pixels: aboutImage().pixels }),
    (found) => {
      answer = found.steps.length ? found : null;
      isOld = false;
      canvas.parentElement.classList.remove("waits");
      draw();
      tell("history");
    },
  );
}

export const needHistory = () => isOld && ask();
export const askHistory = whenSeen(canvas, needHistory);
export const historyOfImage = () => (isOld ? null : answer);

// Since when the answer is the class that is asked about, in words.
export function tellTime(steps) {
  const asked = askedClass();
  const [of, name] = [`Of ${steps.length} checkpoints`, className(asked)];
  const value = ({ probabilities, scores }) => (probabilities ?? scores)[asked];
  const share = (step) => (step.probabilities ? percent(value(step)) : figures(value(step), 2));
  const at = (step) => `step ${grouped(step.step)} (${share(step)})`;
  const says = steps.map(({ predicted }) => predicted === asked);
  const [since, latest] = [says.lastIndexOf(false) + 1, says.lastIndexOf(true)];
  if (since < steps.length)
    return `${of}, ${name} is the answer from ${at(steps[since])} on, and has ${share(steps.at(-1))} at the end. `;
  if (latest >= 0) return `${of}, ${name} was last the answer at ${at(steps[latest])}, not at the end. `;
  const nearest = steps.reduce((best, step) => (value(step) > value(best) ? step : best));
  return `${of}, ${name} is the answer of none; it was nearest at ${at(nearest)}. `;
}

const valuesAt = (step) => step.probabilities ?? step.scores;

function nearestStep({ offsetX }) {
  const away = answer.steps.map((_, index) => Math.abs(plot.x(index) - offsetX));
  return answer.steps[away.indexOf(Math.min(...away))];
}

function choose(event) {
  if (answer && plot) chooseCheckpoint(nearestStep(event).key);
}

// The numbers of the drawn classes at a checkpoint.
function tellStep(step) {
  const write = (index) => (step.probabilities ? percent : figures)(valuesAt(step)[index]);
  const classes = [...classColours().keys()].map((index) => `${className(index)} ${write(index)}`);
  return `step ${grouped(step.step)}: ${classes.join(", ")}`;
}

function words() {
  if (state.page.checkpoints.length > 1) {
    if (!answer) return "Asking every checkpoint about this image …";
    const { left } = answer;
    const beside = left ? `The diamond: after step ${grouped(left.step)} this run left ${left.name} (dashed: how that went on). ` : "";
    return `${beside}Click the chart, or move the slider above: everything on this page follows. Checkpoints stand at equal distances.`;
  }
  return (
    "There is one checkpoint only. A run with checkpoint: {keep_history: log} in its config keeps more, " +
    "and this shows how the answer formed."
  );
}

function draw() {
  find("chart-words").textContent = words();
  find("settled").textContent = answer && !isOld ? tellTime(answer.steps) : "";
  canvas.hidden = state.page.checkpoints.length < 2;
  if (canvas.hidden) return;
  const { context, width, height } = sharp(canvas);
  if (!answer || !width) return;
  const { steps } = answer;
  makePlot(steps, width, height);
  drawAxes(context, width, height, steps);
  const values = valuesAt(steps[0]);
  const faint = Math.min(0.18, 2 / values.length); // hundreds of lines near 0 make no black bar
  values.forEach((_, index) => drawLine(context, steps, index, colours().ink, 1, faint));
  const shown = classColours();
  for (const [index, colour] of shown) drawLine(context, steps, index, colour, 2.5, 1);
  if (answer.left) drawLeft(context, steps, answer.left, shown);
  nameLines(context, steps, shown, width);
  canvas.setAttribute("aria-label", `${tellTime(answer.steps)} Left and right choose the checkpoint`);
}

function makePlot(steps, width, height) {
  const size = rem();
  const all = [...steps, ...(answer.left?.steps ?? [])].flatMap(valuesAt);
  const [least, most] = steps[0].probabilities ? [0, 1] : [Math.min(...all), Math.max(...all)];
  const [left, right] = [3.1 * size, width - 6.5 * size];
  plot = {
    least,
    most,
    left,
    right,
    bottom: height - 1.6 * size,
    top: 0.6 * size,
    x: (index) => left + ((right - left) * index) / Math.max(1, steps.length - 1), // as the slider
    at: (step) => plot.x(indexOf(steps, step)),
    y: (value) => plot.bottom - ((plot.bottom - plot.top) * (value - least)) / (most - least || 1),
  };
}

// The place of an update among the checkpoints, between two of them where there is none.
function indexOf(steps, step) {
  const after = steps.findIndex((one) => one.step >= step);
  if (after <= 0) return after < 0 ? steps.length - 1 : 0;
  const [low, high] = [steps[after - 1].step, steps[after].step];
  return after - (high - step) / (high - low);
}

// The run that was left, dashed from there on, as far as this one goes; a diamond where they part.
function drawLeft(context, steps, left, shown) {
  const end = steps.at(-1).step;
  const start = steps.findLast(({ step }) => step <= left.step);
  const theirs = left.steps.filter(({ step }) => step <= end);
  if (!start) return;
  context.setLineDash([5, 4]);
  for (const [index, colour] of shown) drawLine(context, [start, ...theirs], index, colour, 2, 0.8);
  context.setLineDash([]);
  const size = 0.35 * rem();
  for (const [index, colour] of shown) {
    const [x, y] = [plot.at(start.step), plot.y(valuesAt(start)[index])];
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(x, y - size);
    for (const [right, down] of [
      [size, 0],
      [0, size],
      [-size, 0],
    ])
      context.lineTo(x + right, y + down);
    context.fill();
  }
}

function drawAxes(context, width, height, steps) {
  const { least, most, left, right, bottom, x, y } = plot;
  const percents = Boolean(steps[0].probabilities);
  const { ink, faint } = colours();
  context.font = `${0.82 * rem()}px system-ui, sans-serif`;
  context.fillStyle = ink;
  context.strokeStyle = faint;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of [least, (least + most) / 2, most]) {
    context.strokeRect(left, y(value), right - left, 0);
    context.fillText(percents ? `${Math.round(100 * value)} %` : figures(value, 1), left - 6, y(value));
  }
  context.textBaseline = "alphabetic";
  for (const [share, align] of [
    [0, "left"],
    [0.5, "center"],
    [1, "right"],
  ]) {
    const index = share * (steps.length - 1);
    if (!Number.isInteger(index) && steps.length < 5) continue;
    context.textAlign = align;
    context.fillText(`step ${grouped(steps[Math.round(index)].step)}`, x(Math.round(index)), height - 3);
  }
  const now = steps.findIndex(({ key }) => key === state.checkpoint);
  if (now < 0) return;
  context.strokeStyle = ink;
  context.setLineDash([3, 3]);
  context.strokeRect(x(now), plot.top, 0, bottom - plot.top);
  context.setLineDash([]);
}

function drawLine(context, steps, index, colour, thick, alpha) {
  context.beginPath();
  for (const step of steps) context.lineTo(plot.at(step.step), plot.y(valuesAt(step)[index]));
  [context.strokeStyle, context.lineWidth, context.globalAlpha] = [colour, thick, alpha];
  context.lineJoin = "round";
  context.stroke();
  context.globalAlpha = 1;
}

// Write the names at the lines' ends, moved apart where they would cover each other.
function nameLines(context, steps, shown, width) {
  const size = rem();
  const names = [...shown].map(([index, colour]) => ({
    index,
    colour,
    y: plot.y(valuesAt(steps.at(-1))[index]),
  }));
  names.sort((a, b) => a.y - b.y);
  let free = 0;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.font = `600 ${0.88 * size}px system-ui, sans-serif`;
  for (const { index, colour, y } of names) {
    const at = Math.max(y, free, 0.6 * size);
    free = at + 1.05 * size;
    context.fillStyle = colour;
    context.fillText(className(index), plot.right + 8, at, width - plot.right - 10);
  }
}
