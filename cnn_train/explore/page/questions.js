// Questions to the program: one at a time, and of each kind only the latest.

import { button } from "./elements.js";
import { post } from "./server.js";
import { state, tell } from "./state.js";

// The first word is the question; what follows tells apart askers that want an answer each.
const ORDER = [
  "images",
  "images once",
  "images again",
  "file",
  "look",
  "look exact",
  "unit",
  "backward",
  "speakers",
  "backward exact",
  "patches",
  "filters",
  "history",
  "embedding",
];

const wanted = new Map(); // kind: {body, show}
const timers = new Map();
const problems = new Map(); // kind: what is wrong
let busy = false;

const message = document.querySelector("#message");

// body: makes the question's body when it is sent, or null if it needs no answer any more.
// show: gets the answer and the body.
export function want(kind, body, show) {
  clearTimeout(timers.get(kind));
  wanted.set(kind, { body, show });
  work();
}

// The same for a slow question: only once nothing has changed for a while.
export function wantSoon(kind, body, show, milliseconds = 400) {
  clearTimeout(timers.get(kind));
  timers.set(
    kind,
    setTimeout(() => want(kind, body, show), milliseconds),
  );
}

// A slow question about what an element shows: asked only while the element is in sight.
// Returns what to call when the answer would be another one.
export function whenSeen(element, ask) {
  let [seen, stale] = [false, false];
  const update = () => {
    if (seen && stale) {
      stale = false;
      ask();
    }
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      seen = entries.at(-1).isIntersecting;
      update();
    },
    { threshold: 0.1 },
  );
  watcher.observe(element);
  return () => {
    stale = true;
    update();
  };
}

async function work() {
  if (busy) return;
  busy = true;
  document.body.classList.add("waiting");
  for (let kind = next(); kind; kind = next()) {
    const { body, show } = wanted.get(kind);
    wanted.delete(kind);
    const question = body();
    if (!question) continue;
    const { image } = state;
    try {
      const answer = await post(`api/${kind.split(" ")[0]}`, question);
      if (!question.pixels || image === state.image) show(answer, question); // else it is of the image before
      say(kind, "");
    } catch (problem) {
      say(kind, problem.message);
      tell("problem");
    }
  }
  document.body.classList.remove("waiting");
  busy = false;
}

const next = () => ORDER.find((kind) => wanted.has(kind));

// Show what is wrong, in one line, until this kind of question is answered again.
export function say(kind, text) {
  if (text) problems.set(kind, text);
  else problems.delete(kind);
  const [first] = problems.values();
  message.hidden = !first;
  if (!first) message.replaceChildren();
  else if (message.firstChild?.data !== first)
    message.replaceChildren(first, button("×", "Close this message", dismiss));
}

export function dismiss() {
  problems.clear();
  say("", "");
}
