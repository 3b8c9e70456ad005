// The page's questions: one experiment, started and moved on.

import { ask, post } from "./server.js";

export const describe = () => ask("api/page");

export const start = (address, place, replaced) =>
  post("api/start", { address, place, replaced });

export const advance = (experiment, steps, place) =>
  post("api/advance", { experiment, steps, place });
