// The wall of cameras, and the page of one camera.
import { ask } from "./ask.js";
import { cameraAddress, element, moment, sentence } from "./dom.js";
import { Overlay } from "./overlay.js";
import { Player } from "./player.js";
import { clock, Recorded } from "./recorded.js";
import { ZonesEditor } from "./zones.js";

// What the faults mean that a run finds in pictures.
const FAULTS = {
  frozen: "The pictures repeat: the camera stands still, or plays a loop.",
  black: "The picture is black.",
  overexposed: "The picture is overexposed.",
  covered: "Something covers the lens.",
  defocused: "The picture is out of focus.",
  moved: "The camera was moved.",
};

class Tile {
  constructor(name, connection, { isLink = true } = {}) {
    this.name = name;
    this.connection = connection;
    this.isSeen = false;
    this.isAlone = !isLink; // on a wall all tiles have the same shape
    this.canvas = element("canvas", { role: "img", "aria-label": `Live picture of ${name}` });
    this.note = element("p", { className: "note", hidden: true });
    this.screen = element("div", { className: "screen" }, this.canvas, this.note);
    this.chip = element("span", { className: "chip" });
    this.label = element("span", { className: "label" });
    this.numbers = element("span", { className: "numbers" });
    const title = isLink ? element("a", { className: "name", href: cameraAddress(name), title: name }, name) : null;
    this.root = element("article", { className: "tile", "aria-label": name }, this.screen,
      element("div", { className: "caption" }, title, this.chip, this.label, this.numbers));
    this.overlay = new Overlay(this.canvas);
    this.player = new Player(this.screen, (time, width, height) => this.overlay.draw(time, width, height));
    this.observer = new IntersectionObserver(([entry]) => { this.isSeen = entry.isIntersecting; this.showSeen(); connection.update(); });
    this.onVisible = () => this.showSeen();
    document.addEventListener("visibilitychange", this.onVisible);
    this.observer.observe(this.screen);
    connection.add(name, this);
  }

  // Whether pictures shall come over the connection. A recording is played from its file.
  get isLive() { return this.isSeen && !this.recorded; }

  showSeen() {
    if (!this.recorded) return;
    this.recorded.isSeen = this.isSeen && !document.hidden;
    this.recorded.step();
  }

  found(result) {
    this.overlay.found(result);
    this.say(result);
  }

  // Says what the whole picture shows.
  say(result) {
    const whole = result?.boxes.find((one) => one.whole);
    this.label.textContent = whole ? `${whole.label} ${Math.round(whole.score * 100)}%` : "";
  }

  record() {
    this.player.close();
    this.recorded = this.player = new Recorded(this.name, this.screen, this.overlay, { onShown: (result) => this.say(result), onChange: () => this.showNote() });
    this.screen.after(this.recorded.controls);
    this.showSeen();
    this.connection.update();
  }

  update(camera) {
    if (camera.recording && !this.recorded) this.record();
    if (camera.recording === null && this.recorded) location.reload(); // another source has taken its place
    this.camera = camera;
    if (this.recorded) this.updateRecorded(camera);
    else this.updateLive(camera);
    if (camera.size && this.isAlone) this.screen.style.aspectRatio = `${camera.size[0]} / ${camera.size[1]}`;
    this.showNote();
  }

  updateRecorded({ recording, state, fps }) {
    const run = recording ?? { until_s: null, has_ended: true }, hasFailed = state === "lost";
    this.recorded.update(run);
    this.chip.textContent = hasFailed ? state : "recording";
    this.chip.className = `chip ${hasFailed ? "bad" : "good"}`;
    const place = run.until_s == null ? "" : `${clock(run.until_s)} analysed`;
    this.numbers.textContent = run.has_ended ? "all analysed" : place;
    this.numbers.title = `How far the run has come, at ${fps} classified frames a second`;
  }

  updateLive(camera) {
    const isBad = ["lost", "stalled"].includes(camera.state);
    this.chip.textContent = isBad || !camera.fault ? camera.state : camera.fault;
    this.chip.className = `chip ${isBad ? "bad" : camera.state === "live" && !camera.fault ? "good" : "warn"}`;
    const age = `${camera.age_ms ?? "–"} ms`;
    this.numbers.textContent = camera.state !== "live" ? "" : this.isAlone ? `${camera.fps} fps · ${age}` : `${camera.fps} fps`;
    this.numbers.title = `Classified frames a second; from the camera to the labels it takes ${age}`;
  }

