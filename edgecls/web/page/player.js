// Shows a stream of MP4 fragments (Media Source Extensions), or single pictures, as near to now as possible.
const KEPT_S = 5, FAR_S = 1.0, BEHIND_S = 0.35, EDGE_S = 0.15, CHECK_MS = 250, LEAD_S = 10;

export class Player {
  // `onTime` is called with the media time of each picture when it is shown.
  constructor(screen, onTime) {
    this.screen = screen;
    this.onTime = onTime;
    this.reason = "";
    this.timer = setInterval(() => this.catchUp(), CHECK_MS);
  }

  begin(mime) {
    this.reset();
    const Source = window.ManagedMediaSource ?? window.MediaSource;
    if (!Source?.isTypeSupported(mime)) {
      this.reason = `This browser cannot play ${mime.includes("hvc1") ? "H.265" : "this video"}.`;
      return;
    }
    this.reason = "";
    const video = document.createElement("video"); // a new one for each stream: sizes may change
    Object.assign(video, { muted: true, playsInline: true, disableRemotePlayback: true });
    video.setAttribute("aria-hidden", "true");
    const source = new Source();
    video.src = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(video.src);
      this.buffer = source.addSourceBuffer(mime);
      this.buffer.mode = "segments";
      this.buffer.addEventListener("updateend", () => this.next());
      this.next();
    }, { once: true });
    video.addEventListener("error", () => { this.reason = "This browser cannot decode the video."; });
    this.screen.prepend(video);
    this.video = video;
    this.watchTime(video);
  }

  append(data) {
    if (!this.video) return;
    this.queue.push(data);
    this.next();
  }

  // Shows a picture until the video has one of its own.
  poster(data, time) {
    if (this.video && !this.isShown) this.show(data, time);
  }

  picture(data, time) {
    if (this.video) this.reset();
    this.show(data, time);
  }

  show(data, time) {
    if (!this.image) {
      this.image = document.createElement("img");
      this.image.alt = "";
      if (this.video) this.video.after(this.image);
      else this.screen.prepend(this.image);
    }
    const address = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
    const { image } = this;
    image.onload = () => {
      URL.revokeObjectURL(address);
      if (this.image === image) this.onTime(time + LEAD_S, image.naturalWidth, image.naturalHeight);
    };
    image.src = address;
  }

  next() {
    const { buffer, video } = this;
    if (!buffer || buffer.updating || !video || video.error) return;
    try {
      if (this.queue.length) {
        const size = this.queue.reduce((sum, part) => sum + part.byteLength, 0);
        const all = new Uint8Array(size);
        this.queue.splice(0).reduce((at, part) => { all.set(new Uint8Array(part), at); return at + part.byteLength; }, 0);
        buffer.appendBuffer(all);
      } else if (buffer.buffered.length && video.currentTime - buffer.buffered.start(0) > 2 * KEPT_S) {
        buffer.remove(0, video.currentTime - KEPT_S);
      }
      this.catchUp();
    } catch (error) {
      this.reason = `The video stopped: ${error.message}`;
    }
  }

  catchUp() {
    const { buffer, video } = this;
    if (!video || !buffer || !video.buffered.length) return;
    const end = video.buffered.end(video.buffered.length - 1);
    const behind = end - video.currentTime;
    if (behind > FAR_S || behind < 0 || video.currentTime < video.buffered.start(video.buffered.length - 1)) {
      video.currentTime = Math.max(end - EDGE_S, video.buffered.start(video.buffered.length - 1));
    }
    video.playbackRate = behind > BEHIND_S ? 1.1 : 1.0;
    if (video.paused) video.play().catch(() => {});
  }

  watchTime(video) {
    const isCurrent = () => this.video === video;
    if (video.requestVideoFrameCallback) {
      const shown = (_now, { mediaTime }) => {
        if (!isCurrent()) return;
        this.uncover();
        this.onTime(mediaTime, video.videoWidth, video.videoHeight);
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    } else {
      const shown = () => {
        if (!isCurrent()) return;
        if (video.readyState >= 2) { this.uncover(); this.onTime(video.currentTime, video.videoWidth, video.videoHeight); }
        requestAnimationFrame(shown);
      };
      requestAnimationFrame(shown);
    }
  }

  // The video has a picture, so the poster goes.
  uncover() {
    if (this.isShown) return;
    this.isShown = true;
    this.image?.remove();
    this.image = null;
  }

  reset() {
    this.isShown = false;
    this.video?.remove();
    this.image?.remove();
    this.video = this.image = this.buffer = null;
    this.queue = [];
  }

  close() {
    clearInterval(this.timer);
    this.reset();
  }

  queue = [];
}
