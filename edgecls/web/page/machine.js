// The machine that the run uses: what works on it, how fast it is, what the run takes of it, and where its results go.
import { cameraAddress, element } from "./dom.js";
import { askFor, counted, facts, folded, percent, Refresh, size, table, when, whole } from "./tables.js";

const EVERY_MS = 3000, JOB_EVERY_MS = 700;
const STATUS = { ok: "good", note: "warn", problem: "bad" };
const MB = 1e6;

class Job {
  constructor(kind, title, about, { mayEdit, onStart, show }) {
    this.kind = kind;
    this.mayEdit = mayEdit;
    this.show = show;
    this.start = element("button", { type: "button", disabled: !mayEdit, onclick: () => this.send("", onStart?.()) }, "Run");
    this.cancel = element("button", { type: "button", hidden: true, onclick: () => this.send("/cancel") }, "Cancel");
    this.said = element("p", { role: "status", className: "quiet" });
    this.result = element("div", {});
    this.root = element("section", { className: "card", "aria-labelledby": `${kind}-title` },
      element("div", { className: "heading" }, element("h2", { id: `${kind}-title` }, title), element("span", { className: "buttons" }, this.cancel, this.start)),
      element("p", { className: "quiet" }, about), this.said, this.result);
    this.start.setAttribute("aria-label", `Run the ${kind}`);
    this.cancel.setAttribute("aria-label", `Cancel the ${kind}`);
    this.refresh = new Refresh(() => this.load(), EVERY_MS);
  }

  async send(path, content = null) {
    this.use(await askFor(`/api/machine/${this.kind}${path}`, "POST", content ?? {}));
    this.refresh.now();
  }

  async load() { this.use(await askFor(`/api/machine/${this.kind}`)); }

  use(answer) {
    if (answer.fault) {
      this.said.textContent = `${answer.fault[0].toUpperCase()}${answer.fault.slice(1)}.`.replace(/\.\.$/, ".");
      this.said.className = "error";
      this.faultAt = Date.now();
      return;
    }
    const isRunning = answer.state === "running";
    this.refresh.everyMs = isRunning ? JOB_EVERY_MS : EVERY_MS;
    this.cancel.hidden = !isRunning || !this.mayEdit;
    this.start.hidden = isRunning;
    if (Date.now() - (this.faultAt ?? 0) > 4000) {
      this.said.className = answer.state === "failed" ? "error" : "quiet";
      this.said.textContent = this.sentence(answer);
    }
    const shown = JSON.stringify(answer.result);
    if (shown !== this.shown && answer.result) {
      this.shown = shown;
      this.result.replaceChildren(...this.show(answer.result));
    }
  }

  sentence({ state, line, why, of, ended_at_s: ended }) {
    const about = of ? ` (${of})` : "";
    if (state === "none") return "It has not run yet.";
    if (state === "running") return `Running${about}… ${line}`;
    if (state === "failed") return `It failed: ${why}`;
    return `${state === "done" ? "Ran" : "Cancelled"} ${when(ended)}${about}`;
  }

  close() { this.refresh.close(); }
}

// Problems first, then notes; what is in order and what is not on this machine is folded away.
function findings({ checks }) {
  const isAbsent = ({ name, status }) => status === "note" && name.startsWith("device ");
  const row = ({ name, status, found, fix }) => element("li", {}, element("span", { className: `chip ${STATUS[status]}` }, status),
    element("div", {}, element("strong", {}, name), " ", element("span", {}, found), fix ? element("p", { className: "fix" }, "Fix: ", element("code", {}, fix)) : null));
  const list = (rows) => element("ul", { className: "findings" }, ...rows.map(row));
  const bad = checks.filter(({ status }) => status === "problem"), absent = checks.filter(isAbsent);
  const notes = checks.filter((one) => one.status === "note" && !isAbsent(one)), good = checks.filter(({ status }) => status === "ok");
  return [
    bad.length ? list(bad) : element("p", { className: "good" }, "No problem was found."),
    ...(notes.length ? [list(notes)] : []), folded(`${counted(good.length, "check")} in order`, list(good)),
    ...(absent.length ? [folded(`${counted(absent.length, "device")} not on this machine`, list(absent))] : []),
  ];
}

function measured({ speed, trials, cameras_held: held, device }) {
  const ms = (value) => (value == null ? "–" : value.toFixed(2));
  const stages = Object.entries(speed.stages_ms).map(([name, [p50, p95, p99]]) => ({ cells: [name, ms(p50), ms(p95), ms(p99)] }));
  const rows = trials.map((trial) => ({ cells: [String(trial.cameras), trial.fps.toFixed(1), percent(trial.skipped), trial.age_p50_ms.toFixed(1), trial.age_p99_ms.toFixed(1),
    trial.cores.toFixed(2), trial.held ? "yes" : "no"] }));
  return [
    element("p", { className: "figure" }, element("strong", {}, whole(speed.fps)), ` frames a second of 1080p video on ${device}; `,
      element("strong", {}, String(held)), ` ${held === 1 ? "camera" : "cameras"} in time beside this run`),
    table("Milliseconds for each frame", [["Stage", "text"], "Median", "95 %", "99 %"], stages),
    folded("How many cameras were tried", table("Cameras that were tried", [["Cameras", "text"], "fps each", "Skipped", "Age ms", "99 % ms", "Cores", "In time"], rows)),
  ];
}

