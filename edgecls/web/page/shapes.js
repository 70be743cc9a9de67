// Zones, lines and areas as points in fractions of the picture, and how points snap.
const DIGITS = 1e4, FIRST_BOX = [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]], FIRST_LINE = [[0.2, 0.5], [0.8, 0.5]];
const GEOMETRY = { zone: "area", line: "line" };

export const KINDS = { zone: "Zone", line: "Line", ignore: "Ignored area", private: "Private area", left: "Area for left objects" };
export const SHORT = { ignore: "ignored", private: "private", left: "left objects" };
export const isPlain = (kind) => kind in SHORT; // an area without a name

export const LEFT_AFTER_S = 30;
export const HINTS = {
  ignore: "Moving objects whose center is in this area are ignored.",
  private: "This area is black for the model and in everything that is shown, written or sent. The page then shows single pictures of the camera, and there are no clips. Saving opens the camera anew.",
  left: "Only what was left behind or removed in these areas is reported; without such an area, in the whole picture.",
};

export const round = (value) => Math.round(value * DIGITS) / DIGITS;
const within = (value) => Math.min(1, Math.max(0, value));

const isRectangle = (area) => area.length === 4 && area.every((one) => typeof one === "number");

const cornersOf = ([x, y, width, height]) => [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];

// `at` is the place in the file, null for what is new; `value` is what the file says of it, for an area without a name only its corners.
export function shapeOf(kind, value, at) {
  const written = isPlain(kind) ? value : value[GEOMETRY[kind]];
  const rectangle = kind !== "line" && isRectangle(written);
  const points = (rectangle ? cornersOf(written) : written).map(([x, y]) => [x, y]);
  return { kind, at, value: isPlain(kind) ? {} : { ...value }, written, points, rectangle, moved: false };
}

export function newShape(kind, points, rectangle, name) {
  const value = isPlain(kind) ? {} : { name };
  return { kind, at: null, value, written: null, points: points ?? (kind === "line" ? FIRST_LINE : FIRST_BOX).map((one) => [...one]), rectangle, moved: true };
}

// What cameras.toml shall say; corners that nobody moved stay as they are written.
export function valueOf(shape) {
  const points = shape.points.map((point) => point.map(round));
  const [[x1, y1], , [x2, y2]] = [...points, ...points];
  const area = shape.rectangle ? [Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1)].map(round) : points;
  const written = shape.moved ? area : shape.written;
  if (isPlain(shape.kind)) return written;
  return { name: shape.value.name, [GEOMETRY[shape.kind]]: null, ...shape.value, [GEOMETRY[shape.kind]]: written };
}

// The shapes and the rules of a camera as they are written. Areas for left objects stand among its rules.
export function drawnOf(written) {
  const { left, ...rules } = structuredClone(written.rules), { area = [], ...rest } = left ?? {};
  const lists = { zone: written.zone, line: written.line, ignore: written.ignore, private: written.private, left: area };
  const shapes = Object.entries(lists).flatMap(([kind, values]) => values.map((value, at) => shapeOf(kind, value, at)));
  return { shapes, rules: { ...rules, ...(left ? { left: rest } : {}) } };
}

export function writtenOf(shapes, { left, ...rules }) {
  const items = (kind) => shapes.filter((one) => one.kind === kind).map((one) => ({ at: one.at, value: valueOf(one) }));
  const area = items("left").map((one) => one.value);
  if (left) rules.left = { ...left, ...(area.length ? { area } : {}) };
  return { zone: items("zone"), line: items("line"), ignore: items("ignore"), private: items("private"), rules };
}

export const fewest = ({ kind }) => (kind === "line" ? 2 : 3);

// Moves one corner; a rectangle stays one.
export function moveCorner(shape, index, [x, y]) {
  shape.moved = true;
  shape.points[index] = [x, y];
  if (!shape.rectangle) return;
  const isLevel = index % 2 === 0; // whether the next corner has the same y
  const [next, before] = [(index + 1) % 4, (index + 3) % 4];
  shape.points[isLevel ? next : before][1] = y;
  shape.points[isLevel ? before : next][0] = x;
}

// Moves all corners, as far as the picture goes.
export function moveAll(shape, start, [dx, dy]) {
  const [xs, ys] = [0, 1].map((axis) => start.map((point) => point[axis]));
  const right = Math.min(1 - Math.max(...xs), Math.max(-Math.min(...xs), dx));
  const down = Math.min(1 - Math.max(...ys), Math.max(-Math.min(...ys), dy));
  shape.moved = true;
  shape.points = start.map(([x, y]) => [x + right, y + down]);
}

export function addCorner(shape, index, point) {
  shape.moved = true;
  shape.rectangle = false;
  shape.points.splice(index, 0, point);
}

export function removeCorner(shape, index) {
  if (shape.points.length <= fewest(shape)) return false;
  shape.moved = true;
  shape.rectangle = false;
  shape.points.splice(index, 1);
  return true;
}

// Snaps to corners of others, to the level of a neighbour (a right angle to the picture's edges), and to the edges of the picture.
// `near` is how far each may be, across and down; `level` is the neighbour, if right angles are wanted.
export function snapped([x, y], { corners, level, near }) {
  const isNear = ([a, b]) => Math.hypot((x - a) / near[0], (y - b) / near[1]) <= 1;
  const corner = corners.find(isNear);
  if (corner) return [...corner];
  if (level) {
    const [across, down] = [Math.abs(x - level[0]) / near[0], Math.abs(y - level[1]) / near[1]];
    if (across < down) x = level[0]; else y = level[1];
  }
  const toEdge = (value, distance) => (value < distance ? 0 : value > 1 - distance ? 1 : value);
  return [within(toEdge(x, near[0])), within(toEdge(y, near[1]))];
}
