// Draws zones, lines and areas on the picture, by mouse, finger and keyboard.
import { svgElement } from "./dom.js";
import { KINDS, SHORT, addCorner, fewest, isPlain, moveAll, moveCorner, newShape, removeCorner, snapped } from "./shapes.js";

const NEAR_PX = 9, FINGER_PX = 18, DRAG_PX = 6, HANDLE_PX = 7, STEP = 0.005, WIDE_STEP = 0.02;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const percent = (value) => `${Math.round(value * 100)} %`;

// Dispatches "change" when a shape was moved, "select", "added" with a new shape, "remove" and "hint".
export class Drawing extends EventTarget {
  constructor(screen) {
    super();
    this.shapes = [];
    this.selected = null;
    this.kind = null; // what is being drawn
    this.draft = null;
    this.svg = svgElement("svg", { class: "drawing", role: "group", "aria-label": "Zones, lines and areas" });
    this.svg.addEventListener("pointerdown", (event) => this.press(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.release(event));
    this.svg.addEventListener("pointercancel", () => { this.held = null; });
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    screen.append(this.svg);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.svg);
  }

  use(shapes, size) {
    this.shapes = shapes;
    this.size = size ?? this.size ?? [1600, 900];
    this.svg.setAttribute("viewBox", `0 0 ${this.size.join(" ")}`);
    this.draw();
  }

  say(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  select(shape, corner = null) {
    this.selected = shape;
    this.draw();
    if (corner !== null) this.svg.querySelector(`[data-corner="${corner}"]`)?.focus();
    this.say("select", shape);
  }

  // Begins to draw. By keyboard, a shape appears in the middle, and its corners can be moved.
  begin(kind, isByKeyboard) {
    this.cancel();
    if (isByKeyboard) { this.add(newShape(kind, null, kind !== "line"), 0); return; }
    this.kind = kind;
    this.select(null);
    this.svg.classList.add("busy");
    this.say("hint", kind === "line" ? "Drag from start to end, or click both." : "Drag a rectangle, or click corner by corner; the first one again, or Enter, ends it. Shift: right angles.");
  }

  cancel() {
    this.kind = this.draft = this.held = null;
    this.svg.classList.remove("busy");
    this.say("hint", "");
    this.draw();
  }

  add(shape, corner = null) {
    this.cancel();
    this.say("added", shape);
    this.select(shape, corner);
  }

  finish(points, rectangle) {
    const { kind } = this;
    if (points.length >= fewest({ kind })) this.add(newShape(kind, points, rectangle));
  }

  // How large the picture is on the screen.
  get scale() {
    const { width, height } = this.svg.getBoundingClientRect();
    return Math.min(width / this.size[0], height / this.size[1]) || 1;
  }

  pointOf({ clientX, clientY }) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const [wide, high] = this.size.map((one) => one * this.scale);
    return [(clientX - left - (width - wide) / 2) / wide, (clientY - top - (height - high) / 2) / high];
  }

  near({ pointerType }) {
    const reach = pointerType === "touch" ? FINGER_PX : NEAR_PX;
    return this.size.map((one) => reach / (one * this.scale));
  }

  snap(event, { level = null, except = null } = {}) {
    const corners = this.shapes.filter((one) => one !== except).flatMap((one) => one.points);
    return snapped(this.pointOf(event), { corners, level: event.shiftKey ? level : null, near: this.near(event) });
  }

  isAt(event, [x, y]) {
    const [a, b] = this.pointOf(event), [across, down] = this.near(event);
    return Math.hypot((a - x) / across, (b - y) / down) <= 1.4;
  }

  press(event) {
    if (event.button !== 0 || this.held) return;
    this.svg.setPointerCapture(event.pointerId);
    if (this.kind) {
      this.held = { id: event.pointerId, from: [event.clientX, event.clientY], isNew: !this.draft };
      this.draft ??= { points: [this.snap(event)] };
      this.move(event);
      return;
    }
    const { corner, middle, shape: number } = event.target.dataset;
    const shape = number === undefined ? this.selected : this.shapes[number];
    if (corner === undefined && middle === undefined && number === undefined) { this.select(null); return; }
    event.preventDefault();
    let index = corner === undefined ? null : Number(corner);
    if (middle !== undefined) { index = Number(middle) + 1; addCorner(shape, index, this.snap(event, { except: shape })); }
    this.select(shape, index);
    this.held = { id: event.pointerId, shape, index, start: shape.points.map((one) => [...one]), at: this.pointOf(event), from: [event.clientX, event.clientY] };
    if (index === null) this.svg.querySelector(".shape.selected")?.focus();
    this.draw();
  }

