// Whether the world in front of each camera is still the one that its model learned.
import { distances } from "./charts.js";
import { cameraAddress, element } from "./dom.js";
import { folded, percent, table, when } from "./tables.js";

const WHAT = { labels: "Shares of labels", score: "Scores", unknown: "Share of unknown", novelty: "Novelty", training: "Novelty, to the training",
  brightness: "Brightness", sharpness: "Sharpness", scene: "Scene" };
const CHIPS = { drift: "bad", usual: "good", learning: "warn", waiting: "", off: "" };
const DAY_S = 86400;
const name = ({ what, region }) => `${WHAT[what] ?? what}${["frame", "motion"].includes(region) ? "" : ` in ${region}`}`;

function lasting(hours) {
  if (hours >= 48) return `${Math.round(hours / 24)} days`;
  return hours >= 1.5 ? `${Math.round(hours)} hours` : `${Math.max(1, Math.round(hours * 60))} minutes`;
}

export class DriftSection {
  constructor() {
    this.list = element("div", { className: "cards" });
    this.fault = element("p", { className: "error", role: "alert", hidden: true });
    this.root = element("section", { hidden: true, "aria-labelledby": "drift-title" },
      element("h2", { id: "drift-title", className: "part" }, "Drift"),
      element("p", { className: "quiet" }, "Each hour of a camera is compared with its first days. A change that lasts is drift: the world is no longer the one that the model learned."),
      this.fault, this.list);
  }

  show(answer) {
    this.fault.hidden = !answer.fault;
    this.fault.textContent = answer.fault ?? "";
    if (answer.fault) return;
    this.root.hidden = answer.cameras.length === 0;
    const shown = JSON.stringify(answer);
    if (shown === this.shown) return;
    this.shown = shown;
    const open = new Set([...this.list.querySelectorAll("details[open]")].map((one) => one.dataset.key));
    this.list.replaceChildren(...answer.cameras.map((camera) => this.card(camera)));
    for (const one of this.list.querySelectorAll("details")) if (open.has(one.dataset.key)) one.open = true;
  }

  card(drift) {
    const chip = element("span", { className: `chip ${CHIPS[drift.state]}` }, drift.state);
    const found = drift.distances.filter(({ hours }) => hours.length);
    return element("article", { className: "card", "aria-label": `Drift of ${drift.camera}` },
      element("div", { className: "heading" }, element("h3", {}, element("a", { href: cameraAddress(drift.camera) }, drift.camera)), chip),
      element("p", {}, this.sentence(drift)), drift.helps ? element("p", { className: "helps" }, drift.helps) : null,
      found.length ? this.charts(drift, found) : null, found.length ? this.table(drift, found) : null);
  }

  sentence(drift) {
    if (drift.state === "learning") return `Learning what is usual here: ${lasting(drift.left_h)} of ${lasting(drift.learn_h)} to go.`;
    if (drift.state === "usual") return "All is as in the first days.";
    if (drift.state !== "drift") return drift.why;
    const since = drift.since_s == null ? "" : ` since ${when(drift.since_s)}`;
    const where = ["frame", "motion"].includes(drift.region) ? "" : `, most in ${drift.region}`;
    return `Drift${since}: ${drift.cause}, size ${drift.size.toFixed(2)}${where}.`;
  }

  charts(drift, found) {
    const all = found.flatMap(({ hours }) => hours.map(([at]) => at));
    const until = Math.max(...all), since = Math.min(until - DAY_S, Math.min(...all));
    return element("ul", { className: "distances" }, ...found.map((one) => {
      const [, last, limit] = one.hours.at(-1);
      const label = `${name(one)} at ${drift.camera}: ${last.toFixed(2)} now, the limit is ${limit.toFixed(2)}`;
      return element("li", {}, element("span", { className: "what" }, name(one)), distances(one.hours, { since, until, label }),
        element("span", { className: last >= limit ? "beyond" : "quiet" }, `${percent(last / limit, 0)} of the limit`));
    }));
  }

  table(drift, found) {
    const days = [...new Set(found.flatMap(({ hours }) => hours.map(([at]) => new Date(at * 1000).toDateString())))];
    const largest = (hours, day) => hours.filter(([at]) => new Date(at * 1000).toDateString() === day)
      .reduce((best, one) => (best && best[1] / best[2] >= one[1] / one[2] ? best : one), null);
    const rows = found.map((one) => ({ cells: [name(one), ...days.map((day) => {
      const hour = largest(one.hours, day);
      return hour ? `${hour[1].toFixed(2)} of ${hour[2].toFixed(2)}` : "–";
    })] }));
    const columns = [["Compared", "text"], ...days.map((day) => new Date(day).toLocaleDateString([], { dateStyle: "short" }))];
    const made = folded("As a table", element("p", { className: "quiet" }, "The largest distance of each day, of its limit."), table(`Distances at ${drift.camera}`, columns, rows));
    made.dataset.key = drift.camera;
    return made;
  }
}
