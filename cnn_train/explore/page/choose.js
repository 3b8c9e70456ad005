// Where an image comes from: the validation images, a file, the webcam, or an empty page to draw on.

import { isCameraOn, startCamera, stopCamera } from "./camera.js";
import { button, find, make, percent, thumbnail, toBytes, toText } from "./elements.js";
import { DRAWING, useTool } from "./picture.js";
import { dismiss, want, wantSoon } from "./questions.js";
import { className, isPainted, on, state, takeImage, tell } from "./state.js";

const ON_ONE_PAGE = 7;
const USUAL = "as they come";
const KEPT = "cnn-train explore"; // own and changed images outlive a reload of the page

let numOwn = 0;

export function setUp() {
  const { page } = state;
  if (page.split) fillOrders();
  else {
    find("why-no-images").textContent = page.why_no_images;
    find("no-images").hidden = false;
    for (const element of [find("order").closest(".title"), find("shelf")]) element.hidden = true;
  }
  find("order").addEventListener("change", ({ target }) => list(target.value, 0, (images) => images[0]));
  const turn = (by) => () => list(state.list.order, Math.max(0, state.list.from + by * ON_ONE_PAGE));
  find("previous").addEventListener("click", turn(-1));
  find("next").addEventListener("click", turn(1));
  find("file").addEventListener("change", ({ target }) => {
    if (target.files.length) openFile(target.files[0]);
    target.value = "";
  });
  find("blank").addEventListener("click", drawOnBlank);
  find("webcam").addEventListener("click", () => (isCameraOn() ? stopCamera() : startCamera(use)));
  setUpDrop();
  on("image", markChosen);
  on("checkpoint", judgeAgain);
  on("image pixels", keepImage);
}

function fillOrders() {
  const { page } = state;
  const orders = [
    [USUAL, `all ${page.num_images} ${page.split}`],
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

// Ask for a page of thumbnails; pick: which of its images to choose, if any, and how.
function list(order, from, pick = () => null, take = choose) {
  if (!state.page.split) return;
  const body = () => ({ order, from, count: ON_ONE_PAGE, checkpoint: state.checkpoint });
  want("images", body, ({ images, total }) => {
    const picked = pick(images);
    if (picked) take(picked);
    state.list = { order, from };
    find("order").value = order;
    find("thumbnails").replaceChildren(...images.map(thumb));
    find("previous").disabled = from === 0;
    find("next").disabled = from + ON_ONE_PAGE >= total;
    find("next").title = `${from + 1} to ${from + images.length} of ${total}`;
    if (!total) find("thumbnails").append(make("p", "hint", "There are none."));
    markChosen();
    tell("list");
  });
}

// Show the image with an index as it was left, and a row of images: its neighbours, or another.
export function showImage(index, { order, from } = { order: USUAL }) {
  const take = (found) => {
    stopCamera();
    const [image, saved] = [imageOf(found), kept(index)];
    const isSame = saved && toText(saved.original) === found.pixels;
    use(isSame ? { ...image, pixels: saved.pixels } : image);
  };
  const pick = (images) => {
    const found = images.find((image) => image.index === index);
    const body = () => ({ order: USUAL, from: index, count: 1, checkpoint: state.checkpoint });
    if (!found) want("images", body, (answer) => take(answer.images[0]));
    return found;
  };
  list(order, order === USUAL ? index - (index % ON_ONE_PAGE) : from, pick, take);
}

// The same row, as another checkpoint answers.
function judgeAgain() {
  const body = () => {
    const shown = [...find("thumbnails").querySelectorAll("button")];
    const indices = shown.map(({ dataset }) => Number(dataset.index));
    return indices.length > 0 && { indices, checkpoint: state.checkpoint };
  };
  wantSoon("images again", body, ({ images }) => {
    find("thumbnails").replaceChildren(...images.map(thumb));
    markChosen();
  });
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

function choose(image) {
  stopCamera();
  use(imageOf(image));
}

const imageOf = ({ index, label, pixels }) => ({
  key: index,
  index,
  label,
  name: `image ${index}`,
  original: toBytes(pixels),
});

function use({ key, index = null, label = null, name, original, pixels = original, preview = null }) {
  dismiss();
  key ??= `own${++numOwn}`;
  takeImage({ key, index, label, name, pixels: pixels.slice(), original, preview });
}

function markChosen() {
  for (const element of find("thumbnails").querySelectorAll("button")) {
    element.setAttribute("aria-pressed", Number(element.dataset.index) === state.image?.index);
  }
}

// Show the image that the address names: a number, or "own" and a number, which the browser has kept.
export function restore(named) {
  const { page } = state;
  const isOwn = (named?.startsWith("own") && useKept(named)) || (named === null && page.image && !state.image);
  if (named === null && isOwn) useFile(page.image);
  if (!page.split && !isOwn) {
    if (state.image) takeImage(state.image);
    else drawOnBlank();
  }
  if (!page.split) return;
  if (isOwn) list(state.list.order, state.list.from);
  else showImage(Math.max(0, Math.min(Number(named) || 0, page.num_images - 1)), state.list);
}

// The image that the browser has kept under a key; of a validation image, only what was painted.
function kept(key) {
  const { name, pixels, original } = JSON.parse(sessionStorage.getItem(`${KEPT} ${key}`) ?? "{}");
  if (!pixels || toBytes(pixels).length !== 3 * state.page.side ** 2) return null;
  return { name, pixels: toBytes(pixels), original: toBytes(original) };
}

function useKept(key) {
  const image = kept(key);
  numOwn = Math.max(numOwn, Number(key.slice(3)) || 0);
  if (image) {
    stopCamera();
    use({ key, ...image });
  }
  return image;
}

function keepImage() {
  const { image } = state;
  if (!image) return;
  const { key, index, name, pixels, original } = image;
  const place = `${KEPT} ${key}`;
  sessionStorage.removeItem(place);
  if (index !== null && !isPainted(image)) return;
  const text = JSON.stringify({ name, pixels: toText(pixels), original: toText(original) });
  try {
    sessionStorage.setItem(place, text);
  } catch {
    sessionStorage.clear(); // too much for the browser: keep the latest alone, if it fits
    try {
      sessionStorage.setItem(place, text);
    } catch {
      // a reload shows another image
    }
  }
}

async function openFile(file) {
  stopCamera();
  const content = toText(new Uint8Array(await file.arrayBuffer()));
  want("file", () => ({ name: file.name, content }), useFile);
}

const useFile = ({ name, pixels, preview }) => use({ name, original: toBytes(pixels), preview });

function drawOnBlank() {
  stopCamera();
  const pixels = new Uint8Array(3 * state.page.side ** 2).fill(255);
  use({ name: DRAWING, original: pixels });
  useTool("brush");
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