  move(event) {
    const { held, draft } = this;
    if (draft) {
      draft.next = this.snap(event, { level: draft.points.at(-1) });
      this.draw();
      return;
    }
    if (!held || held.id !== event.pointerId || !this.isDragged(event)) return;
    const { shape, index, start, at } = held;
    if (index === null) moveAll(shape, start, this.pointOf(event).map((one, i) => one - at[i]));
    else moveCorner(shape, index, this.snap(event, { except: shape, level: start.at(index - 1) }));
    held.isMoved = true;
    this.draw();
  }

  isDragged({ clientX, clientY }) {
    const { from, isMoved } = this.held;
    return isMoved || Math.hypot(clientX - from[0], clientY - from[1]) > DRAG_PX;
  }

  release(event) {
    const { held, draft } = this;
    if (!held || held.id !== event.pointerId) return;
    const isDragged = this.isDragged(event);
    this.held = null;
    if (!draft) {
      if (held.isMoved) this.say("change", held.shape);
      return;
    }
    const end = draft.next;
    if (held.isNew) {
      if (!isDragged) { this.draw(); return; }
      const [[x1, y1]] = draft.points, [x2, y2] = end;
      if (this.kind === "line") this.finish([[x1, y1], end], false);
      else this.finish([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], true);
      return;
    }
    const isOver = draft.points.length >= 3 && (this.isAt(event, draft.points[0]) || this.isAt(event, draft.points.at(-1)));
    if (isOver) { this.finish(draft.points, false); return; }
    draft.points.push(end);
    if (this.kind === "line") this.finish(draft.points, false);
    else this.draw();
  }

  key(event) {
    const isHere = this.svg.contains(document.activeElement) || document.activeElement === document.body;
    const corner = document.activeElement?.dataset?.corner;
    if (event.key === "Escape" && (this.kind || (this.selected && isHere))) {
      event.preventDefault();
      if (this.kind) this.cancel(); else this.select(null);
    } else if (event.key === "Enter" && this.draft && isHere) {
      event.preventDefault();
      this.finish(this.draft.points, false);
    } else if (this.selected && isHere && ["Delete", "Backspace"].includes(event.key)) {
      event.preventDefault();
      this.remove(corner === undefined ? null : Number(corner));
    } else if (this.selected && isHere && ["+", "Insert"].includes(event.key) && corner !== undefined && this.selected.kind !== "line") {
      event.preventDefault();
      this.split(Number(corner));
    } else if (this.selected && isHere && event.key in ARROWS) {
      event.preventDefault();
      this.nudge(ARROWS[event.key].map((one) => one * (event.shiftKey ? WIDE_STEP : STEP)), corner === undefined ? null : Number(corner));
    } else if (["Enter", " "].includes(event.key) && event.target.dataset?.shape !== undefined) {
      event.preventDefault();
      this.select(this.shapes[event.target.dataset.shape]);
      this.svg.querySelector(".shape.selected")?.focus();
    }
  }

  remove(corner) {
    if (corner === null || !removeCorner(this.selected, corner)) { this.say("remove", this.selected); return; }
    this.draw();
    this.svg.querySelector(`[data-corner="${Math.max(0, corner - 1)}"]`)?.focus();
    this.say("change", this.selected);
  }

