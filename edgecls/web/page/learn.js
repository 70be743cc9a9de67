// A model made of the labels: learn, compare, try as a shadow, put in place, take back.
import { ask } from "./ask.js";
import { counted, element } from "./dom.js";
import { curveChart, percent, range } from "./curve.js";

const BUSY_MS = 700, IDLE_MS = 4000, SETTLE_MS = 600;
const SIZES = [["", "224 pixels, whole scenes"], ["128", "128 pixels, 3 times as fast"], ["96", "96 pixels, 5 times as fast"]];
const VIEWER = "Who may only look cannot change models.";
const NO_CURVE = "There is no learning curve: it takes 30 pictures that were held out, and 5 mistakes among them; with fewer, chance decides how it goes on.";
const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const when = (at) => new Date(at * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
const lines = (texts) => element("ul", {}, ...texts.map((text) => element("li", {}, text)));
const notes = (texts) => (texts.length ? [element("details", {}, element("summary", {}, counted(texts.length, "note")), lines(texts.map((text) => text.replace(/^(note|warning): /, ""))))] : []);

function table(caption, titles, rows) {
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption }, element("table", {},
    element("caption", { className: "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell, i) =>
      element(i ? "td" : "th", i ? {} : { scope: "row" }, ...(Array.isArray(cell) ? cell : [cell]))))))));
}

// A button with the reason beside it when it cannot be used.
class Step {
  constructor(title, act, { primary = false } = {}) {
    this.why = element("span", { className: "quiet", id: `learn-why-${title.toLowerCase().replaceAll(" ", "-")}` });
    this.button = element("button", { type: "button", className: primary ? "primary" : "", onclick: act, "aria-describedby": this.why.id }, title);
    this.root = element("div", { className: "tools" }, this.button, this.why);
  }

  allow(why) {
    this.button.disabled = why !== "";
    this.why.textContent = why && `${why[0].toUpperCase()}${why.slice(1)}`.replace(/[^.!?…]$/, "$&.");
  }
}

export class LearnSection {
  constructor({ mayEdit }) {
    this.mayEdit = mayEdit;
    this.shown = {}; // what each part shows, so that nothing is built anew while somebody reads it
    this.size = element("select", {}, ...SIZES.map(([value, title]) => element("option", { value }, title)));
    this.learn = new Step("Learn", () => this.post(this.learn, "", { store: this.store, ...(this.size.value ? { size: Number(this.size.value) } : {}) }), { primary: true });
    this.learn.button.after(element("label", { className: "inline" }, "Input", this.size));
    this.cancel = element("button", { type: "button", hidden: true, onclick: () => this.post(this.learn, "/cancel") }, "Cancel");
    this.bar = element("progress", { max: 1, "aria-label": "Progress" });
    this.stage = element("span", {});
    this.progress = element("div", { className: "tools", hidden: true }, this.bar, this.stage, this.cancel);
    this.labels = element("div", {});
    this.note = element("p", { className: "quiet" });
    this.told = element("p", { className: "good", role: "status" });
    this.fault = element("p", { className: "error", role: "alert", hidden: true });
    this.models = element("div", {});
    this.about = element("div", { className: "about" });
    this.compare = new Step("Compare", () => this.post(this.compare, `/model/${this.name}/compare`, { store: this.store }));
    this.comparison = element("div", {});
    this.shadow = new Step("Start the shadow", () => this.post(this.shadow, `/model/${this.name}/shadow`));
    this.stop = new Step("Stop the shadow", () => this.post(this.stop, "/shadow/stop"));
    this.agreement = element("div", {});
    this.place = new Step("Put in place", () => this.post(this.place, `/model/${this.name}/place`));
    this.trial = element("p", {});
    this.back = new Step("Take back", () => this.post(this.back, "/back"));
    this.last = element("p", { className: "quiet" });
    this.detail = element("section", { className: "learned", hidden: true, "aria-labelledby": "learn-name" });
    this.title = element("h3", { id: "learn-name" });
    const step = (title, why, ...inner) => element("li", {}, element("h4", {}, title), element("p", { className: "quiet" }, why), ...inner);
    this.detail.append(this.title, this.about, element("ol", { className: "steps" },
      step("Compare", "With the model in use, on the labelled pictures of this store.", this.compare.root, this.comparison),
      step("Try as a shadow", "It sees a tenth of what the model in use sees on the cameras and changes nothing. It is written into cameras.toml.", this.shadow.root),
      step("Put in place", "Between two frames, without a pause. The model before is kept, and comes back by itself if the new one does worse.", this.place.root)));
    this.now = element("section", { className: "learned", "aria-labelledby": "learn-now" }, element("h3", { id: "learn-now" }, "On the cameras now"),
      this.inUse = element("p", {}), this.back.root, this.stop.root, this.trial, this.last, this.agreement);
    this.root = element("section", { className: "learn", hidden: true, "aria-labelledby": "learn-title" }, element("h2", { id: "learn-title" }, "Learn"),
      element("p", { className: "quiet" }, "A model is learned from the labels beside the cameras, into a file of its own. Nothing changes on the cameras until you put it in place."),
      this.labels, this.note, this.learn.root, this.progress, this.told, this.fault, element("h3", {}, "Learned models"), this.models, this.detail, this.now);
    this.look = () => { if (!document.hidden) this.update(); };
    document.addEventListener("visibilitychange", this.look);
  }

