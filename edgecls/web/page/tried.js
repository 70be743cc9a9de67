// What other rules would have made of the last minutes.
import { counted, element, moment, sentence } from "./dom.js";

const MOST_LISTED = 100;

export function tried({ events, before, seconds, frames, notes }) {
  const minutes = seconds < 90 ? `${Math.round(seconds)} seconds` : `${(seconds / 60).toFixed(1)} minutes`;
  const text = frames ? `${counted(events.length, "event")} in the last ${minutes}; ${before} with what is in force.` : "There are no pictures yet.";
  const more = events.length > MOST_LISTED ? element("p", { className: "hint" }, `The first ${MOST_LISTED} are listed.`) : null;
  const list = element("ol", {}, ...events.slice(0, MOST_LISTED).map((event) =>
    element("li", {}, element("div", {}, sentence(event)), element("time", {}, moment(event.start)))));
  return [element("h2", {}, "Test"), element("p", { className: "count", role: "status" }, text), ...notes.map((note) => element("p", { className: "hint" }, note)), more, list].filter(Boolean);
}
