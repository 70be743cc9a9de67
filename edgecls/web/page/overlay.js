// Draws what was found over exactly the picture in which it was found.
const OLDEST_S = 0.6, ROUNDING_S = 0.002, KEPT = 128;
const COLORS = ["#4ea1ff", "#ffb454", "#6fdc8c", "#ff7eb6", "#be95ff", "#fff176", "#5ee7df", "#ff8a65"];

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.results = [];
    this.areas = [];
    this.lines = [];
    this.last = null;
  }

  scene({ areas, lines }) {
    this.areas = areas;
    this.lines = lines;
    this.redraw();
  }

  found(result) {
    if (this.results.length && result.time < this.results.at(-1).time) this.results = []; // a new stream
    this.results.push(result);
    if (this.results.length > KEPT) this.results.shift();
    if (this.last && Math.abs(result.time - this.last.time) < ROUNDING_S) this.draw(this.last.time, this.last.width, this.last.height); // it came late
  }

  // Draws the newest result that is not newer than the picture at `time`.
  draw(time, width, height) {
    if (!width) return;
    const result = this.results.findLast((one) => one.time <= time + ROUNDING_S);
    this.last = { time, width, height };
    this.shown = result && time - result.time <= OLDEST_S ? result : null;
    const boxes = this.shown?.boxes ?? [];
    this.canvas.dataset.labels = boxes.map((one) => one.label).join(", ");
    this.redraw();
  }

  redraw() {
    if (!this.last) return;
    const { canvas } = this;
    const { width, height } = this.last;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    const wide = Math.round(canvas.clientWidth * dense), high = Math.round(canvas.clientHeight * dense);
    if (!wide || !high) return;
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, wide, high);
    const scale = Math.min(wide / width, high / height);
    const left = (wide - width * scale) / 2, top = (high - height * scale) / 2;
    const at = ([x, y]) => [left + x * width * scale, top + y * height * scale];
    pen.lineWidth = 2 * dense;
    pen.font = `${13 * dense}px system-ui, sans-serif`;
    pen.textBaseline = "top";
    for (const area of this.isEdited ? [] : this.areas) {
      this.path(pen, area.corners.map(at), true);
      pen.setLineDash(area.look === "ignored" ? [4 * dense, 6 * dense] : []);
      pen.strokeStyle = area.look === "ignored" ? "#9aa6b4" : "#ffffffcc";
      pen.stroke();
      pen.setLineDash([]);
      this.plate(pen, at(area.corners[0]), area.note ? `${area.name} ${area.note}` : area.name, "#ffffffcc", dense);
    }
    for (const line of this.isEdited ? [] : this.lines) {
      const ends = line.ends.map(at);
      this.path(pen, ends, false);
      pen.strokeStyle = "#ffd54f";
      pen.stroke();
      const notes = line.sides.filter(([, note]) => note).map(([side, note]) => `${side} ${note}`).join("  ");
      this.plate(pen, ends[0], notes ? `${line.name}: ${notes}` : line.name, "#ffd54f", dense);
    }
    for (const one of this.shown?.boxes ?? []) {
      if (one.whole) continue; // the caption says it
      const color = one.ignored ? "#9aa6b4" : COLORS[(one.track ?? this.hash(one.region)) % COLORS.length];
      const [x1, y1] = at(one.box.slice(0, 2)), [x2, y2] = at(one.box.slice(2));
      if (one.path?.length > 1) { this.path(pen, one.path.map(at), false); pen.strokeStyle = color; pen.stroke(); }
      pen.strokeStyle = color;
      pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
      this.plate(pen, [x1, y1], `${one.label} ${Math.round(one.score * 100)}%`, color, dense);
    }
  }

  path(pen, points, isClosed) {
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (isClosed) pen.closePath();
  }

  plate(pen, [x, y], text, color, dense) {
    const width = pen.measureText(text).width + 8 * dense, height = 17 * dense;
    const left = Math.max(0, Math.min(x, pen.canvas.width - width)), top = Math.max(0, y - height);
    pen.fillStyle = color;
    pen.fillRect(left, top, width, height);
    pen.fillStyle = "#101418";
    pen.fillText(text, left + 4 * dense, top + 2 * dense);
  }

  hash(text) { return [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7); }
}
