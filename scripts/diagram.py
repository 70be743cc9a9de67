"""Draw the path of a frame as an SVG for README and docs, in light and dark mode."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT = 1080, 330
BOX_W, BOX_H, GAP = 128, 92, 24
TOP = 118
STATIONS = (
    ("sources", ("webcam, RTSP,", "video, folder", "reopened if lost")),
    ("health", ("frozen, black,", "covered, moved:", "no labels then")),
    ("regions", ("zones, and", "what moves")),
    ("pixels", ("cut and shrunk", "straight from", "the decoder")),
    ("model", ("one inference", "for all cameras", "label, score")),
    ("events", ("states, objects,", "crossings,", "counts")),
    ("outputs", ("JSON, video, clips", "MQTT, webhook,", "SQLite, metrics")),
)
RULES = """
text { font: 13px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
.name { font-weight: 600; font-size: 15px }
.small { fill: #57606a; font-size: 12.5px }
rect { fill: #f6f8fa; stroke: #d0d7de; rx: 10px }
.made { fill: #ddf4ff; stroke: #54aeff }
path { stroke: #57606a; fill: none; stroke-width: 1.6 }
marker path { fill: #57606a; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } rect { fill: #151b23; stroke: #3d444d }
  .made { fill: #0c2d6b; stroke: #388bfd } path { stroke: #9198a1 } marker path { fill: #9198a1 }
}
"""


def path_of_a_frame() -> str:
    """Return the SVG: the stations in a row, above them the making of the model, below what each passes on."""
    left = (WIDTH - len(STATIONS) * BOX_W - (len(STATIONS) - 1) * GAP) / 2
    lefts = [left + i * (BOX_W + GAP) for i in range(len(STATIONS))]
    parts = [_box(x, TOP, name, lines) for x, (name, lines) in zip(lefts, STATIONS, strict=True)]
    parts += [_arrow(x + BOX_W + 3, TOP + BOX_H / 2, x + BOX_W + GAP - 3, TOP + BOX_H / 2) for x in lefts[:-1]]
    made = (("pictures", 1), ("edgecls train", 2), ("edgecls export", 3), ("one .onnx file", 4))
    parts += [_label(lefts[i], 26, words) for words, i in made]
    parts += [_arrow(lefts[i] + BOX_W + 3, 44, lefts[i + 1] - 3, 44) for i in (1, 2, 3)]
    parts += [_arrow(lefts[4] + BOX_W / 2, 65, lefts[4] + BOX_W / 2, TOP - 4)]
    hands = ("frame", "frame or fault", "boxes", "small pictures", "labels", "events")
    parts += [_text(x + BOX_W + GAP / 2, TOP + BOX_H + 26, words, "small") for x, words in zip(lefts[:-1], hands, strict=True)]
    parts += [
        _text(WIDTH / 2, TOP + BOX_H + 70, "one thread for each camera: a slow or lost one holds up no other", "small"),
        _text(
            WIDTH / 2,
            TOP + BOX_H + 92,
            "files lose nothing, live cameras skip to their newest frame, events wait on disk",
            "small",
        ),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
    )
    title = "<title>The path of a frame</title><desc>" + escape(", ".join(name for name, _ in STATIONS)) + "</desc>"
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    tip = f'<defs><marker id="tip" {size} orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
    return f"{head}{title}<style>{RULES}</style>{tip}{''.join(parts)}</svg>\n"


def _box(x: float, y: float, name: str, lines: tuple[str, ...]) -> str:
    middle = x + BOX_W / 2
    words = [
        _text(middle, y + 24, name, "name"),
        *(_text(middle, y + 45 + 17 * i, line, "small") for i, line in enumerate(lines)),
    ]
    return f'<rect x="{x:g}" y="{y:g}" width="{BOX_W}" height="{BOX_H}" rx="10"/>{"".join(words)}'


def _label(x: float, y: float, words: str) -> str:
    return f'<rect class="made" x="{x:g}" y="{y:g}" width="{BOX_W}" height="36" rx="10"/>{_text(x + BOX_W / 2, y + 23, words)}'


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(words)}</text>'


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" marker-end="url(#tip)"/>'
