// Questions to the program that serves this page. All addresses are relative: the token is part of
// the page's own path.

export class Refused extends Error {}

const gone = () =>
  `The program behind this page does not answer: it was stopped. Start ${document.title} again and ` +
  "open the address it prints; what stands after the # here is what this page shows.";

export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(gone());
  }
  const found = await answer.json();
  if (!answer.ok) throw new Refused(found.error);
  return found;
}

export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

// A map comes as base64 of one signed byte per cell: −127 is orange, 127 is blue.
export function unpack(text) {
  return Int8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
