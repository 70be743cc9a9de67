// Labels for what the run collects: a sheet of pictures that look alike, keys for classes, undo.
import { ask } from "./ask.js";
import { counted, element, moment } from "./dom.js";
import { LearnSection } from "./learn.js";

const MODES = [["group", "Similar"], ["group?useful=1", "Most useful"], ["suspects", "Suspected errors"]];
const MOST_KEYS = 9;
const NO_STORE = "This run collects no pictures to label. Add a sink for them to cameras.toml, such as";

export class TeachView {
  constructor(main) {
    this.main = main;
    this.mayEdit = document.body.dataset.role !== "view";
    this.mode = MODES[0][0];
    this.history = []; // what was shown before each stroke, so that undo shows it again
    this.pictures = [];
    this.selected = new Set();
    this.at = this.from = 0;
    this.choice = element("select", { onchange: () => this.choose(this.choice.value) });
    this.which = element("label", { className: "which", hidden: true }, "Store", this.choice);
    this.modes = element("div", { className: "tools", role: "group", "aria-label": "Show" }, ...MODES.map(([mode, title]) =>
      element("button", { type: "button", "aria-pressed": mode === this.mode, onclick: () => this.show(mode) }, title)));
    this.classes = element("div", { className: "tools", role: "group", "aria-label": "Classes" });
    const action = (title, key, act) => element("button", { type: "button", disabled: !this.mayEdit, "aria-keyshortcuts": key, onclick: act },
      title, element("kbd", {}, key));
    this.confirm = action("Confirm", "Enter", () => this.accept());
    this.confirm.classList.add("primary");
    this.right = action("Label is right", "C", () => this.affirm());
    this.right.hidden = true;
    this.actions = element("div", { className: "tools", role: "group", "aria-label": "Pictures" }, this.confirm, this.right,
      action("New class", "N", () => this.name()), action("Skip", "S", () => this.send("skip")),
      action("Unusable", "X", () => this.send("unusable")), action("Undo", "U", () => this.undo()));
    this.input = element("input", { maxLength: 255, autocomplete: "off", required: true, "aria-label": "Name of the new class" });
    this.form = element("form", { className: "tools", hidden: true }, this.input, element("button", { className: "primary" }, "Give this label"),
      element("button", { type: "button", onclick: () => this.unname() }, "Cancel"));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.named(); });
    this.why = element("p", { className: "why" });
    this.said = element("p", { className: "said", role: "status" });
    this.fault = element("p", { className: "error", role: "alert", hidden: true });
    this.notes = element("p", { className: "quiet", hidden: true });
    this.sheet = element("ul", { className: "sheet", role: "listbox", tabIndex: 0, "aria-multiselectable": "true", "aria-label": "Pictures to label",
      "aria-describedby": "teach-keys" });
    this.sheet.addEventListener("click", (event) => this.clicked(event));
    this.help = element("p", { className: "quiet", id: "teach-keys" },
      "All pictures are selected at first; a label goes to those that are. Arrow keys move, Space selects one or not, Shift with arrow keys selects several, A all. The others stay for another label.");
    this.again = element("button", { type: "button", hidden: true, onclick: () => this.load() }, "Look for new pictures");
    this.body = element("section", { className: "teach", hidden: true, "aria-label": "Labels" }, this.modes, this.classes, this.actions, this.form,
      this.why, this.sheet, this.again, this.said, this.fault, this.help, this.notes);
    this.body.addEventListener("keydown", (event) => this.pressed(event));
    this.learning = new LearnSection({ mayEdit: this.mayEdit });
    this.empty = element("p", { className: "empty", role: "status" }, "Looking for pictures…");
    main.append(element("div", { className: "title" }, element("h1", {}, "Teach"), this.which), this.empty, this.body,
      this.learning.root);
    if (!this.mayEdit) this.help.textContent = "Who may only look cannot give labels.";
    this.begin();
  }

  async ask(path, content = null) {
    const options = content === null ? {} : { method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } };
    const answer = await ask(`/api/teach${path}`, options);
    if (answer?.ok) return answer.json();
    this.fault.textContent = answer ? answer.text : "There is no connection to the run.";
    this.fault.hidden = false;
    return null;
  }

  async begin() {
    const answer = await this.ask("");
    if (this.isClosed) return;
    const stores = answer?.stores ?? [];
    if (!stores.length) {
      this.empty.textContent = answer ? `${NO_STORE} ` : this.fault.textContent;
      if (answer) this.empty.append(element("code", {}, 'sinks = ["collect:pictures"]'));
      return;
    }
    this.choice.replaceChildren(...stores.map(({ store, name, why }) => element("option", { value: store }, why ? `${name} (cannot be used)` : name)));
    this.which.hidden = stores.length === 1;
    this.empty.hidden = true;
    this.body.hidden = false;
    this.choose((stores.find((one) => !one.why) ?? stores[0]).store);
  }

  choose(store) {
    this.store = this.choice.value = store;
    this.history = [];
    this.order = [];
    this.load();
    this.learning.use(store);
  }

  show(mode) {
    this.mode = mode;
    MODES.forEach(([one], i) => this.modes.children[i].setAttribute("aria-pressed", String(one === mode)));
    this.load();
  }

  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.busy(true);
    this.why.textContent = "Comparing the pictures…";
    this.fault.hidden = true;
    const answer = await this.ask(`/${this.store}/${this.mode}`);
    if (turn !== this.turn || this.isClosed) return;
    this.use(answer ?? { pictures: [], why: "", proposal: "", notes: [], classes: this.counts ?? {}, left: 0 }, { failed: !answer });
  }

  use(group, { failed = false } = {}) {
    this.group = group;
    this.setPictures(group.pictures);
    this.showClasses(group);
    const isSuspects = this.mode === "suspects", count = group.pictures.length;
    const about = `${counted(count)} of ${group.left} without a label; ${group.why}${group.proposal ? `. Probably ${group.proposal}` : ""}.`;
    const none = isSuspects ? "No label looks wrong." : "No picture waits for a label.";
    this.why.textContent = failed ? "" : !count ? none : isSuspects ? `${counted(count)} whose labels are probably wrong.` : about;
    this.confirm.disabled = !this.mayEdit || !(group.proposal || isSuspects) || !count;
    this.confirm.firstChild.textContent = isSuspects ? "Correct" : group.proposal ? `Confirm: ${group.proposal}` : "Confirm";
    this.right.hidden = !isSuspects;
    this.sheet.hidden = !count;
    this.again.hidden = count > 0;
    this.notes.textContent = `Note: ${(group.notes ?? []).join(" ")}`;
    this.notes.hidden = !group.notes?.length;
    this.busy(false);
    const active = document.activeElement;
    if ([document.body, this.main].includes(active) || (this.body.contains(active) && active !== this.input && !this.modes.contains(active))) {
      (count ? this.sheet : this.again).focus({ preventScroll: true });
    }
  }

  busy(isBusy) {
    this.isBusy = isBusy;
    this.sheet.setAttribute("aria-busy", String(isBusy));
    this.sheet.classList.toggle("busy", isBusy);
  }

  setPictures(pictures) {
    this.pictures = pictures;
    this.at = this.from = 0;
    // of suspects, one after the other is judged
    this.selected = new Set((this.mode === "suspects" ? pictures.slice(0, 1) : pictures).map((one) => one.picture));
    this.sheet.replaceChildren(...pictures.map((one, i) => this.option(one, i)));
    this.mark();
  }

  option(one, i) {
    const where = [one.camera, one.at_s == null ? "" : moment(one)].filter(Boolean).join(", ");
    const what = one.rather ? `${one.label}, rather ${one.rather}` : one.prediction ? `model: ${one.prediction}` : "";
    const name = [`picture ${i + 1} of ${this.pictures.length}`, what, one.why, where].filter(Boolean).join(", ");
    return element("li", { id: `teach-${i}`, role: "option", "aria-label": name, title: [one.why, where].filter(Boolean).join("\n") },
      element("img", { src: `/api/teach/${this.store}/picture/${one.picture}`, alt: "", draggable: false }),
      element("span", { className: "what" }, what || where || String(one.picture)),
      ...(one.why ? [element("span", { className: "quiet" }, one.why)] : []));
  }

  mark() {
    this.pictures.forEach((one, i) => {
      const option = this.sheet.children[i];
      option.setAttribute("aria-selected", String(this.selected.has(one.picture)));
      option.classList.toggle("here", i === this.at);
    });
    if (this.pictures.length) this.sheet.setAttribute("aria-activedescendant", `teach-${this.at}`);
    else this.sheet.removeAttribute("aria-activedescendant");
  }

  showClasses({ classes, left }) {
    this.counts = classes;
    this.order.push(...Object.keys(classes).filter((label) => !this.order.includes(label)).sort());
    this.labels = this.order.filter((label) => Object.hasOwn(classes, label)); // a new class moves no key
    this.classes.replaceChildren(...this.labels.map((label, i) => element("button", { type: "button", disabled: !this.mayEdit, onclick: () => this.label(label),
      ...(i < MOST_KEYS ? { "aria-keyshortcuts": String(i + 1) } : {}) },
    ...(i < MOST_KEYS ? [element("kbd", {}, String(i + 1))] : []), element("span", {}, label), element("span", { className: "quiet" }, String(classes[label])))));
    this.classes.hidden = !this.labels.length;
    this.left = left;
  }

  // Keys work while the focus is within the labels, but not in a text field.
  pressed(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (target === this.input) { if (key === "Escape") this.unname(); return; }
    const isButton = target.closest("button") !== null;
    if (target.closest("select, input") || (isButton && ["Enter", " "].includes(key))) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns(), ArrowDown: this.columns(), Home: -Infinity, End: Infinity }[key];
    const act = {
      " ": () => this.toggle(), Enter: () => this.accept(), a: () => this.all(), n: () => this.name(), s: () => this.send("skip"),
      x: () => this.send("unusable"), u: () => this.undo(), c: () => this.affirm(),
    }[key.length === 1 ? key.toLowerCase() : key];
    if (step !== undefined) this.move(step, event.shiftKey);
    else if (/^[1-9]$/.test(key)) { if (this.labels[key - 1] !== undefined) this.label(this.labels[key - 1]); }
    else if (act) act();
    else return;
    event.preventDefault();
  }

  columns() { return Math.max(1, getComputedStyle(this.sheet).gridTemplateColumns.split(" ").length); }

  move(step, isRange) {
    if (!this.pictures.length) return;
    const next = this.at + step;
    this.at = Math.abs(step) === Infinity ? (step < 0 ? 0 : this.pictures.length - 1) : next < 0 || next >= this.pictures.length ? this.at : next;
    if (isRange) this.range();
    else {
      this.from = this.at;
      if (this.mode === "suspects") this.selected = new Set([this.pictures[this.at].picture]);
    }
    this.mark();
    this.sheet.children[this.at].scrollIntoView({ block: "nearest" });
  }

  range() {
    const [first, last] = [Math.min(this.from, this.at), Math.max(this.from, this.at)];
    this.selected = new Set(this.pictures.slice(first, last + 1).map((one) => one.picture));
  }

  toggle() {
    const { picture } = this.pictures[this.at] ?? {};
    if (picture === undefined) return;
    if (!this.selected.delete(picture)) this.selected.add(picture);
    this.from = this.at;
    this.mark();
  }

  all() {
    const isAll = this.selected.size === this.pictures.length;
    this.selected = new Set(isAll ? [] : this.pictures.map((one) => one.picture));
    this.mark();
  }

  clicked(event) {
    const i = [...this.sheet.children].indexOf(event.target.closest("li"));
    if (i < 0) return;
    this.at = i;
    if (event.shiftKey) { this.range(); this.mark(); } else this.toggle();
  }

  chosen() { return this.pictures.filter((one) => this.selected.has(one.picture)); }

  label(label) { return this.send("label", label); }

  async accept() {
    if (this.mode !== "suspects") { if (this.group?.proposal) await this.label(this.group.proposal); return; }
    const [first] = this.chosen();
    if (first) await this.send("label", first.rather, this.chosen().filter((one) => one.rather === first.rather));
  }

  // Suspects whose labels are right do not come again.
  affirm() { return this.mode === "suspects" ? this.send("confirm") : null; }

  name() {
    if (!this.mayEdit || !this.chosen().length) return;
    this.form.hidden = false;
    this.input.value = "";
    this.input.focus();
  }

  unname() { this.form.hidden = true; this.sheet.focus(); }

  named() {
    const label = this.input.value.trim();
    if (!label) return;
    this.unname();
    this.label(label);
  }

  // Gives the chosen pictures a label; the others stay on the sheet.
  async send(action, label = null, chosen = this.chosen()) {
    if (this.isBusy || !this.mayEdit) return;
    if (!chosen.length) { this.said.textContent = this.pictures.length ? "No picture is selected." : ""; return; }
    this.busy(true);
    this.fault.hidden = true;
    const pictures = chosen.map((one) => one.picture);
    const answer = await this.ask(`/${this.store}/${action}`, label === null ? { pictures } : { pictures, label });
    if (this.isClosed) return;
    this.busy(false);
    if (!answer) return;
    this.learning.labelled();
    if (action !== "skip") this.history.push({ mode: this.mode, group: this.group, pictures: this.pictures });
    const done = { label: `labelled ${label}`, confirm: "confirmed", unusable: "unusable", skip: "skipped" }[action];
    this.said.textContent = `${counted(answer.pictures)} ${done}. ${answer.left} without a label.`;
    const rest = this.pictures.filter((one) => !pictures.includes(one.picture));
    if (!rest.length) await this.load();
    else this.use({ ...this.group, ...answer, pictures: rest });
  }

  async undo() {
    if (this.isBusy || !this.mayEdit) return;
    this.busy(true);
    this.fault.hidden = true;
    const answer = await this.ask(`/${this.store}/undo`, {});
    if (this.isClosed) return;
    this.busy(false);
    if (!answer) return;
    this.learning.labelled();
    this.said.textContent = answer.pictures ? `Taken back: ${counted(answer.pictures)}. ${answer.left} without a label.` : "There is nothing to take back.";
    const before = this.history.pop();
    if (before && answer.pictures && before.mode === this.mode) this.use({ ...before.group, pictures: before.pictures, classes: answer.classes, left: answer.left });
    else await this.load();
  }

  close() { this.isClosed = true; this.learning.close(); }
}
