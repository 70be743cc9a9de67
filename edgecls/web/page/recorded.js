// Plays a recording at its own pace, with what the run has found at each place of it. The run itself goes on as it does.
import { ask } from "./ask.js";
import { element } from "./dom.js";

const STEP_MS = 200, PICTURE_MS = 100, EDGE_S = 0.4, AHEAD_S = 1, AGAIN_MS = 500, KEPT_CHUNKS = 24, LONGEST_STEP_S = 0.5;

export function clock(seconds) {
  const whole = Math.floor(seconds + 1e-3), minutes = Math.floor(whole / 60), two = (number) => String(number).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

export class Recorded {
  // `onShown` is called with the result of the picture that is shown, or null; `onChange` when the reason may be another one.
  constructor(name, screen, overlay, { onShown, onChange }) {
    Object.assign(this, { screen, overlay, onShown, onChange });
    this.base = `/api/recordings/${encodeURIComponent(name)}`;
    this.chunks = new Map();
    this.run = { until_s: null, has_ended: false };
    this.time = 0;
    this.isWanted = true;
    this.isSeen = false;
    this.button = element("button", { type: "button", onclick: () => this.toggle() }, "Pause");
    this.slider = element("input", { type: "range", min: 0, max: 0, step: 0.1, value: 0, "aria-label": `Place in the recording of ${name}`, oninput: () => this.seek(Number(this.slider.value)) });
    this.clock = element("span", { className: "numbers" });
    this.reach = element("progress", { max: 1, value: 0, "aria-label": "How far the run has come", title: "How far the run has come" });
    this.controls = element("div", { className: "controls" }, this.button, element("div", { className: "place" }, this.slider, this.reach), this.clock);
    this.timer = setInterval(() => this.step(), STEP_MS);
    this.load();
  }

  async load() {
    const answer = await ask(this.base);
    if (this.isClosed) return;
    if (!answer?.ok) {
      this.fault = answer ? answer.text.trim() : "";
      this.again = setTimeout(() => this.load(), 10 * AGAIN_MS);
      return;
    }
    this.fault = "";
    this.about = answer.json();
    this.setLength(this.about.duration_s);
    if (this.about.why) this.usePictures(`Shown as ${this.about.why}.`);
    else this.useVideo();
  }

  setLength(seconds) {
    this.length = seconds;
    this.slider.max = this.reach.max = seconds || 1;
    this.showPlace();
  }

  useVideo() {
    const video = element("video", { muted: true, playsInline: true, disableRemotePlayback: true, preload: "auto", "aria-hidden": "true" });
    const refuse = () => { if (this.video === video) this.usePictures("Shown as single pictures, because this browser cannot play the file."); };
    video.addEventListener("error", refuse);
    video.addEventListener("loadedmetadata", () => {
      if (!video.videoWidth) { refuse(); return; }
      if (!this.length) this.setLength(video.duration);
      this.seek(this.time);
    });
    video.addEventListener("ended", () => this.end());
    const shown = (_now, { mediaTime }) => {
      if (this.video !== video) return;
      this.show(mediaTime - this.about.first_s, video.videoWidth, video.videoHeight);
      video.requestVideoFrameCallback(shown);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(shown);
    else video.addEventListener("timeupdate", () => this.show(video.currentTime - this.about.first_s, video.videoWidth, video.videoHeight));
    this.screen.prepend(video);
    this.video = video;
    video.src = `${this.base}/video`;
  }

  usePictures(why) {
    this.video?.remove();
    this.video = null;
    this.why = why;
    this.image = element("img", { alt: "" });
    this.screen.prepend(this.image);
    this.isDue = true;
    clearInterval(this.timer);
    this.timer = setInterval(() => { this.step(); this.takePicture(); }, PICTURE_MS);
    this.onChange();
  }

  async takePicture() {
    const now = performance.now(), seconds = Math.min((now - (this.stepped ?? now)) / 1000, LONGEST_STEP_S);
    this.stepped = now;
    if (this.isPlaying) {
      this.time = Math.min(this.time + seconds, this.length || Infinity);
      this.isDue = true;
      if (this.length && this.time >= this.length) this.end();
    }
    if (!this.isDue || this.isTaking || !this.isSeen) return;
    this.isTaking = true;
    this.isDue = false;
    const answer = await fetch(`${this.base}/picture?at=${this.time.toFixed(3)}`).catch(() => null);
    const data = answer?.ok ? await answer.blob().catch(() => null) : null;
    if (data && !this.isClosed) {
      const address = URL.createObjectURL(data), time = Number(answer.headers.get("X-Time"));
      await new Promise((resolve) => { this.image.onload = this.image.onerror = resolve; this.image.src = address; });
      URL.revokeObjectURL(address);
      this.show(time, this.image.naturalWidth, this.image.naturalHeight);
    } else if (answer?.status === 404 && this.isPlaying) this.end();
    this.isTaking = false;
  }

  get isPlaying() { return this.isWanted && this.isSeen && !this.isWaiting && !this.isOver; }

  // What the run says of itself once a second.
  update(run) {
    if ((run.until_s ?? 0) < (this.run.until_s ?? 0)) { this.chunks.clear(); this.video?.load(); } // the run has begun anew
    this.run = run;
    this.reach.value = run.has_ended ? this.reach.max : run.until_s ?? 0;
    this.reach.hidden = run.has_ended;
    this.step();
  }

  // Boxes are there as far as the run has come, and so far it plays.
  step() {
    const reach = this.run.has_ended ? Infinity : this.run.until_s ?? -1;
    const before = [this.isWaiting, this.isOver].join();
    this.isWaiting = this.time + (this.isWaiting ? AHEAD_S : EDGE_S) > reach;
    const { video } = this;
    if (video && this.isPlaying && video.paused) video.play().catch(() => {});
    else if (video && !this.isPlaying && !video.paused) video.pause();
    this.button.textContent = this.isOver ? "Play again" : this.isWanted ? "Pause" : "Play";
    if (this.last) this.fetchChunks();
    if (before !== [this.isWaiting, this.isOver].join()) this.onChange();
  }

  get reason() {
    if (this.fault) return this.fault;
    if (this.isOver) return "The recording has ended.";
    if (this.isWaiting && this.about) return this.run.until_s == null ? "The run has not looked at it yet." : `The run has come to ${clock(this.run.until_s)}. It plays on when the run has looked at this place.`;
    return this.why ?? "";
  }

  toggle() {
    this.isWanted = this.isOver || !this.isWanted;
    if (this.isOver) this.seek(0);
    this.step();
  }

  end() {
    this.isOver = true;
    this.isWanted = false;
    this.step();
  }

  seek(time) {
    this.time = time;
    this.isOver = false;
    if (this.video && this.about) this.video.currentTime = time + this.about.first_s;
    this.isDue = true;
    this.showPlace();
    this.step();
  }

  showPlace() {
    const length = this.length ? ` / ${clock(this.length)}` : "";
    this.slider.value = this.time;
    this.slider.setAttribute("aria-valuetext", clock(this.time));
    this.clock.textContent = `${clock(this.time)}${length}`;
  }

  // Draws what was found in the picture of this time.
  show(time, width, height) {
    if (this.video && !this.video.seeking) this.time = Math.max(0, time);
    this.last = { time, width, height };
    this.showPlace();
    this.fetchChunks();
    this.draw();
  }

  draw() {
    const { time, width, height } = this.last, number = this.number(time);
    const here = [this.chunks.get(number - 1)?.records.slice(-1) ?? [], this.chunks.get(number)?.records ?? []].flat();
    const scene = here.findLast((one) => one.kind === "scene" && one.time <= time + 0.002);
    if (scene) this.overlay.scene(scene);
    this.overlay.results = here.filter((one) => one.kind === "overlay");
    this.overlay.draw(time, width, height);
    this.onShown(this.overlay.shown);
  }

  number(time) { return Math.max(0, Math.floor(time / this.about.chunk_s)); }

  fetchChunks() {
    const number = this.number(this.last.time);
    for (const one of [number, number + 1]) this.fetchChunk(one);
  }

  async fetchChunk(number) {
    const known = this.chunks.get(number), now = performance.now();
    const isThere = this.run.has_ended || number * this.about.chunk_s <= (this.run.until_s ?? -1);
    if (known?.is_over || known?.isLoading || !isThere || now - (known?.asked ?? -Infinity) < AGAIN_MS) return;
    const chunk = { records: known?.records ?? [], isLoading: true, asked: now };
    this.chunks.set(number, chunk);
    if (this.chunks.size > KEPT_CHUNKS) this.chunks.delete(this.chunks.keys().next().value);
    const answer = await ask(`${this.base}/found/${number}`);
    if (answer?.ok) Object.assign(chunk, answer.json());
    chunk.is_over ||= this.run.has_ended && Boolean(answer?.ok);
    chunk.isLoading = false;
    if (!this.isClosed && this.last && this.number(this.last.time) === number) this.draw();
  }

  close() {
    this.isClosed = true;
    clearInterval(this.timer);
    clearTimeout(this.again);
    this.video?.removeAttribute("src");
    this.video?.load(); // ends the download
    this.video?.remove();
    this.image?.remove();
  }
}
