// Questions to the program that serves this page. All addresses are relative: the token is part of
// the page's own path.

export class Refused extends Error {}

const GONE =
  "The program behind this page does not answer: it was stopped. Start cnn-train playground again " +
  "and open the address it prints; what stands after the # here is this experiment.";

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(GONE);
  }
  const document = await answer.json();
  if (!answer.ok) throw new Refused(document.error);
  return document;
}

function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const describe = () => ask("api/page");

export const start = (address, place, replaced) =>
  post("api/start", { address, place, replaced });

export const advance = (experiment, steps, place) =>
  post("api/advance", { experiment, steps, place });

// A map comes as base64 of one signed byte per cell: −127 is orange, 127 is blue.
export function unpack(text) {
  return Int8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
