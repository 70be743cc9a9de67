// The latest events of all cameras, with filters.
import { cameraAddress, element, moment, place } from "./dom.js";

const COLUMNS = ["Time", "Camera", "Kind", "What", "Where", "To", "Lasted"];
const FILTERS = [["camera", "Camera"], ["kind", "Kind"], ["label", "Label"], ["region", "Where"]];
const LIMIT = 200, EVERY_MS = 1000;

export class EventsView {
  constructor(main, connection) {
    this.connection = connection;
    this.chosen = {};
    this.selects = new Map(FILTERS.map(([key]) => [key, element("select", { onchange: ({ target }) => { this.chosen[key] = target.value; this.load(); } })]));
    this.body = element("tbody");
    this.empty = element("p", { className: "empty" }, "No events yet.");
    this.table = element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Events" },
      element("table", {}, element("thead", {}, element("tr", {}, ...COLUMNS.map((text) => element("th", { scope: "col" }, text)))), this.body));
    main.append(
      element("h1", {}, "Events"),
      element("div", { className: "filters" }, ...FILTERS.map(([key, title]) => element("label", {}, title, this.selects.get(key)))),
      this.empty, this.table,
    );
    this.refresh = () => { this.timer ??= setTimeout(() => { this.timer = null; this.load(); }, EVERY_MS); };
    connection.addEventListener("events", this.refresh);
    this.load();
  }

  async load() {
    const answers = await Promise.all([this.fetch({}), this.fetch(this.chosen)]);
    if (answers.includes(null)) return;
    const [all, events] = answers;
    for (const [key, select] of this.selects) {
      const values = [...new Set(all.map((event) => event[key]))].sort();
      if (this.chosen[key] && !values.includes(this.chosen[key])) values.push(this.chosen[key]);
      select.replaceChildren(element("option", { value: "" }, "all"), ...values.map((value) => element("option", { value }, value)));
      select.value = this.chosen[key] ?? "";
    }
    this.empty.hidden = events.length > 0;
    this.empty.textContent = all.length ? "No event fits these filters." : "No events yet.";
    this.table.hidden = events.length === 0;
    this.body.replaceChildren(...events.map((event) => this.row(event)));
  }

  row(event) {
    const counts = Object.entries(event.counts ?? {}).map(([label, count]) => `${count} ${label}`).join(", ");
    const lasted = event.duration_s == null ? "goes on" : event.duration_s ? `${event.duration_s.toFixed(1)} s` : "";
    const text = (value) => element("td", { className: "text" }, value);
    return element("tr", {}, element("td", {}, moment(event.start)),
      element("td", { className: "text" }, element("a", { href: cameraAddress(event.camera) }, event.camera)),
      element("td", {}, event.kind), text(counts || event.label), text(place(event)),
      text(event.direction ?? ""), element("td", {}, lasted));
  }

  async fetch(filters) {
    const query = new URLSearchParams({ limit: LIMIT, ...Object.fromEntries(Object.entries(filters).filter(([, value]) => value)) });
    const answer = await fetch(`/api/events?${query}`).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }

  close() {
    clearTimeout(this.timer);
    this.connection.removeEventListener("events", this.refresh);
  }
}
