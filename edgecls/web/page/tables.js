// Facts, tables and numbers of the pages about models and the machine.
import { ask } from "./ask.js";
import { element } from "./dom.js";

export const percent = (share, digits = 1) => (share == null ? "–" : `${(100 * share).toFixed(digits)} %`);
export const whole = (number) => Math.round(number).toLocaleString();
export const when = (at) => (at == null ? "" : new Date(at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
export const counted = (count, one) => `${whole(count)} ${one}${count === 1 ? "" : "s"}`;

// The shortest size that tells enough: 637 kB, 1.2 MB, 71 GB.
export function size(bytes) {
  if (bytes == null) return "–";
  const [value, unit] = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([most]) => bytes >= most * 0.9995) ?? [1, "bytes"];
  const shown = bytes / value;
  return `${shown.toFixed(shown < 9.95 && value > 1 ? 1 : 0)} ${unit}`;
}

// Names and values, without those that have none. A value is a text or an element.
export function facts(pairs) {
  return element("dl", { className: "facts" }, ...pairs.filter(([, value]) => value != null && value !== "")
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

// A table that scrolls sideways where it is too wide, or whose rows become blocks on a phone if it `stacks`. Columns are names, or
// [name, "text" | "number"]; the first column names its row.
export function table(caption, columns, rows, { stacks = false } = {}) {
  const kinds = columns.map((column) => (Array.isArray(column) ? column[1] : "number"));
  const names = columns.map((column) => (Array.isArray(column) ? column[0] : column));
  const cell = (value, i) => element(i ? "td" : "th", { className: kinds[i], "data-label": names[i], ...(i ? {} : { scope: "row" }) }, value ?? "–");
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, element("table", { className: stacks ? "plain stacks" : "plain" },
    element("caption", { className: "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...names.map((name, i) => element("th", { className: kinds[i], scope: "col" }, name)))),
    element("tbody", {}, ...rows.map((row) => {
      const made = element("tr", {}, ...row.cells.map(cell));
      if (row.className) made.className = row.className;
      return made;
    }))));
}

export function folded(summary, ...children) {
  return element("details", {}, element("summary", {}, summary), ...children);
}

// Asks the API. Returns its answer, or { fault } with one line that says what is wrong.
export async function askFor(path, method = "GET", content = null) {
  const options = content === null ? { method } : { method, body: JSON.stringify(content), headers: { "Content-Type": "application/json" } };
  const answer = await ask(path, options);
  if (answer?.ok) return answer.json();
  return { fault: answer ? answer.text.trim() : "There is no connection to the run." };
}

// Calls `update` now and every `everyMs` while the page is visible, until `close`.
export class Refresh {
  constructor(update, everyMs) {
    this.update = update;
    this.everyMs = everyMs;
    this.now();
  }

  async now() {
    clearTimeout(this.timer);
    const turn = (this.turn = (this.turn ?? 0) + 1);
    if (!document.hidden) await this.update();
    if (!this.isClosed && turn === this.turn) this.timer = setTimeout(() => this.now(), this.everyMs);
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
  }
}
