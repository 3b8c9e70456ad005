"use strict";
// Plays the events of a graph: values appear, slopes travel, and a reader may fill them in first.
const data = JSON.parse(document.getElementById("events").textContent);
const get = (id) => document.getElementById(id), svg = get("graph");
const narrow = matchMedia("(max-width: 640px)"), still = matchMedia("(prefers-reduced-motion)");
const WIDTH = 164, HEIGHT = 92, PORT = 34;
let events = data.passes[0].events, at = 0, answers = new Map(), moving = 0;

const digits = (number, most = 7) => String(Number(number.toPrecision(most)));

function add(parent, tag, attributes, text = "") {
  const made = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  made.textContent = text;
  return made;
}

function write(line, text, room = WIDTH - 12) { // squeezed where it is too long
  line.textContent = text;
  line.removeAttribute("textLength");
  if (line.getComputedTextLength() > room) line.setAttribute("textLength", room);
}

function place([column, row]) { // from left to right; in a narrow window from top to bottom
  return narrow.matches ? [row * (WIDTH + 12), column * 168] : [column * 280, row * 122];
}

function way(edge) { // straight through the columns that it passes, smooth between them
  const middle = edge.points.map(place), main = narrow.matches ? 1 : 0;
  const half = (main ? HEIGHT : WIDTH) / 2;
  const beside = (point, step, across = 0) => point.map((x, i) => x + (i === main ? step : across));
  const rivals = data.edges.filter((other) => other.to === edge.to).sort(
    (a, b) => a.points.at(-2)[1] - b.points.at(-2)[1]);
  const port = PORT * (rivals.indexOf(edge) - (rivals.length - 1) / 2);
  const inner = middle.slice(1, -1).flatMap((point) => [beside(point, -half), beside(point, half)]);
  const points = [beside(middle[0], half), ...inner, beside(middle.at(-1), -half, port)];
  return points.reduce((path, [x, y], i) => {
    if (i === 0) return `M${x} ${y}`;
    const [x0, y0] = points[i - 1];
    return path + (main ? `C${x0} ${(y0 + y) / 2} ${x} ${(y0 + y) / 2} ${x} ${y}`
                        : `C${(x0 + x) / 2} ${y0} ${(x0 + x) / 2} ${y} ${x} ${y}`);
  }, "");
}

function draw() {
  svg.replaceChildren();
  for (const edge of data.edges) {
    edge.line = add(svg, "path", { d: way(edge), class: "edge" });
    edge.label = add(svg, "text", { class: "slope part" });
    const { x, y } = edge.line.getPointAtLength(edge.line.getTotalLength() - 46);
    edge.label.setAttribute("x", x);
    edge.label.setAttribute("y", y + 5);
  }
  for (const box of data.boxes) {
    const [x, y] = place(box.at);
    box.group = add(svg, "g", { transform: `translate(${x} ${y})`, class: `box ${box.kind}` });
    add(box.group, "rect", { x: -WIDTH / 2, y: -HEIGHT / 2, width: WIDTH, height: HEIGHT, rx: 10 });
    const line = (y, kind) =>
      add(box.group, "text", { y, class: kind, lengthAdjust: "spacingAndGlyphs" });
    write(line(-24, "symbol"), box.symbol);
    write(line(-5, "formula"), box.formula);
    box.value = line(15, "value");
    box.slope = line(35, "slope");
  }
  const { x, y, width, height } = svg.getBBox();
  svg.setAttribute("viewBox", `${x - 6} ${y - 6} ${width + 12} ${height + 12}`);
  svg.style.width = `${width + 12}px`;
  svg.style.minWidth = `${0.8 * width}px`; // below, it is scrolled
  show();
}

const asks = (event) => event && get("quiz").checked && event.last && !answers.has(event);
const hidden = (event) => event.last === false && get("quiz").checked
  && !events.some((other) => other.last && other.node === event.node && answers.has(other));

