// The page's colours as canvases need them: read from the style sheet, so that light and dark agree.

let ink, faint, centre, orange, blue, testInk, table;

const dark = matchMedia("(prefers-color-scheme: dark)");

dark.addEventListener("change", read);

export const whenColoursChange = (redraw) => dark.addEventListener("change", redraw);

export const colours = () => ({ ink, faint, centre, orange, blue, testInk });

function read() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(`--${name}`).trim();
  [ink, faint, centre] = [get("ink"), get("faint"), get("centre")];
  [orange, blue, testInk] = [get("orange"), get("blue"), get("test")];
  table = tints(0.6); // points in full colour stay visible on it
}

// The colours [red, green, blue] of -127 to 127; strength: the share of full colour at the ends.
export const tints = (strength) =>
  Array.from({ length: 255 }, (_, i) => mix((i - 127) / 127, strength));

function mix(value, strength) {
  const [from, to] = [parse(centre), parse(value < 0 ? orange : blue)];
  const share = strength * Math.abs(value);
  return from.map((c, i) => Math.round(c + share * (to[i] - c)));
}

const parse = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// Paint a square map, one signed byte per cell, into a canvas of any size.
export function paintMap(canvas, map) {
  const side = Math.round(Math.sqrt(map.length));
  const picture = new ImageData(side, side);
  map.forEach((value, cell) => {
    picture.data.set([...table[value + 127], 255], 4 * cell);
  });
  const cells = new OffscreenCanvas(side, side);
  cells.getContext("2d").putImageData(picture, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.drawImage(cells, 0, 0, canvas.width, canvas.height);
}

export function paintScale(canvas, scale = table) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    const value = Math.round((254 * x) / (canvas.width - 1));
    context.fillStyle = `rgb(${scale[value].join(",")})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}

// The size of the page's type, which grows with the window, in CSS pixels.
export const typeSize = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

// Give a canvas as many pixels as its place on the screen has; return its context in CSS pixels.
export function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}

read();
