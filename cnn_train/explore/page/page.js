// The page: a network seen from inside, with its program behind it.
//
// The image, the checkpoint and the class may change at any time; whatever depends on them is
// asked again, the quick things first, the slow ones when nothing has changed for a while.

import { askBackward, setUp as setUpBackward } from "./backward.js";
import { askHistory, setUp as setUpChart } from "./chart.js";
import { restore, setUp as setUpChoice } from "./choose.js";
import * as clock from "./clock.js";
import { askEmbedding, setUp as setUpCloud } from "./cloud.js";
import { find } from "./elements.js";
import { askFilters, setUp as setUpForming } from "./forming.js";
import * as guide from "./guide.js";
import { layersInSight, reveal, setUp as setUpNetwork, takeMaps } from "./network.js";
import * as picture from "./picture.js";
import { say, want } from "./questions.js";
import * as scores from "./scores.js";
import { ask } from "./server.js";
import { aboutImage, chooseUnit, isPainted, on, readAddress, state, tell } from "./state.js";
import { askUnit, setUp as setUpUnit } from "./unit.js";

function askLook() {
  if (!state.image) return;
  let version = 0;
  let painted = false;
  const body = () => {
    [version, painted] = [state.version, isPainted(state.image)];
    return { ...aboutImage(), layers: layersInSight() };
  };
  want("look", body, (answer) => {
    state.look = answer;
    if (!painted) state.before = answer;
    takeMaps(answer.maps, state.maps, version);
    tell("look");
    askBackward();
  });
}

function imageChanged() {
  state.version++;
  askLook();
  askUnit();
  askHistory();
  askEmbedding();
}

function checkpointChanged() {
  state.version++;
  state.before = null;
  askLook();
  askUnit();
  askFilters();
  askEmbedding();
}

function connect() {
  picture.setUp();
  setUpNetwork(askLook);
  scores.setUp();
  setUpBackward();
  setUpChoice();
  setUpUnit();
  clock.setUp();
  setUpChart();
  setUpForming();
  setUpCloud();
  guide.setUp();
  on("image pixels", imageChanged);
  on("checkpoint", checkpointChanged);
  addEventListener("hashchange", openAddress);
  addEventListener("keydown", ({ key }) => key === "Escape" && state.unit && chooseUnit(null));
}

function openAddress() {
  const image = readAddress(location.hash.slice(1));
  for (const name of ["open", "class", "checkpoint"]) tell(name);
  showUnit();
  restore(image);
}

// The unit that the address names, if it does, with its layer in sight.
function showUnit() {
  if (state.unit) reveal(state.unit.layer);
  tell("unit");
}

async function openPage() {
  try {
    state.page = await ask("api/page");
  } catch (problem) {
    find("loading").hidden = true;
    say("page", problem.message);
    return;
  }
  const { page } = state;
  document.title = `cnn-train explore: ${page.title}`;
  find("network-name").textContent = `${page.model}, ${page.num_parameters.toLocaleString("en")} parameters`;
  const image = readAddress(location.hash.slice(1));
  find("loading").hidden = true;
  document.querySelector("main").hidden = false;
  connect();
  restore(image);
  askFilters();
  showUnit();
}

openPage();