function show() {
  for (const box of data.boxes) {
    box.value.textContent = box.slope.textContent = "";
    box.group.classList.remove("now");
  }
  for (const edge of data.edges) edge.label.textContent = "";
  for (const event of events.slice(0, at)) {
    const box = data.boxes[event.node], number = hidden(event) ? "?" : digits(event.number);
    write(box[event.slot], `${event.name} = ${number}`);
    if (event.edge !== undefined)
      data.edges[event.edge].label.textContent = hidden(event) ? "?" : digits(event.part, 4);
  }
  const event = events[at - 1], next = events[at];
  if (event) mark(data.boxes[event.node].group);
  get("say").textContent = event ? tell({ ...event, quiet: hidden(event) }) : "Press “Forward”.";
  get("ask").hidden = !asks(next);
  if (asks(next)) {
    const parts = events.filter((one) => one.node === next.node && one.slot === next.slot);
    get("name").textContent = `${next.name} = ${parts.map((one) => one.rule).join(" + ")} = `;
  }
  get("back").disabled = at === 0;
  get("forward").disabled = at === events.length;
  const told = [...answers.values()];
  const score = `${told.filter(Boolean).length} of ${told.length} right`;
  get("score").textContent = told.length ? score : "";
}

function mark(group) { // and scroll to it
  group.classList.add("now");
  const [box, window] = [group, svg.parentElement].map((one) => one.getBoundingClientRect());
  if (box.left < window.left || box.right > window.right)
    svg.parentElement.scrollLeft += box.left - window.left - window.width / 3;
}

function tell({ name, rule, number, part, ...event }) {
  if (part === undefined) return `${name} = ${rule} = ${digits(number)}`;
  if (event.quiet) return `${name} += ${rule}`;
  return `${name} += ${rule} = ${digits(part)}; so far ${name} = ${digits(number)}`;
}

function forward() {
  cancelAnimationFrame(moving);
  if (at === events.length || asks(events[at])) return get("answer").focus();
  const event = events[at], line = data.edges[event.edge]?.line;
  const finish = () => { svg.querySelector(".token")?.remove(); at += 1; moving = 0; show(); };
  if (svg.querySelector(".token")) return finish(); // pressed again: no need to wait
  if (!line || event.part === undefined || still.matches) return finish();
  const token = add(svg, "circle", { r: 7, class: "token" }), length = line.getTotalLength();
  const begun = performance.now();
  const step = (now) => {
    const share = Math.min((now - begun) / 600, 1);
    const { x, y } = line.getPointAtLength(length * (1 - share));
    token.setAttribute("transform", `translate(${x} ${y})`);
    if (share === 1) return finish();
    moving = requestAnimationFrame(step);
  };
  moving = requestAnimationFrame(step);
}

function go(to) {
  cancelAnimationFrame(moving);
  svg.querySelector(".token")?.remove();
  at = Math.max(to, 0);
  get("verdict").textContent = "";
  show();
}

function judge(event) {
  event.preventDefault();
  const next = events[at], text = get("answer").value.trim().replace(",", ".").replace("−", "-");
  if (text === "" || Number.isNaN(Number(text))) {
    get("verdict").textContent = "Write a number, e.g. 2.5.";
    return;
  }
  const isRight = Math.abs(Number(text) - next.number) <= 0.01 * Math.abs(next.number) + 1e-9;
  get("verdict").textContent = (isRight ? "Right: " : "Not quite: ")
    + `${next.name} = ${digits(next.number)}`;
  get("verdict").className = isRight ? "right" : "wrong";
  get("answer").value = "";
  answers.set(next, isRight);
  forward();
}

get("forward").onclick = () => { get("verdict").textContent = ""; forward(); };
get("back").onclick = () => go(at - 1);
get("start").onclick = () => { answers = new Map(); go(0); };
get("quiz").onchange = () => { answers = new Map(); go(at); };
get("ask").onsubmit = judge;
get("pass").onchange = () => { events = data.passes[get("pass").value].events; get("start").click(); };
data.passes.forEach(({ title }, i) => get("pass").add(new Option(title, i)));
get("pass").hidden = data.passes.length === 1;
document.addEventListener("keydown", ({ key, target }) => {
  if (target.matches("input[type=text], select")) return;
  if (key === "ArrowRight") get("forward").click();
  if (key === "ArrowLeft") get("back").click();
});
narrow.onchange = draw;
draw();
