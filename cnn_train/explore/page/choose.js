// Where an image comes from: the validation images, a file, the webcam, or an empty page to draw on.

import { button, find, make, percent, thumbnail, toBytes, toText } from "./elements.js";
import { say, want } from "./questions.js";
import { className, on, state, tell } from "./state.js";

const ON_ONE_PAGE = 7;
const KEPT = "cnn-train explore image"; // an own image outlives a reload of the page

let from = 0;
let total = 0;
let camera = null; // {stream, video, timer}

export function setUp() {
  const { page } = state;
  if (page.split) fillOrders();
  else {
    find("why-no-images").textContent = page.why_no_images;
    find("no-images").hidden = false;
    for (const element of [find("order").closest(".title"), find("shelf")]) element.hidden = true;
  }
  find("order").addEventListener("change", () => list(0));
  find("previous").addEventListener("click", () => list(Math.max(0, from - ON_ONE_PAGE)));
  find("next").addEventListener("click", () => list(from + ON_ONE_PAGE));
  find("file").addEventListener("change", ({ target }) => {
    if (target.files.length) openFile(target.files[0]);
    target.value = "";
  });
  find("blank").addEventListener("click", drawOnBlank);
  find("webcam").addEventListener("click", () => (camera ? stopCamera() : startCamera()));
  setUpDrop();
  on("image", markChosen);
  on("image pixels", keepOwn);
}

function fillOrders() {
  const { page } = state;
  const orders = [
    ["as they come", `all ${page.num_images} ${page.split}`],
    ["mistakes", "most confident mistakes"],
  ];
  const group = make(
    "optgroup",
    "",
    page.classes.map((name) => new Option(name, name)),
    { label: "only" },
  );
  find("order").append(...orders.map(([value, text]) => new Option(text, value)), group);
}

// Ask for a page of thumbnails; which: choose the image with this index, or the first one.
function list(start, which = null) {
  if (!state.page.split) return;
  const order = find("order").value;
  const body = () => ({ order, from: start, count: ON_ONE_PAGE, checkpoint: state.checkpoint });
  want("images", body, (answer) => {
    [from, total] = [start, answer.total];
    find("thumbnails").replaceChildren(...answer.images.map(thumb));
    find("previous").disabled = from === 0;
    find("next").disabled = from + ON_ONE_PAGE >= total;
    find("next").title = `${from + 1} to ${from + answer.images.length} of ${total}`;
    if (!total) find("thumbnails").append(make("p", "hint", "There are none."));
    const wanted = answer.images.find(({ index }) => index === which);
    if (which !== null && (wanted ?? answer.images[0])) choose(wanted ?? answer.images[0]);
    markChosen();
  });
}

// Show the image with an index, and its neighbours in the row.
export function showImage(index) {
  find("order").value = "as they come";
  list(index - (index % ON_ONE_PAGE), index);
}

function thumb(image) {
  const wrong = image.predicted !== image.label;
  const label =
    `${className(image.label)}, number ${image.index}` +
    (wrong
      ? `, taken for ${className(image.predicted)}` +
        (image.probability === null ? "" : ` (${percent(image.probability)})`)
      : "");
  const element = button(
    thumbnail(toBytes(image.pixels), state.page.side),
    label,
    () => choose(image),
    wrong ? "wrong" : "",
  );
  element.dataset.index = image.index;
  return element;
}

function choose({ index, label, pixels }) {
  stopCamera();
  use({ index, label, name: `image ${index}`, pixels: toBytes(pixels) });
}

function use({ index = null, label = null, name, pixels, original = pixels, preview = null }) {
  state.image = { index, label, name, pixels: pixels.slice(), original, preview };
  state.before = null;
  tell("image");
}

function markChosen() {
  for (const element of find("thumbnails").querySelectorAll("button")) {
    element.setAttribute("aria-pressed", Number(element.dataset.index) === state.image?.index);
  }
}

// Show the image that the address names: a number, or "own", which the browser has kept.
export function restore(named) {
  const { page } = state;
  const isOwn = (named === "own" && useKept()) || (named === null && page.image && !state.image);
  if (named === null && isOwn) useFile(page.image);
  if (!page.split && !isOwn && !state.image) drawOnBlank();
  if (!page.split) return;
  if (isOwn) list(0);
  else showImage(Math.max(0, Math.min(Number(named) || 0, page.num_images - 1)));
}

function useKept() {
  const { name, pixels, original } = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  if (!pixels || toBytes(pixels).length !== 3 * state.page.side ** 2) return false;
  use({ name, pixels: toBytes(pixels), original: toBytes(original) });
  return true;
}

function keepOwn() {
  if (!state.image || state.image.index !== null) return;
  const { name, pixels, original } = state.image;
  try {
    sessionStorage.setItem(
      KEPT,
      JSON.stringify({ name, pixels: toText(pixels), original: toText(original) }),
    );
  } catch {
    sessionStorage.removeItem(KEPT); // too large for the browser: a reload shows another image
  }
}

async function openFile(file) {
  stopCamera();
  const content = toText(new Uint8Array(await file.arrayBuffer()));
  want("file", () => ({ name: file.name, content }), useFile);
}

const useFile = ({ name, pixels, preview }) => use({ name, pixels: toBytes(pixels), preview });

function drawOnBlank() {
  stopCamera();
  const pixels = new Uint8Array(3 * state.page.side ** 2).fill(255);
  use({ name: "your drawing", pixels });
  document.querySelector("[data-tool=brush]:not([aria-pressed=true])")?.click();
}

function setUpDrop() {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    find("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) find("drop").hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    find("drop").hidden = true;
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
  });
}

async function startCamera() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    camera = { stream, video, timer: setInterval(takeFrame, 100) };
  } catch (problem) {
    const why =
      problem.name === "NotAllowedError"
        ? "The browser was not allowed to use the camera"
        : "No camera was found";
    say("camera", `${why}; open a file instead, or draw.`);
    setTimeout(() => say("camera", ""), 8000);
  }
  showCamera();
}

// The largest square in the middle of what the camera sees, as small as the network wants it.
function takeFrame() {
  const { video } = camera;
  if (!video.videoWidth) return;
  const { side } = state.page;
  const part = Math.min(video.videoWidth, video.videoHeight);
  const [left, top] = [(video.videoWidth - part) / 2, (video.videoHeight - part) / 2];
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(video, left, top, part, part, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side);
  const pixels = data.filter((_, at) => at % 4 !== 3);
  if (state.image?.name !== "your camera") use({ name: "your camera", pixels: new Uint8Array(pixels) });
  state.image.original = new Uint8Array(pixels);
  state.image.pixels = new Uint8Array(pixels);
  tell("pixels");
}

function stopCamera() {
  if (!camera) return;
  clearInterval(camera.timer);
  for (const track of camera.stream.getTracks()) track.stop();
  camera = null;
  showCamera();
}

function showCamera() {
  find("webcam").textContent = camera ? "Take it" : "Webcam";
  find("webcam").setAttribute("aria-pressed", camera !== null);
}