  showNote() {
    const { camera } = this, isBad = ["lost", "stalled"].includes(camera?.state);
    const waiting = this.isLive ? camera?.reason : "", fault = FAULTS[camera?.fault] ?? "";
    const text = camera?.why || (isBad ? camera.state : "") || (fault && camera.is_classified === false ? `${fault} Nothing is classified meanwhile.` : fault) || this.player.reason || waiting || "";
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.onVisible);
    this.connection.remove(this.name);
    this.player.close();
    this.root.remove();
  }
}

export class WallView {
  constructor(main, connection) {
    this.connection = connection;
    this.tiles = new Map();
    this.grid = element("section", { className: "wall", "aria-label": "Cameras" });
    main.append(element("h1", { className: "unseen" }, "Live"), this.grid);
    this.update = () => this.show();
    connection.addEventListener("cameras", this.update);
    this.show();
  }

  show() {
    const { cameras } = this.connection;
    const names = new Set(cameras.map((camera) => camera.name));
    for (const [name, tile] of this.tiles) if (!names.has(name)) { tile.close(); this.tiles.delete(name); }
    for (const camera of cameras) {
      if (!this.tiles.has(camera.name)) {
        const tile = new Tile(camera.name, this.connection);
        this.tiles.set(camera.name, tile);
        this.grid.append(tile.root);
      }
      this.tiles.get(camera.name).update(camera);
    }
    this.grid.classList.toggle("one", cameras.length === 1);
  }

  close() {
    this.connection.removeEventListener("cameras", this.update);
    for (const tile of this.tiles.values()) tile.close();
  }
}

export class CameraView {
  constructor(main, connection, name) {
    this.name = name;
    this.connection = connection;
    this.tile = new Tile(name, connection, { isLink: false });
    this.list = element("ol", { tabIndex: 0, "aria-label": "Latest events" });
    this.empty = element("p", { className: "empty" }, "No events yet.");
    this.events = element("section", { className: "side", "aria-label": "Latest events" }, element("h2", {}, "Latest events"), this.empty, this.list);
    const mayEdit = document.body.dataset.role !== "view";
    this.edit = element("button", { type: "button", hidden: true, onclick: () => this.openEditor() }, "Zones and rules");
    this.side = element("div", { className: "beside" }, this.events);
    main.append(
      element("div", { className: "title" }, element("h1", {}, name), this.edit),
      element("div", { className: "camera" }, this.tile.root, this.side),
    );
    this.update = () => {
      const camera = connection.cameras.find((one) => one.name === name);
      this.editor?.resize(camera?.size);
      this.edit.hidden = !mayEdit || !camera || Boolean(this.editor);
      this.tile.update(camera ?? { state: "unknown", why: connection.cameras.length ? "There is no camera of this name." : "", fault: "" });
    };
    this.refresh = () => this.load();
    connection.addEventListener("cameras", this.update);
    connection.addEventListener("events", this.refresh);
    this.load();
  }

  openEditor() {
    const { size } = this.connection.cameras.find((one) => one.name === this.name) ?? {};
    const onClose = () => { this.editor = null; this.events.hidden = this.edit.hidden = false; this.edit.focus(); };
    this.events.hidden = this.edit.hidden = true;
    this.editor = new ZonesEditor(this.tile, this.side, { name: this.name, size, onClose });
  }

  async load() {
    const recorded = this.tile.recorded;
    const answer = await ask(`/api/events?limit=${recorded ? 200 : 50}&camera=${encodeURIComponent(this.name)}`);
    if (!answer?.ok) return;
    const { events } = answer.json();
    this.empty.hidden = events.length > 0;
    this.list.replaceChildren(...events.map((event) =>
      element("li", {}, element("div", {}, sentence(event)), this.when(event, recorded))));
  }

  // When it began; of a recording a button that goes there.
  when({ start }, recorded) {
    const text = element("time", {}, moment(start));
    return recorded ? element("button", { type: "button", className: "link", title: "Show this place", onclick: () => recorded.seek(start.time_s) }, text) : text;
  }

  close() {
    this.connection.removeEventListener("cameras", this.update);
    this.connection.removeEventListener("events", this.refresh);
    this.editor?.leave();
    this.tile.close();
  }
}
