// The wall of cameras, and the page of one camera.
import { cameraAddress, element, moment, sentence } from "./dom.js";
import { Overlay } from "./overlay.js";
import { Player } from "./player.js";
import { ZonesEditor } from "./zones.js";

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
    this.observer = new IntersectionObserver(([entry]) => { this.isSeen = entry.isIntersecting; connection.update(); });
    this.observer.observe(this.screen);
    connection.add(name, this);
  }

  found(result) {
    this.overlay.found(result);
    const whole = result.boxes.find((one) => one.whole);
    this.label.textContent = whole ? `${whole.label} ${Math.round(whole.score * 100)}%` : "";
  }

  update(camera) {
    const isBad = ["lost", "stalled"].includes(camera.state);
    this.chip.textContent = isBad || !camera.fault ? camera.state : camera.fault;
    this.chip.className = `chip ${isBad ? "bad" : camera.state === "live" && !camera.fault ? "good" : "warn"}`;
    this.numbers.textContent = camera.state === "live" ? `${camera.fps} fps · ${camera.age_ms ?? "–"} ms` : "";
    this.numbers.title = "Classified frames a second, and the time from the camera to the labels";
    if (camera.size && this.isAlone) this.screen.style.aspectRatio = `${camera.size[0]} / ${camera.size[1]}`;
    const text = camera.why || (isBad ? camera.state : "") || this.player.reason || (this.isSeen && camera.reason) || "";
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  close() {
    this.observer.disconnect();
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
    this.edit = element("button", { type: "button", hidden: document.body.dataset.role === "view", onclick: () => this.openEditor() }, "Zones and rules");
    this.side = element("div", { className: "beside" }, this.events);
    main.append(
      element("div", { className: "title" }, element("h1", {}, name), this.edit),
      element("div", { className: "camera" }, this.tile.root, this.side),
    );
    this.update = () => {
      const camera = connection.cameras.find((one) => one.name === name);
      this.editor?.resize(camera?.size);
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
    const answer = await fetch(`/api/events?limit=50&camera=${encodeURIComponent(this.name)}`).catch(() => null);
    if (!answer?.ok) return;
    const { events } = await answer.json();
    this.empty.hidden = events.length > 0;
    this.list.replaceChildren(...events.map((event) =>
      element("li", {}, element("div", {}, sentence(event)), element("time", {}, moment(event.start)))));
  }

  close() {
    this.connection.removeEventListener("cameras", this.update);
    this.connection.removeEventListener("events", this.refresh);
    this.editor?.leave();
    this.tile.close();
  }
}
