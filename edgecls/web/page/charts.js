// Charts as SVG: a reliability diagram, and a distance over some days against its limit.
import { svgElement } from "./dom.js";

const title = (text) => svgElement("title", {}, text);
const round = (number) => Math.round(number * 100) / 100;

// Bars are the share of right labels of the pictures with such a score; on the dashed line it equals the score.
export function reliability(bins, label) {
  const [left, right, top, bottom] = [44, 350, 12, 232];
  const x = (share) => left + share * (right - left), y = (share) => bottom - share * (bottom - top);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const bars = bins.filter((bin) => bin.pictures).flatMap((bin) => {
    const words = `score ${bin.low.toFixed(2)} to ${bin.high.toFixed(2)}: ${bin.pictures.toLocaleString()} pictures, ` +
      `mean score ${bin.score.toFixed(3)}, ${(100 * bin.right).toFixed(1)} % right`;
    const [low, high] = [Math.min(bin.right, bin.score), Math.max(bin.right, bin.score)];
    const place = { x: round(x(bin.low) + 1), width: round(x(bin.high) - x(bin.low) - 2) };
    const few = bin.pictures < 20 ? " few" : "";
    return [
      svgElement("rect", { ...place, y: round(y(bin.right)), height: round(bottom - y(bin.right)), class: `bar-right${few}` }, title(words)),
      svgElement("rect", { ...place, y: round(y(high)), height: round(y(low) - y(high)), class: `${bin.score > bin.right ? "bar-sure" : "bar-shy"}${few}` },
        title(words)),
    ];
  });
  const axes = ticks.flatMap((at) => [
    svgElement("line", { x1: left, x2: right, y1: y(at), y2: y(at), class: "grid" }),
    svgElement("text", { x: left - 8, y: y(at) + 4, "text-anchor": "end" }, `${100 * at} %`),
    svgElement("text", { x: x(at), y: bottom + 18, "text-anchor": "middle" }, at.toFixed(2)),
  ]);
  return svgElement("svg", { viewBox: "0 0 372 272", class: "chart", role: "img", "aria-label": label }, ...axes, ...bars,
    svgElement("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "diagonal" }),
    svgElement("text", { x: (left + right) / 2, y: 266, "text-anchor": "middle" }, "score of the best label"));
}

// A distance over time: `hours` are [start, distance, limit]; the dashed line is the limit, and above it is a change.
export function distances(hours, { since, until, label }) {
  const [width, height, edge] = [300, 56, 3];
  const most = Math.max(...hours.flatMap(([, distance, limit]) => [distance, limit])) * 1.1 || 1;
  const x = (at) => round(edge + ((at - since) / (until - since)) * (width - 2 * edge));
  const y = (value) => round(height - edge - (value / most) * (height - 2 * edge));
  const path = (values) => values.map(([at, value], i) => `${i && at - values[i - 1][0] <= 2 * 3600 ? "L" : "M"}${x(at)} ${y(value)}`).join("");
  const [lastAt, last, limit] = hours.at(-1);
  return svgElement("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart line", role: "img", "aria-label": label, preserveAspectRatio: "none" },
    svgElement("path", { d: path(hours.map(([at, , value]) => [at, value])), class: "limit" }),
    svgElement("path", { d: path(hours.map(([at, value]) => [at, value])), class: "distance" }),
    svgElement("path", { d: `M${x(lastAt)} ${y(last)}h0`, class: last >= limit ? "now beyond" : "now" }));
}