  split(corner) {
    const { points } = this.selected;
    const [a, b] = [points[corner], points[(corner + 1) % points.length]];
    addCorner(this.selected, corner + 1, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    this.draw();
    this.svg.querySelector(`[data-corner="${corner + 1}"]`)?.focus();
    this.say("change", this.selected);
  }

  nudge(step, corner) {
    const shape = this.selected;
    if (corner === null) moveAll(shape, shape.points, step);
    else moveCorner(shape, corner, shape.points[corner].map((one, i) => Math.min(1, Math.max(0, one + step[i]))));
    this.draw();
    if (corner !== null) this.say("hint", `Corner ${corner + 1}: ${percent(shape.points[corner][0])} from the left, ${percent(shape.points[corner][1])} from the top`);
    this.say("change", shape);
  }

  draw() {
    if (!this.size) return;
    const form = JSON.stringify([this.shapes.map((one) => [one.kind, one.points.length]), this.shapes.indexOf(this.selected)]);
    if (form !== this.form) this.build();
    this.form = form;
    this.shapes.forEach((shape, i) => this.place(shape, this.groups[i]));
    this.placeDraft();
  }

  build() {
    const focused = document.activeElement?.dataset?.corner;
    const hadFocus = this.svg.contains(document.activeElement) && focused !== undefined;
    this.groups = this.shapes.map((shape, i) => this.group(shape, i));
    const order = [...this.groups].sort((a, b) => a.isSelected - b.isSelected); // the chosen one lies above the others
    this.draftLine = svgElement("polyline", { class: "draft" });
    this.draftStart = svgElement("circle", { class: "handle draft" });
    this.svg.replaceChildren(...order.map(({ root }) => root), this.draftLine, this.draftStart);
    if (hadFocus) this.svg.querySelector(`[data-corner="${focused}"]`)?.focus();
  }

  group(shape, i) {
    const isSelected = shape === this.selected, isLine = shape.kind === "line";
    const body = svgElement(isLine ? "polyline" : "polygon", { class: `shape ${shape.kind}${isSelected ? " selected" : ""}`, "data-shape": i, tabindex: 0, role: "button", "aria-pressed": isSelected });
    const touch = isLine ? svgElement("polyline", { class: "reach", "data-shape": i }) : null;
    const texts = (isLine ? ["name", "left", "right"] : ["name"]).map((name) => svgElement("text", { class: `plate ${name === "name" ? "" : "side"}` }));
    const count = shape.points.length;
    const corners = isSelected ? shape.points.map((_, n) => svgElement("circle", { class: "handle", "data-corner": n, tabindex: 0, role: "button" })) : [];
    const middles = isSelected && !isLine ? shape.points.map((_, n) => svgElement("circle", { class: "middle", "data-middle": n })) : [];
    const root = svgElement("g");
    root.append(...(touch ? [touch] : []), body, ...texts, ...middles, ...corners);
    return { root, body, touch, texts, corners, middles, count, isSelected };
  }

  place(shape, { body, touch, texts, corners, middles }) {
    const [wide, high] = this.size, unit = 1 / this.scale;
    const at = shape.points.map(([x, y]) => [x * wide, y * high]);
    const path = at.map((one) => one.join(",")).join(" ");
    body.setAttribute("points", path);
    touch?.setAttribute("points", path);
    const name = shape.value.name ?? KINDS[shape.kind].toLowerCase();
    body.setAttribute("aria-label", `${isPlain(shape.kind) ? "" : `${shape.kind} `}${name}`);
    const put = (text, content, [x, y]) => {
      text.textContent = content;
      text.setAttribute("font-size", 13 * unit);
      text.setAttribute("x", Math.min(Math.max(x, 8 * unit), wide - 8 * unit));
      text.setAttribute("y", Math.min(Math.max(y, 16 * unit), high - 6 * unit));
    };
    const [first, second] = at;
    put(texts[0], SHORT[shape.kind] ?? name, [first[0], first[1] - 8 * unit]);
    if (shape.kind === "line") {
      const [dx, dy] = [second[0] - first[0], second[1] - first[1]], length = Math.hypot(dx, dy) || 1;
      const middle = [(first[0] + second[0]) / 2, (first[1] + second[1]) / 2 + 4 * unit];
      for (const [text, side, sign] of [[texts[1], "left", 1], [texts[2], "right", -1]]) {
        const [across, down] = [(sign * dy) / length, (-sign * dx) / length]; // from the line to that side
        text.setAttribute("text-anchor", Math.abs(across) < 0.4 ? "middle" : across > 0 ? "start" : "end");
        put(text, shape.value[side] ?? side, [middle[0] + across * 14 * unit, middle[1] + down * 22 * unit]);
      }
    }
    const circle = (one, [x, y], radius) => { one.setAttribute("cx", x); one.setAttribute("cy", y); one.setAttribute("r", radius * unit); };
    corners.forEach((one, n) => {
      circle(one, at[n], HANDLE_PX);
      one.setAttribute("aria-label", `Corner ${n + 1} of ${corners.length} of ${name}: ${percent(shape.points[n][0])} from the left, ${percent(shape.points[n][1])} from the top`);
    });
    middles.forEach((one, n) => { const next = at[(n + 1) % at.length]; circle(one, [(at[n][0] + next[0]) / 2, (at[n][1] + next[1]) / 2], HANDLE_PX - 2); });
  }

  placeDraft() {
    const [wide, high] = this.size, points = this.draft ? [...this.draft.points, this.draft.next ?? this.draft.points.at(-1)] : [];
    const isBox = this.held?.isNew && this.draft && this.kind !== "line";
    const [a, b] = points;
    const shown = isBox ? [a, [b[0], a[1]], b, [a[0], b[1]], a] : points;
    this.draftLine.setAttribute("points", shown.map(([x, y]) => `${x * wide},${y * high}`).join(" "));
    this.draftStart.setAttribute("r", points.length ? HANDLE_PX / this.scale : 0);
    this.draftStart.setAttribute("cx", (points[0]?.[0] ?? 0) * wide);
    this.draftStart.setAttribute("cy", (points[0]?.[1] ?? 0) * high);
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener("keydown", this.onKey);
    this.svg.remove();
  }
}