  use(store) {
    this.store = store;
    this.root.hidden = false;
    this.count();
    this.update();
  }

  // The labels have changed: they are counted again once they stay as they are.
  labelled() {
    clearTimeout(this.counting);
    this.counting = setTimeout(() => this.count(), SETTLE_MS);
  }

  async ask(path, content = null) {
    const options = content === null ? {} : { method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } };
    const answer = await ask(`/api/learn${path}`, options);
    if (answer?.ok) return answer.json();
    if (content !== null || answer) this.fail(answer ? answer.text : "There is no connection to the run.");
    return null;
  }

  fail(text) { this.fault.textContent = text; this.fault.hidden = text === ""; }

  // Asks for a change; if it is refused, the reason stands below the button.
  async post(step, path, content = {}) {
    if (this.isAsking) return;
    this.isAsking = true;
    step.root.after(this.fault);
    this.fail("");
    this.render();
    const state = await this.ask(path, content);
    this.isAsking = false;
    if (this.isClosed) return;
    if (state) { this.done = ["", "/cancel"].includes(path) || path.endsWith("/compare") ? "begun" : null; this.show(state); } else this.render();
    this.later();
  }

  async count() {
    const store = this.store, found = await this.ask(`/store/${store}`);
    if (this.isClosed || !found || store !== this.store) return;
    this.enough = found;
    this.put(this.labels, found.classes, () => [table("Labels", ["Class", "Pictures", "Moments", "Is that enough?"], found.classes.map((one) =>
      [one.label, String(one.pictures), String(one.moments), [element("span", { className: `chip ${one.is_enough ? "good" : "warn"}` }, one.is_enough ? "yes" : "more"), ` ${one.advice}`]]))]);
    this.labels.hidden = !found.classes.length;
    this.note.textContent = [found.why, found.note, found.classes.length ? "Pictures of one event or minute, and near copies, are one moment." : ""].filter(Boolean).join(" ");
    this.render();
  }

  async update() {
    clearTimeout(this.timer);
    const turn = (this.turn = (this.turn ?? 0) + 1), state = await this.ask("");
    if (this.isClosed || turn !== this.turn) return;
    if (state && !this.isAsking) await this.show(state);
    this.later();
  }

  later() {
    clearTimeout(this.timer);
    const isBusy = this.state?.job?.state === "running" || this.state?.shadow?.is_running || this.state?.trial;
    if (!document.hidden && !this.isClosed) this.timer = setTimeout(() => this.update(), isBusy ? BUSY_MS : IDLE_MS);
  }

  async show(state) {
    const before = this.state?.job, { job } = state;
    this.state = state;
    const hasEnded = job && job.state !== "running" && (before?.state === "running" || this.done === "begun") && job.began_at_s !== this.ended;
    if (hasEnded) {
      this.done = null;
      this.ended = job.began_at_s;
      if (job.kind === "learn" && job.state === "done") this.name = job.model;
    }
    if (!state.models.some((one) => one.name === this.name)) this.name = state.models[0]?.name;
    const key = JSON.stringify([this.name, state.models.map((one) => one.why), job?.state, state.model?.learned]);
    if (this.name && key !== this.known) {
      const name = this.name, details = await this.ask(`/model/${encodeURIComponent(name)}`);
      if (this.isClosed) return;
      if (details && name === this.name) [this.details, this.known] = [details, key];
    }
    this.render(); // once, so that no button moves while somebody presses it
  }

  choose(name) { this.name = name; this.show(this.state); }

  // Builds a part anew only if what it shows has changed.
  put(root, value, build) {
    const key = JSON.stringify(value);
    if (root.dataset.shown === key) return;
    root.dataset.shown = key;
    root.replaceChildren(...build());
  }

  render() {
    const { state } = this;
    if (!state) return;
    const { job, model, models } = state, isRunning = job?.state === "running";
    const never = this.mayEdit ? (this.isAsking ? "…" : "") : VIEWER;
    const first = (...reasons) => reasons.find(Boolean) ?? "";
    const busy = isRunning ? `${job.by} has begun to ${job.kind} already.` : "";
    this.learn.allow(first(never, state.why, busy, this.enough ? this.enough.why && "Labels are needed first." : "…"));
    this.size.disabled = this.learn.button.disabled;
    this.progress.hidden = !isRunning;
    this.cancel.hidden = !isRunning || !this.mayEdit;
    if (isRunning) {
      if (job.share == null) this.bar.removeAttribute("value"); else this.bar.value = job.share;
      const what = job.kind === "learn" ? `Learning from ${job.store}` : `Comparing ${job.model}`;
      this.stage.textContent = `${what}: ${job.stage || "starting"}${job.share == null ? "" : `, ${Math.round(100 * job.share)} %`}`;
    }
    const told = !job || isRunning ? "" : job.state === "done" ? (job.kind === "learn" ? `Learned: ${job.model}` : `Compared: ${job.model}`) : job.state === "cancelled" ? "Cancelled. Nothing has changed." : "";
    if (this.told.textContent !== told) this.told.textContent = told;
    if (job?.state === "failed" && job.began_at_s !== this.failed) {
      this.failed = job.began_at_s;
      (job.kind === "learn" ? this.learn : this.compare).root.after(this.fault);
      this.fail(job.why);
    }
    this.renderModels(models);
    const chosen = models.find((one) => one.name === this.name), { details } = this;
    this.detail.hidden = !chosen;
    this.now.hidden = !model;
    if (!model) return;
    const unusable = first(never, chosen?.why), same = chosen?.is_in_place ? "It is the model in use." : "";
    this.compare.allow(first(unusable, same, busy));
    this.shadow.allow(first(unusable, same, model.why_no_shadow, chosen?.is_shadow ? "It is the shadow already." : ""));
    this.place.allow(first(unusable, same, model.why_no_swap));
    this.stop.allow(first(never, model.why_no_shadow));
    this.back.allow(first(never, model.why_no_way_back));
    if (chosen) this.renderDetails(details?.name === chosen.name ? details : null, chosen.name);
    this.renderNow(state);
  }

  renderModels(models) {
    const shown = models.map(({ name, at_s: at, bytes, why, is_in_place: inPlace, is_shadow: isShadow, ...figures }) => ({ name, at, bytes, why, inPlace, isShadow, figures, chosen: name === this.name }));
    this.put(this.models, shown, () => (models.length ? [table("Learned models", ["Model", "Learned", "Size", "Right", "95 % interval", ""], shown.map((one) => [
      [element("button", { type: "button", className: "link", "aria-pressed": String(one.chosen), onclick: () => this.choose(one.name) }, one.name)],
      when(one.at), size(one.bytes), percent(one.figures.right), range(one.figures.low, one.figures.high),
      [...(one.inPlace ? [element("span", { className: "chip good" }, "in use")] : []), ...(one.isShadow ? [element("span", { className: "chip warn" }, "shadow")] : []),
        ...(one.why ? [element("span", { className: "chip bad", title: one.why }, "cannot be used")] : [])],
    ]))] : [element("p", { className: "quiet" }, "None yet.")]));
  }

  renderDetails(details, name) {
    this.title.textContent = name;
    this.put(this.about, details, () => {
      if (!details) return [];
      if (details.why) return [element("p", { className: "error" }, details.why)];
      const said = details.scored ? `Right: ${percent(details.right)} (${range(details.low, details.high)}, 95 % interval), of ${counted(details.scored)} of ${counted(details.groups, "moment")}, each judged by a model that had not seen its moment.`
        : `Nothing is known of its accuracy from ${counted(details.pictures)}.`;
      return [element("p", {}, said),
        details.curve.length ? curveChart(details.curve, details.forecasts) : element("p", { className: "quiet" }, NO_CURVE),
        table("Right in each class", ["Class", "Pictures", "Right", "95 % interval"], details.classes.map((one) => [one.label, String(one.pictures), percent(one.right), range(one.low, one.high)])),
        ...(details.advice.length ? [lines(details.advice)] : []), ...notes(details.notes)];
    });
    this.put(this.comparison, details?.comparison ?? null, () => this.compared(details?.comparison));
  }

  compared(found) {
    if (!found) return [];
    const past = found.is_current ? [] : [element("p", { className: "quiet" }, "One of the two models has changed since.")];
    return [element("p", { className: "verdict" }, `${found.verdict}.`), ...past,
      table(`${found.in_use} and ${found.new.model} on ${counted(found.pictures)} of ${found.store}`,
        ["Class", "Pictures", `Right: ${found.in_use}`, "Right: new", "Only new right", "Only old right", ""], [
          ...found.classes.map((one) => [one.label, String(one.pictures), percent(one.old), percent(one.new), String(one.fixed), String(one.broken), [...(one.worse ? [element("span", { className: "chip bad" }, "worse")] : [])]]),
          ["all", String(found.pictures), percent(found.old.top1), percent(found.new.top1), String(found.fixed), String(found.broken), ""],
        ]),
      lines([...found.meaning, `A picture takes ${Number(found.new.ms.toPrecision(2))} ms instead of ${Number(found.old.ms.toPrecision(2))}.`]), ...notes(found.notes)];
  }

  renderNow({ model, shadow, trial, last, last_at_s: at }) {
    this.inUse.textContent = `In use: ${model.name}${model.learned ? `, which is ${model.learned}` : ""}.`;
    this.stop.root.hidden = !shadow.model;
    const { agreement } = shadow;
    this.put(this.agreement, shadow, () => {
      if (!shadow.model) return [element("p", { className: "quiet" }, "No shadow is running.")];
      if (!agreement) return [element("p", {}, `The shadow is ${shadow.model}; ${shadow.why}.`)];
      const sum = agreement.crops ? `The same label on ${percent(agreement.share)} of ${counted(agreement.crops, "crop")}` : "It has seen nothing yet";
      const left = agreement.left_out ? ` ${counted(agreement.left_out, "crop")} with labels that only one of them has were left out.` : "";
      return [element("p", {}, `The shadow ${shadow.model} sees ${Math.round(100 * shadow.share)} % of the frames. ${sum}${agreement.crops ? `; ${shadow.cost_ms.toFixed(1)} ms of CPU for each frame that it saw` : ""}.${left}`),
        ...(agreement.crops ? [table("Agreement", ["The model in use says", "Crops", "The shadow agrees", "It says instead"], agreement.classes.map((one) =>
          [one.label, String(one.crops), percent(one.share), one.instead.map((other) => `${other.label} (${other.crops})`).join(", ")]))] : [])];
    });
    this.trial.hidden = !trial;
    if (trial) {
      this.trial.textContent = `On trial: ${trial.frames} of ${trial.of} frames. Mean score ${trial.now.score.toFixed(2)} (before: ${trial.before.score.toFixed(2)}), ` +
        `unknown ${percent(trial.now.unknown)} (before: ${percent(trial.before.unknown)}). If it does worse, the model before comes back by itself.`;
    }
    this.last.textContent = last ? `Last step${at ? `, ${when(at)}` : ""}: ${last}.` : "";
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.counting);
    document.removeEventListener("visibilitychange", this.look);
  }
}
