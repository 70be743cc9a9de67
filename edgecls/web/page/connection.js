// The one WebSocket of the page. It opens again by itself, and says what the page looks at.
import { ask } from "./ask.js";

const LOST = "No connection to the run. Trying again.";
const OLD = "edgecls was updated. Load this page anew.";
const FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 5000;

export class Connection extends EventTarget {
  constructor() {
    super();
    this.tiles = new Map(); // camera -> what shows it
    this.channels = new Map(); // number -> camera
    this.cameras = [];
    this.notices = [];
    this.events = 0;
    this.wait = FIRST_WAIT_MS;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/api/live`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => { this.wait = FIRST_WAIT_MS; this.say(""); this.watched = null; this.update(); };
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.text(JSON.parse(data)) : this.binary(data));
    this.socket.onclose = async ({ reason }) => {
      this.say(reason || LOST);
      if (!reason) await this.askWhy();
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
    };
  }

  // A WebSocket that was refused does not say why.
  async askWhy() {
    const answer = await ask("/api/cameras");
    if (answer?.status === 401) location.href = "/login";
    else if (answer && !answer.ok) this.say(answer.text.trim());
  }

  // What the files of an old page do with the answers of a new run is not known, so it asks to be loaded anew.
  say(text) { this.dispatchEvent(new CustomEvent("state", { detail: { text: text || (this.isOld ? OLD : ""), isOld: this.isOld && !text } })); }

  // Tells which cameras are on the screen; nothing is sent for the others.
  update() {
    const names = document.hidden ? [] : [...this.tiles].filter(([, tile]) => tile.isLive).map(([name]) => name);
    const wanted = JSON.stringify({ watch: names });
    if (this.socket.readyState === WebSocket.OPEN && wanted !== this.watched) {
      this.watched = wanted;
      this.socket.send(wanted);
    }
  }

  add(camera, tile) { this.tiles.set(camera, tile); this.update(); }
  remove(camera) { this.tiles.delete(camera); this.update(); }

  // The tile that shows a camera live; none for a recording, whose packets may still be on their way.
  live(camera) {
    const tile = this.tiles.get(camera);
    return tile?.recorded ? null : tile;
  }

  text(message) {
    if (message.kind === "cameras") {
      if (message.page !== document.documentElement.dataset.page && !this.isOld) { this.isOld = true; this.say(""); }
      this.cameras = message.cameras;
      this.notices = message.notices;
      const hasEvents = message.events !== this.events;
      this.events = message.events;
      this.dispatchEvent(new CustomEvent("cameras"));
      if (hasEvents) this.dispatchEvent(new CustomEvent("events"));
      return;
    }
    const tile = this.live(message.camera);
    if (message.kind === "stream") {
      this.channels.set(message.channel, message.camera);
      tile?.player.begin(message.mime);
    } else if (message.kind === "pictures") this.channels.set(message.channel, message.camera);
    else if (message.kind === "scene") tile?.overlay.scene(message);
    else if (message.kind === "overlay") tile?.found(message);
  }

  binary(data) {
    const header = new DataView(data);
    const kind = header.getUint8(0);
    if (kind === 3) {
      for (let at = 1; at < data.byteLength;) {
        const isText = header.getUint8(at), end = at + 5 + header.getUint32(at + 1);
        const part = data.slice(at + 5, end);
        if (isText) this.text(JSON.parse(new TextDecoder().decode(part)));
        else this.binary(part);
        at = end;
      }
      return;
    }
    const tile = this.live(this.channels.get(header.getUint16(1)));
    if (kind === 2) tile?.player.picture(data.slice(11), header.getFloat64(3));
    else if (kind === 4) tile?.player.poster(data.slice(11), header.getFloat64(3));
    else tile?.player.append(data.slice(3));
  }
}