export class MachineView {
  constructor(main) {
    const mayEdit = document.body.dataset.role !== "view";
    this.fault = element("p", { className: "error", role: "alert", hidden: true });
    this.usage = element("div", {});
    this.parts = element("div", { className: "cards" });
    this.model = element("select", {});
    this.which = element("label", { className: "which", hidden: true }, "Model", this.model);
    this.doctor = new Job("doctor", "Doctor", "Tries devices, decoders and the model on this machine. It opens no camera.", { mayEdit, show: findings });
    this.bench = new Job("bench", "Bench", "Measures how fast this machine is with a drawn clip and the model. Beside a run the figures are lower than without it, " +
      "and the run goes first: the bench has the lowest priority.", { mayEdit, show: measured, onStart: () => (this.model.value ? { model: this.model.value } : {}) });
    this.bench.said.before(this.which);
    main.append(element("h1", {}, "Machine"), this.fault,
      element("div", { className: "cards" }, element("section", { className: "card", "aria-labelledby": "usage-title" }, element("h2", { id: "usage-title" }, "This machine"), this.usage)),
      this.parts, element("div", { className: "cards" }, this.doctor.root, this.bench.root));
    this.refresh = new Refresh(() => this.load(), EVERY_MS);
    this.choices();
  }

  async choices() {
    const { models } = await askFor("/api/models");
    const found = (models ?? []).filter(({ role }) => role !== "detector");
    this.model.replaceChildren(...found.map(({ model, name }) => element("option", { value: model }, name)));
    this.which.hidden = found.length < 2;
  }

  async load() {
    const machine = await askFor("/api/machine");
    if (this.isClosed) return;
    this.fault.hidden = !machine.fault;
    this.fault.textContent = machine.fault ?? "";
    if (machine.fault) return;
    const open = this.usage.querySelector("details")?.open ?? false;
    const { versions, memory_mb: memory, run_cores: cores } = machine;
    const flags = machine.flags == null ? "" : machine.flags.length ? ` (${machine.flags.join(", ")})` : "";
    const details = folded("Versions", facts(Object.entries(versions)), element("p", { className: "quiet" }, machine.system));
    details.open = open;
    if (!this.usage.contains(document.activeElement)) this.usage.replaceChildren(facts([
      ["Processor", `${machine.processor}, ${counted(machine.cores, "core")}${flags}`], ["Runs models on", machine.providers.join(", ")],
      ["The run takes", `${cores == null ? "" : `${cores.toFixed(2)} cores, `}${whole(machine.run_mb)} MB${memory ? ` of ${size(memory * MB)}` : ""}`],
      ["Load", machine.load == null ? "" : `${machine.load} (processes that want a core, over a minute)`],
      ["Skipped frames", whole(machine.skipped)],
    ]), details);
    const shown = JSON.stringify([machine.cameras.map((one) => ({ ...one, fps: Math.round(one.fps) })), machine.sinks, machine.disks]);
    if (shown !== this.shown && !this.parts.contains(document.activeElement)) {
      this.shown = shown;
      this.parts.replaceChildren(this.cameras(machine.cameras), this.sinks(machine.sinks), this.disks(machine.disks));
    }
  }

  part(title, content) {
    return element("section", { className: "card", "aria-label": title }, element("h2", {}, title), content);
  }

  cameras(cameras) {
    if (!cameras.length) return this.part("Cameras", element("p", { className: "quiet" }, "This page is not that of a run with cameras."));
    const rows = cameras.map((one) => ({ cells: [element("a", { href: cameraAddress(one.camera) }, one.camera), one.source, one.decoding,
      one.size ? `${one.size[0]} × ${one.size[1]}` : "–", one.fps == null ? "–" : one.fps.toFixed(0)] }));
    return this.part("Cameras", table("How the cameras are decoded", [["Camera", "text"], ["Source", "text"], ["Decoding", "text"], "Size", "fps"], rows, { stacks: true }));
  }

  sinks(sinks) {
    if (!sinks.length) return this.part("Outputs", element("p", { className: "quiet" }, "This run has no outputs but this page."));
    const rows = sinks.map(({ sink, trouble, waiting, lost, dropped }) => ({ className: trouble ? "trouble" : "", cells: [sink,
      element("span", { className: trouble ? "bad-text" : "good" }, trouble || "works"), whole(waiting), whole(lost), whole(dropped)] }));
    return this.part("Outputs", table("Where results and events go", [["Output", "text"], ["State", "text"], "Waiting", "Lost", "Dropped"], rows, { stacks: true }));
  }

  disks(disks) {
    if (!disks.length) return this.part("Disk space", element("p", { className: "quiet" }, "This run writes no files."));
    const rows = disks.map(({ folder, for: names, free_mb: free, total_mb: total, why }) => ({ cells: [folder === "." ? "the folder of the run" : folder, names.join(", "),
      free == null ? "–" : size(free * MB), total == null ? "–" : percent(free / total, 0), why] }));
    const has = disks.some(({ why }) => why);
    return this.part("Disk space", table("Folders that the run writes to", [["Folder", "text"], ["For", "text"], "Free", "of the disk", ...(has ? [["Note", "text"]] : [])],
      rows.map((row) => (has ? row : { cells: row.cells.slice(0, 4) })), { stacks: true }));
  }

  close() {
    this.isClosed = true;
    for (const one of [this.refresh, this.doctor, this.bench]) one.close();
  }
}
