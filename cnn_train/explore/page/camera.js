// The webcam as the image.

import { find } from "./elements.js";
import { say } from "./questions.js";
import { state, tell } from "./state.js";

let camera = null; // {stream, video, timer}
let starting = false;

export const isCameraOn = () => camera !== null;

// Let the webcam be the image; use: makes a first picture the page's image.
export async function startCamera(use) {
  if (starting) return;
  starting = true;
  const { image } = state;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    if (state.image !== image) return stream.getTracks().forEach((track) => track.stop());
    camera = { stream, video, timer: setInterval(() => takeFrame(use), 100) };
  } catch (problem) {
    const why =
      problem.name === "NotAllowedError"
        ? "The browser was not allowed to use the camera"
        : "No camera was found";
    say("camera", `${why}; open a file instead, or draw.`);
    setTimeout(() => say("camera", ""), 8000);
  } finally {
    starting = false;
  }
  showCamera();
}

// The largest square in the middle of what the camera sees, as small as the network wants it.
function takeFrame(use) {
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
  if (state.image?.name !== "your camera") use({ name: "your camera", original: new Uint8Array(pixels) });
  state.image.original = new Uint8Array(pixels);
  state.image.pixels = new Uint8Array(pixels);
  tell("pixels");
}

export function stopCamera() {
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
