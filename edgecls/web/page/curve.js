// The learning curve: how many of 100 pictures are right, against the pictures of a class, with the interval of 95 %.
import { element, svgElement } from "./dom.js";

const WIDTH = 440, HEIGHT = 250, LEFT = 52, RIGHT = 16, TOP = 14, BOTTOM = 46;
export const percent = (share) => (share == null ? "–" : `${(100 * share).toFixed(share > 0 && share < 1 ? 1 : 0)} %`);
export const range = (low, high) => (low == null ? "–" : `${(100 * low).toFixed(1)} to ${percent(high)}`);

// Returns the drawing and its table. `forecasts` go on from the last point.
export function curveChart(points, forecasts) {
  const ahead = forecasts.map(({ pictures, right, low, high }) => ({ pictures, accuracy: right, low, high }));
  const all = [...points, ...ahead], sizes = all.map((one) => one.pictures);
  const least = Math.max(0, Math.floor(10 * Math.min(...all.map((one) => one.low))) / 10);
  const [first, last] = [Math.log(Math.min(...sizes)), Math.log(Math.max(...sizes))];
  const x = (pictures) => LEFT + ((Math.log(pictures) - first) / Math.max(last - first, 1e-9)) * (WIDTH - LEFT - RIGHT);
  const y = (share) => TOP + ((1 - share) / Math.max(1 - least, 1e-9)) * (HEIGHT - TOP - BOTTOM);
  const at = (list, key) => list.map((one) => `${x(one.pictures).toFixed(1)},${y(one[key]).toFixed(1)}`);
  const band = (list) => [...at(list, "high"), ...at(list, "low").reverse()].join(" ");
  const onwards = ahead.length ? [points.at(-1), ...ahead] : [];
  const end = points.at(-1);
  const said = `Learning curve: ${points.map((one) => `${percent(one.accuracy)} with ${one.pictures} pictures a class`).join(", ")}` +
    (ahead.length ? `; to be expected: ${ahead.map((one) => `${percent(one.accuracy)} with ${one.pictures}`).join(", ")}` : "");
  const picture = svgElement("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": said });
  const step = 1 - least > 0.45 ? 0.2 : 0.1;
  for (let share = 1; share >= least - 1e-9; share -= step) {
    picture.append(svgElement("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share) }),
      svgElement("text", { x: LEFT - 8, y: y(share) + 4, "text-anchor": "end" }, `${Math.round(100 * share)} %`));
  }
  let before = -Infinity;
  for (const pictures of sizes) {
    if (x(pictures) - before < 26) continue;
    before = x(pictures);
    picture.append(svgElement("line", { class: "grid", x1: before, x2: before, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 5 }),
      svgElement("text", { x: before, y: HEIGHT - BOTTOM + 19, "text-anchor": "middle" }, String(pictures)));
  }
  picture.append(svgElement("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "pictures of a class"));
  if (onwards.length) {
    picture.append(svgElement("polygon", { class: "band ahead", points: band(onwards) }),
      svgElement("polyline", { class: "path ahead", points: at(onwards, "accuracy").join(" ") }));
  }
  picture.append(svgElement("polygon", { class: "band", points: band(points) }), svgElement("polyline", { class: "path", points: at(points, "accuracy").join(" ") }));
  for (const one of all) {
    const dot = svgElement("circle", { class: ahead.includes(one) ? "dot ahead" : "dot", cx: x(one.pictures), cy: y(one.accuracy), r: one === end ? 5 : 4 });
    dot.append(svgElement("title", {}, `${one.pictures} pictures a class: ${percent(one.accuracy)} (${range(one.low, one.high)})`));
    picture.append(dot);
  }
  const row = (one, kind) => element("tr", {}, element("td", {}, String(one.pictures)), element("td", {}, percent(one.accuracy)),
    element("td", {}, range(one.low, one.high)), element("td", {}, kind));
  const table = element("table", {}, element("caption", { className: "unseen" }, "Learning curve"),
    element("thead", {}, element("tr", {}, ...["Pictures of a class", "Right", "95 % interval", ""].map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, ...points.map((one) => row(one, "measured")), ...ahead.map((one) => row(one, "to be expected"))));
  return element("figure", {}, picture, element("figcaption", { className: "quiet" },
    "Right of 100 pictures that it had not seen, for models of fewer pictures. The band is the interval of 95 %; dashed is what more pictures may be worth."),
  element("details", {}, element("summary", {}, "The curve as a table"), element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "The curve as a table" }, table)));
}
