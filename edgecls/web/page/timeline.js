// How many events each camera had in each hour of a day. Each bar is a button: left and right go from hour to hour.
import { element } from "./dom.js";

export const HOUR_S = 3600;
const two = (number) => String(number).padStart(2, "0");
const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

// The day of a time, as the browser's date input writes it, in the time zone of the browser.
export function dayOf(at) {
  const date = new Date(at * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

// When a day begins and ends; twice a year it has 23 or 25 hours.
export function dayRange(day) {
  const [year, month, date] = day.split("-").map(Number);
  return [new Date(year, month - 1, date), new Date(year, month - 1, date + 1)].map((one) => one.getTime() / 1000);
}

export class Timeline {
  // `onChoose` is called with a day, and the beginning of an hour or null.
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.title = element("h2", { id: "timeline-title" });
    this.before = element("button", { type: "button", "aria-label": "Day before", onclick: () => this.step(-1) }, "‹");
    this.after = element("button", { type: "button", "aria-label": "Day after", onclick: () => this.step(1) }, "›");
    this.rows = element("div", { className: "rows" });
    this.root = element("section", { className: "timeline", "aria-labelledby": "timeline-title", hidden: true },
      element("div", { className: "heading" }, this.before, this.title, this.after), this.rows);
  }

  step(days) {
    const [year, month, date] = this.day.split("-").map(Number);
    this.onChoose(dayOf(new Date(year, month - 1, date + days, 12).getTime() / 1000), null);
  }

  show(day, cameras, hour) {
    this.day = day;
    const [since] = dayRange(day);
    const most = Math.max(1, ...Object.values(cameras).flat());
    const focused = this.rows.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    this.title.textContent = new Date((since + 12 * HOUR_S) * 1000).toLocaleDateString([], { dateStyle: "full" });
    const rows = Object.entries(cameras).map(([camera, counts]) => this.row(camera, counts, { since, most, hour }));
    this.root.hidden = rows.length === 0 && this.rows.childElementCount === 0;
    this.rows.replaceChildren(...(rows.length ? [...rows, this.scale(since)] : [element("p", { className: "quiet" }, "No events on this day.")]));
    if (focused) [...this.rows.querySelectorAll("button")].find((one) => one.dataset.at === focused)?.focus();
  }

  row(camera, counts, { since, most, hour }) {
    const bars = counts.map((count, i) => {
      const at = since + i * HOUR_S;
      const what = `${camera}, ${clock(at)} to ${clock(at + HOUR_S)}: ${count} ${count === 1 ? "event" : "events"}`;
      const fill = element("span", { className: "fill" });
      fill.style.height = count ? `${Math.max(8, Math.round((100 * count) / most))}%` : "0";
      const bar = element("button", {
        type: "button", className: "bar", title: what, "aria-label": what, "aria-pressed": String(hour === at), tabIndex: -1,
        onclick: () => this.onChoose(this.day, hour === at ? null : at),
      }, fill);
      bar.dataset.at = `${camera} ${at}`;
      return bar;
    });
    (bars.find((bar) => bar.getAttribute("aria-pressed") === "true") ?? bars[0]).tabIndex = 0;
    const group = element("div", { className: "bars", role: "group", "aria-label": `Events of ${camera} by hour` }, ...bars);
    group.addEventListener("keydown", (event) => {
      const now = bars.indexOf(document.activeElement);
      const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: bars.length - 1 }[event.key];
      if (next === undefined || !bars[next]) return;
      event.preventDefault();
      for (const bar of bars) bar.tabIndex = -1;
      bars[next].tabIndex = 0;
      bars[next].focus();
    });
    const sum = counts.reduce((all, one) => all + one, 0);
    return element("div", { className: "row" }, element("span", { className: "name", title: camera }, camera), group,
      element("span", { className: "sum" }, String(sum)));
  }

  scale(since) {
    const marks = [0, 6, 12, 18].map((i) => element("span", {}, clock(since + i * HOUR_S)));
    return element("div", { className: "row scale", "aria-hidden": "true" }, element("span"), element("div", { className: "marks" }, ...marks), element("span"));
  }
}
