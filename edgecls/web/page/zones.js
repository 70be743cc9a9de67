// The editor of a camera: zones, lines and areas on the picture, rules beside it, and what is done with them.
import { ask } from "./ask.js";
import { element } from "./dom.js";
import { Drawing } from "./drawing.js";
import { field, table } from "./forms.js";
import { HINTS, KINDS, LEFT_AFTER_S, drawnOf, isPlain, writtenOf } from "./shapes.js";
import { tried } from "./tried.js";

const LOOKS = [["state", "state: what it shows as a whole"], ["objects", "objects: what moves in it"]];

export class ZonesEditor {
  // `tile` shows the picture, `side` is where the forms go, `onClose` is called when the editor is left.
  constructor(tile, side, { name, size, onClose }) {
    Object.assign(this, { tile, side, name, size, onClose });
    this.shapes = [];
    this.rules = {};
    this.drawing = new Drawing(tile.screen);
    this.drawing.addEventListener("select", ({ detail }) => this.showForms(detail));
    this.drawing.addEventListener("change", () => this.changed());
    this.drawing.addEventListener("added", ({ detail }) => this.added(detail));
    this.drawing.addEventListener("remove", ({ detail }) => this.remove(detail));
    this.drawing.addEventListener("hint", ({ detail }) => { this.hint.textContent = detail; });
    this.hint = element("p", { className: "hint", role: "status" });
    this.tools = element("div", { className: "tools", role: "group", "aria-label": "Draw" },
      ...Object.entries(KINDS).map(([kind, title]) => element("button", { type: "button", onclick: (event) => this.drawing.begin(kind, event.detail === 0) }, `+ ${title}`)));
    this.list = element("ul", { className: "shapes", "aria-label": "Zones, lines and areas" });
    this.forms = element("div", { className: "forms" });
    this.said = element("p", { className: "said", role: "status" });
    this.fault = element("div", { className: "error", role: "alert", hidden: true });
    this.found = element("div", { className: "found" });
    this.buttons = Object.fromEntries([["save", "Save"], ["test", "Test"], ["discard", "Discard"], ["undo", "Undo the last change"], ["close", "Close"]]
      .map(([key, title]) => [key, element("button", { type: "button", onclick: () => this[key]() }, title)]));
    this.buttons.save.className = "primary";
    this.buttons.test.title = "How many events these zones, lines and rules would have given on the last minutes";
    const { save, test, discard, undo, close } = this.buttons;
    this.root = element("section", { className: "side editor", "aria-label": "Zones and rules" },
      element("div", { className: "title" }, element("h2", {}, "Zones and rules"), close), this.tools, this.hint, this.list, this.forms,
      element("div", { className: "tools" }, save, test, discard, undo), this.said, this.fault, this.found);
    this.onLeave = (event) => { if (this.isChanged) event.preventDefault(); };
    window.addEventListener("beforeunload", this.onLeave);
    this.onLink = (event) => {
      if (this.isChanged && event.target.closest("a[href]") && !window.confirm("Discard the changes?")) event.preventDefault();
    };
    document.addEventListener("click", this.onLink, true);
    this.onKey = (event) => {
      if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.target.closest("input, select")) return;
      event.preventDefault();
      this.back();
    };
    document.addEventListener("keydown", this.onKey);
    side.append(this.root);
    tile.overlay.isEdited = true;
    this.load();
  }

  // Zones can be drawn as soon as the size of the picture is known.
  resize(size) {
    if (!size || String(size) === String(this.size)) return;
    this.size = size;
    this.drawing.use(this.shapes, size);
    this.showButtons();
  }

  async load() {
    const [answer, schema] = await Promise.all([this.ask("GET", `camera/${encodeURIComponent(this.name)}`), this.ask("GET", "schema")]);
    if (this.isClosed) return;
    if (schema) { this.defs = schema.$defs; this.schema = schema.properties; }
    if (answer && schema) this.use(answer);
    else this.tools.hidden = true;
  }

  use(answer) {
    const { kind, value } = this.drawing.selected ?? {};
    this.kept = answer;
    Object.assign(this, drawnOf(answer));
    this.isChanged = false;
    this.history = [];
    this.present = this.snapshot();
    this.found.replaceChildren();
    this.drawing.selected = null;
    this.drawing.use(this.shapes, this.size);
    const isClosed = answer.why !== "";
    this.tools.hidden = isClosed;
    if (isClosed) this.complain(answer.why);
    const same = this.shapes.find((one) => value?.name && one.kind === kind && one.value.name === value.name) ?? null;
    this.drawing.select(same);
  }

  // Sends a request; returns null after it has said why there is no answer.
  async ask(method, path, body) {
    this.complain("");
    const answer = await ask(`/api/config/${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (answer?.ok) return answer.json();
    const text = answer ? answer.text.trim() : "There is no connection to the run; nothing has changed.";
    this.complain(text, answer?.status === 409);
    return null;
  }

  complain(text, isOld = false) {
    this.fault.hidden = text === "";
    const again = element("button", { type: "button", onclick: () => { this.say(""); this.load(); } }, "Load it anew");
    this.fault.replaceChildren(element("p", {}, text), ...(isOld ? [again] : []));
  }

  say(text) { this.said.textContent = text; }

  get change() { return { hash: this.kept.hash, ...writtenOf(this.shapes, this.rules) }; }

  added(shape) {
    if (shape.kind === "left") this.rules.left ??= { after_s: LEFT_AFTER_S };
    if (!isPlain(shape.kind)) {
      const names = new Set(this.shapes.map((one) => one.value.name));
      let number = 1;
      while (names.has(`${shape.kind} ${number}`)) number += 1;
      shape.value.name = `${shape.kind} ${number}`;
    }
    if (shape.kind === "zone" && this.follows()) shape.value.look = "objects";
    this.shapes.push(shape);
    this.drawing.use(this.shapes, this.size);
    this.changed();
  }

  remove(shape) {
    this.shapes.splice(this.shapes.indexOf(shape), 1);
    this.drawing.use(this.shapes, this.size);
    this.drawing.select(null);
    this.changed();
    this.showForms(null);
    this.tools.querySelector("button").focus();
  }

  snapshot() { return structuredClone({ shapes: this.shapes, rules: this.rules }); }

  // Takes back what was drawn or set last (Ctrl+Z).
  back() {
    const before = this.history.pop();
    if (!before) return;
    Object.assign(this, structuredClone(before));
    this.present = before;
    this.drawing.selected = null;
    this.drawing.use(this.shapes, this.size);
    this.isChanged = this.history.length > 0;
    this.showForms(null);
  }

  changed() {
    this.isChanged = true;
    this.history.push(this.present);
    this.present = this.snapshot();
    this.say("");
    this.found.replaceChildren(); // they are of what was drawn before
    this.showButtons();
    if (this.listed !== this.shapes.length) this.showList();
  }

  showButtons() {
    const isClosed = !this.kept || this.kept.why !== "";
    const { save, test, discard, undo } = this.buttons;
    save.disabled = discard.disabled = isClosed || !this.isChanged || this.isBusy;
    test.disabled = !this.kept || this.isBusy;
    for (const tool of this.tools.children) tool.disabled = !this.size;
    if (!this.size) this.hint.textContent = "Zones and lines can be drawn as soon as there is a picture.";
    else if (this.hint.textContent.startsWith("Zones and lines can")) this.hint.textContent = "";
    undo.disabled = isClosed || this.isChanged || !this.kept.can_undo || this.isBusy;
  }

  showList() {
    this.listed = this.shapes.length;
    const entry = (shape, kind, name) => element("li", {}, element("button", {
      type: "button", className: "shape-name", "aria-pressed": String(shape === this.drawing.selected), onclick: () => this.drawing.select(shape),
    }, element("span", { className: "kind" }, kind), element("span", { className: "own-name" }, name)));
    const entries = this.shapes.map((shape) => entry(shape, KINDS[shape.kind], shape.value.name ?? ""));
    const empty = this.shapes.length ? [] : [element("li", { className: "quiet" }, "Nothing is drawn here yet.")];
    this.list.replaceChildren(entry(null, "Camera", "Rules"), ...entries, ...empty);
  }

  showForms(shape) {
    this.showList();
    this.showButtons();
    if (!this.schema) return;
    const rules = [this.camera()];
    this.forms.replaceChildren(...(shape ? [this.formOf(shape)] : rules));
  }

  // The fields of one zone, line or area.
  formOf(shape) {
    const remove = element("button", { type: "button", className: "bad", onclick: () => this.remove(shape) }, `Remove this ${KINDS[shape.kind].toLowerCase()}`);
    const box = element("fieldset", {}, element("legend", {}, KINDS[shape.kind]));
    if (isPlain(shape.kind)) box.append(element("p", { className: "hint" }, HINTS[shape.kind]));
    else box.append(...this.fieldsOf(shape));
    if (shape.kind === "left") box.append(this.tableOf("Objects left behind or removed", this.schema.left, this.rules, "left"));
    box.append(element("p", { className: "hint" }, "Tab goes to the corners, arrow keys move a corner, + adds one, Delete removes it."), remove);
    return box;
  }

  fieldsOf(shape) {
    const { properties } = this.defs[shape.kind === "zone" ? "Zone" : "CountingLine"];
    const one = (key, options) => field(key, properties[key], shape.value[key], (value) => {
      if (value === undefined) delete shape.value[key]; else shape.value[key] = value;
      if (key === "name") { shape.value.name ??= ""; this.showList(); }
      this.drawing.draw();
      this.changed();
    }, options);
    if (shape.kind === "line") return [one("name"), one("left", { title: "Side on the left" }), one("right", { title: "Side on the right" }), one("labels")];
    const look = field("look", properties.look, shape.value.look, (value) => {
      if (value === undefined) delete shape.value.look; else shape.value.look = value;
      delete shape.value[value === "objects" ? "state" : "dwell_s"];
      this.changed();
      this.showForms(shape);
    }, { choices: LOOKS });
    const isObjects = (shape.value.look ?? "state") === "objects";
    return [one("name"), look, isObjects ? one("dwell_s") : this.tableOf("When a label becomes a state", properties.state, shape.value, "state")];
  }

  tableOf(title, schema, owner, key) {
    return table(title, schema, this.defs, owner[key], (value) => {
      if (value === undefined && key !== "left") delete owner[key]; else owner[key] = value ?? {};
      this.changed();
    });
  }

  follows() { return Boolean(this.rules.left) || this.shapes.some((one) => one.kind === "line" || one.value.look === "objects"); }

  // Turns the search for left objects on or off; off, there are no areas for it.
  setLeft(isOn) {
    if (isOn) this.rules.left = { after_s: LEFT_AFTER_S };
    else {
      delete this.rules.left;
      this.shapes = this.shapes.filter((one) => one.kind !== "left");
      this.drawing.use(this.shapes, this.size);
    }
    this.changed();
    this.showForms(null);
    this.forms.querySelector("[data-key=left]").focus();
  }

  // The rules of the whole camera; those without an effect are shown only if the file sets them.
  camera() {
    const { rules, schema } = this, follows = this.follows();
    const isShown = !follows && !this.shapes.some((one) => one.kind === "zone");
    const parts = [
      [isShown || rules.state, "When a label becomes a state of the whole picture", "state"],
      [follows || rules.track, "How objects are followed", "track"], [rules.left, "Which left objects", "left"],
    ].filter(([isUsed]) => isUsed).map(([, title, key]) => this.tableOf(title, schema[key], rules, key));
    const every = field("count_every_s", schema.count_every_s, rules.count_every_s, (value) => {
      if (value === undefined) delete rules.count_every_s; else rules.count_every_s = value;
      this.changed();
    }, { title: "Count every (seconds)" });
    every.querySelector(".hint").textContent = "Report counts in intervals of this length. (0 or empty: no counts)";
    const left = field("left", { type: "boolean", default: false }, Boolean(rules.left), (value) => this.setLeft(Boolean(value)), { title: "Report objects left behind or removed" });
    return element("fieldset", {}, element("legend", {}, "Rules of this camera"), every, left, ...parts);
  }

  async busy(act) {
    this.isBusy = true;
    this.showButtons();
    try { return await act(); } finally { this.isBusy = false; this.showButtons(); }
  }

  // A wrong value is shown instead of sent.
  isWrong() {
    const wrong = this.root.querySelector("[aria-invalid]");
    wrong?.focus();
    return Boolean(wrong);
  }

  async save() {
    if (this.isWrong()) return;
    this.say("Saving …");
    const answer = await this.busy(() => this.ask("PUT", `camera/${encodeURIComponent(this.name)}`, this.change));
    const isInForce = answer?.in_force ?? true;
    this.say(answer ? `Saved in ${answer.file}, ${isInForce ? "and in force" : "in force from the next start, for the run has ended"}.` : "");
    if (answer) this.use(answer);
  }

  async undo() {
    const answer = await this.busy(() => this.ask("POST", "undo", { hash: this.kept.hash }));
    if (!answer) return;
    await this.load();
    this.say(`The last change in ${answer.file} is undone.`);
  }

  async test() {
    if (this.isWrong()) return;
    this.found.replaceChildren(element("p", { className: "hint" }, "Testing …"));
    const answer = await this.busy(() => this.ask("POST", `camera/${encodeURIComponent(this.name)}/test`, this.change));
    this.found.replaceChildren(...(answer ? tried(answer) : []));
  }

  discard() {
    this.say("");
    this.load();
  }

  close() {
    if (!this.isChanged || window.confirm("Discard the changes?")) this.leave();
  }

  leave() {
    this.isClosed = true;
    window.removeEventListener("beforeunload", this.onLeave);
    document.removeEventListener("click", this.onLink, true);
    document.removeEventListener("keydown", this.onKey);
    this.drawing.close();
    this.tile.overlay.isEdited = false;
    this.tile.overlay.redraw();
    this.root.remove();
    this.onClose();
  }
}
