// Past events: filters, a timeline of a day for each camera, and a table that goes on as far back as there are events.
import { ask } from "./ask.js";
import { cameraAddress, element, moment, place } from "./dom.js";
import { EventDialog } from "./event.js";
import { Timeline, dayOf, dayRange, HOUR_S } from "./timeline.js";

const COLUMNS = ["Time", "Camera", "Kind", "What", "Where", "To", "Lasted"];
const FILTERS = [["camera", "Camera"], ["kind", "Kind"], ["label", "What"], ["region", "Where"]];
const LIMIT = 100, EVERY_MS = 1000;

export class EventsView {
  constructor(main, connection) {
    this.connection = connection;
    this.chosen = {};
    this.hour = null; // the beginning of one hour, if only that is shown
    this.selects = new Map(FILTERS.map(([key]) => [key, element("select", { onchange: ({ target }) => { this.chosen[key] = target.value; this.load(); } })]));
    this.day = element("input", { type: "date", onchange: () => this.choose(this.day.value, null) });
    this.all = element("button", { type: "button", onclick: () => this.choose("", null) }, "All times");
    this.table = element("a", { className: "button", download: "events.csv" }, "Export CSV");
    this.timeline = new Timeline((day, hour) => this.choose(day, hour));
    this.body = element("tbody");
    this.empty = element("p", { className: "empty", role: "status" }, "No events yet.");
    this.scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Events" },
      element("table", { className: "events" }, element("thead", {}, element("tr", {}, ...COLUMNS.map((text) => element("th", { scope: "col" }, text)))), this.body));
    this.older = element("button", { type: "button", onclick: () => this.more() }, "Show older events");
    this.fresh = element("button", { type: "button", className: "primary", hidden: true, onclick: () => this.load() }, "Show new events");
    this.source = element("p", { className: "quiet" });
    this.dialog = new EventDialog(main);
    main.append(
      element("h1", {}, "Events"),
      element("div", { className: "filters" }, ...FILTERS.map(([key, title]) => element("label", {}, title, this.selects.get(key))),
        element("label", {}, "Day", this.day), element("span", { className: "actions" }, this.all, this.table)),
      this.timeline.root, this.fresh, this.empty, this.scroll, element("div", { className: "after" }, this.older, this.source),
    );
    this.refresh = () => { this.timer ??= setTimeout(() => { this.timer = null; this.renew(); }, EVERY_MS); };
    connection.addEventListener("events", this.refresh);
    this.load();
  }

  choose(day, hour) {
    this.day.value = day;
    this.hour = hour;
    this.load();
  }

  // What is asked for, without a day if that is not chosen.
  get query() {
    const wanted = Object.entries(this.chosen).filter(([, value]) => value);
    if (this.hour != null) wanted.push(["since", this.hour], ["until", this.hour + HOUR_S]);
    else if (this.day.value) { const [since, until] = dayRange(this.day.value); wanted.push(["since", since], ["until", until]); }
    return Object.fromEntries(wanted);
  }

  renew() {
    if (this.pages > 1) this.fresh.hidden = false; // somebody reads older ones
    else this.load();
  }

  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const [filters, page] = await Promise.all([this.fetch("filters"), this.fetch("events", { ...this.query, limit: LIMIT })]);
    if (turn !== this.turn || !page) return;
    this.fill(filters ?? {});
    this.pages = 1;
    this.fresh.hidden = true;
    this.show(page, true);
    this.table.href = `/api/events.csv?${new URLSearchParams(this.query)}`;
    this.all.disabled = !this.day.value;
    const newest = page.events.find((event) => event.start.at_s != null);
    const day = this.day.value || dayOf(newest?.start.at_s ?? Date.now() / 1000);
    const { since: _since, until: _until, ...others } = this.query;
    const [since, until] = dayRange(day);
    const hours = await this.fetch("hours", { ...others, since, until });
    if (turn === this.turn && hours) this.timeline.show(day, hours.cameras, this.hour);
  }

  async more() {
    const page = await this.fetch("events", { ...this.query, limit: LIMIT, before: this.next });
    if (!page) return;
    this.pages += 1;
    this.show(page, false);
  }

  fill(filters) {
    for (const [key, select] of this.selects) {
      const values = filters[key] ?? [];
      if (this.chosen[key] && !values.includes(this.chosen[key])) values.push(this.chosen[key]);
      select.replaceChildren(element("option", { value: "" }, "all"), ...values.filter((value) => value).map((value) => element("option", { value }, value)));
      select.value = this.chosen[key] ?? "";
    }
    this.dialog.labels = filters.label ?? [];
  }

  show(page, isFirst) {
    const rows = page.events.map((event) => this.row(event));
    if (isFirst) this.body.replaceChildren(...rows);
    else this.body.append(...rows);
    this.next = page.next;
    this.older.hidden = !page.next;
    const isEmpty = isFirst && rows.length === 0;
    this.scroll.hidden = isEmpty;
    this.empty.hidden = !isEmpty;
    this.empty.textContent = Object.keys(this.query).length ? "No event fits these filters." : "No events yet.";
    this.source.textContent = page.source === "memory" ? "Only the latest 1,000 events of this run. A database keeps more: sinks = [\"sqlite:events.db\"] in cameras.toml." : "";
  }

  row(event) {
    const counts = Object.entries(event.counts ?? {}).map(([label, count]) => `${count} ${label}`).join(", ");
    const lasted = event.duration_s == null ? "goes on" : event.duration_s ? `${event.duration_s.toFixed(1)} s` : "";
    const text = (value) => element("td", { className: "text" }, value);
    const open = element("button", { type: "button", className: "link", onclick: () => this.dialog.show(event.event) }, moment(event.start));
    return element("tr", {}, element("td", {}, open),
      element("td", { className: "text" }, element("a", { href: cameraAddress(event.camera) }, event.camera)),
      element("td", {}, event.kind), text(counts || event.label), text(place(event)),
      text(event.direction ?? ""), element("td", {}, lasted));
  }

  async fetch(what, query = {}) {
    const answer = await ask(`/api/${what}?${new URLSearchParams(query)}`);
    if (answer?.ok) return answer.json();
    if (answer && answer.status !== 401) {
      this.empty.textContent = answer.text;
      this.empty.hidden = false;
      this.scroll.hidden = this.older.hidden = true;
    }
    return null;
  }

  close() {
    clearTimeout(this.timer);
    this.dialog.close();
    this.connection.removeEventListener("events", this.refresh);
  }
}
