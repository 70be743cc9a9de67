"""The ladder of an export, each form of a model with what it is worth, as a table and as a chart of accuracy against time.

A ladder is what `edgecls export` writes beside M.onnx as M.ladder.json. What is read of it here:

    target, processor, measured_on, limits.max_drop      in words at the top
    chosen        the name of the rung that was taken, or null
    rungs         a list: name, the numbers of COLUMNS, and refused: "" for a rung that passes, else why it does not
    left_out      a list of {name, why}
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.files import whole_file
from edgecls.ladder import REFERENCE
from edgecls.report.markup import Markup, joined, number, percent, table, tag
from edgecls.report.style import style
from edgecls.report.svg import Scale, axes, dot, line, svg, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Ladder = Mapping[str, Any]
    Rung = Mapping[str, Any]

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "top1": ("top-1", lambda v: percent(v, 2)),
    "macro_recall": ("macro recall", lambda v: percent(v, 2)),
    "worst_recall": ("worst class", percent),
    "agreement": ("as fp32", lambda v: percent(v, 2)),
    "calibration_error": ("cal. error", lambda v: number(v, ".4f")),
    "bytes": ("bytes", number),
    "us": ("\u00b5s", number),
    "p99_us": ("p99", number),
    "us_16": ("\u00b5s of 16", number),
    "p99_us_16": ("p99", number),
    "test_top1": ("test top-1", lambda v: percent(v, 2)),
    "test_macro_recall": ("test macro recall", lambda v: percent(v, 2)),
}
"""Columns by the name of their value in a rung; one that no rung has is left out, and a value that one lacks is a dash."""
KINDS = {"mark": "taken", "passed": "passes", "failed": "does not"}
"""How a dot looks, and what it says."""
PLACES = ("ladder-link", "ladder")
"""Between comments of these names stand the link and the section in a page."""


def beside(model: str | Path) -> Ladder | None:
    """The ladder in the file beside a model file; None where there is none. Raises ConfigError for one that cannot be read."""
    path = Path(model).with_suffix(".ladder.json")
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rungs = found["rungs"]
        good = all(isinstance(rung["name"], str) for rung in rungs)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path}: the ladder cannot be read ({error!r}); export the model again, or remove the file"
        ) from error
    if not good or not rungs:
        raise ConfigError(f"{path}: expected a ladder with rungs that have names; export the model again, or remove the file")
    return dict(found)


def section(ladder: Ladder) -> Markup:
    """What was measured on what, the table and the chart."""
    rungs = ladder["rungs"]
    columns = [key for key in COLUMNS if any(rung.get(key) is not None for rung in rungs)]
    rows = [
        (_name(rung, ladder.get("chosen")), *(COLUMNS[key][1](rung.get(key)) for key in columns), rung.get("refused") or "yes")
        for rung in rungs
    ]
    header = ("form", *(COLUMNS[key][0] for key in columns), "passes")
    words = [f"for {ladder['target']}" if ladder.get("target") else "", f"on {ladder.get('measured_on') or 'pictures'}",
             f"timed on one thread of {ladder['processor']}" if ladder.get("processor") else ""]  # fmt: skip
    caption = f"Each form as it was measured at the export {', '.join(filter(None, words))}"
    left_out = [tag("li", f"{entry['name']}: {entry['why']}") for entry in ladder.get("left_out", ())]
    more = (tag("p", "Could not be made:"), tag("ul", *left_out, class_="broken")) if left_out else ()
    return joined(table(header, rows, caption=caption, class_="last-left"), *more, _chart(ladder))


def link_and_section(ladder: Ladder | None) -> tuple[Markup, Markup]:
    """What stands at the two places of a page, each between its comments; without a ladder nothing does."""
    link = tag("a", "Export", href="#export") if ladder else Markup()
    body = tag("section", tag("h2", "Export"), section(ladder), id="export") if ladder else Markup()
    wrapped = [Markup(f"<!-- {name} -->{content}<!-- /{name} -->") for name, content in zip(PLACES, (link, body), strict=True)]
    return wrapped[0], wrapped[1]


def drawing(ladder: Ladder) -> str:
    """The chart as a picture of its own, the content of an .svg file."""
    return _chart(ladder, rules=f"{style()} svg {{ background: var(--page); color: var(--ink); font-family: sans-serif; }}")


def put_into(page: str | Path, ladder: Ladder) -> None:
    """Write the ladder into a page that stands there already, in place of the one that it has. Raises ConfigError."""
    page = Path(page)
    try:
        content = page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{page}: the report cannot be read ({error}); make it again with: edgecls train") from error
    for name, new in zip(PLACES, link_and_section(ladder), strict=True):
        parts = re.split(f"<!-- /?{name} -->", content)
        if len(parts) != 3:
            raise ConfigError(f"{page}: expected a report of edgecls with one place for {name}, found {len(parts) // 2}")
        content = f"{parts[0]}{new}{parts[2]}"
    with whole_file(page) as written:
        written.write_text(content, encoding="utf-8")


def _name(rung: Rung, chosen: str | None) -> Markup:
    return joined(rung["name"], *([tag("span", "taken", class_="chosen")] if rung["name"] == chosen else []))


def _chart(ladder: Ladder, rules: str = "") -> Markup:
    """Up and to the left is better. The reference, which does not run on a device, is the line that it draws."""
    rungs = [r for r in ladder["rungs"] if _finite(r, "us") and _finite(r, "top1")]
    points = [r for r in rungs if r.get("refused") != REFERENCE]
    if len(points) < 2 and not rules:  # the table says it already
        return Markup()
    limit = ladder.get("limits", {}).get("max_drop")
    floor = [r["top1"] - limit / 100 for r in rungs if r.get("refused") == REFERENCE and limit is not None][:1]
    low, high = (pick([*(r["top1"] for r in points), *floor]) for pick in (min, max))
    margin = max((high - low) * 0.15, 0.001)
    x, y = Scale(0, max(r["us"] for r in points) * 1.15 or 1.0, 98, 700), Scale(low - margin, high + margin, 290, 34)
    parts = [axes(x, y, ("microseconds for one picture, median", "top-1"), (number, lambda v: percent(v, 2)))]
    for level in floor:
        parts += [line((x.start, y(level)), (x.end, y(level)), "best"),
                  text(x.end, y(level) - 4, f"{limit:g} points lost", anchor="end", class_="tick")]  # fmt: skip
    for i, (kind, words) in enumerate(KINDS.items()):
        parts += [dot(x.start + 90 * i, 10, 4.5, kind), text(x.start + 90 * i + 9, 14, words, anchor="start", class_="tick")]
    parts += _dots(points, ladder.get("chosen"), x, y)
    described = "The table of the ladder says the same in numbers."
    return svg(720, 332, *parts, title="Accuracy against time of each form", desc=described, rules=rules)


def _dots(points: Sequence[Rung], chosen: str | None, x: Scale, y: Scale) -> list[Markup]:
    """Names stand beside their points; one that would lie over another name is left to the pointer and the table."""
    dots: list[Markup] = []
    names: list[Markup] = []
    taken: list[tuple[float, float]] = []
    for rung in sorted(points, key=lambda r: r["name"] != chosen):
        at, name = (x(rung["us"]), y(rung["top1"])), rung["name"]
        kind = "mark" if name == chosen else "failed" if rung.get("refused") else "passed"
        said = f"{name}: {percent(rung['top1'], 2)} in {rung['us']:,.0f} \u00b5s"
        dots.append(dot(*at, 6 if kind == "mark" else 4.5, kind, said))
        if any(abs(at[1] - other[1]) < 12 and abs(at[0] - other[0]) < 110 for other in taken):
            continue
        taken.append(at)
        anchor, shift = ("end", -9.0) if at[0] > 560 else ("start", 9.0)
        names.append(text(at[0] + shift, at[1] + 4, name, anchor=anchor, class_="strong" if kind == "mark" else "tick"))
    return [*reversed(dots), *names]  # the taken one lies on top


def _finite(rung: Rung, key: str) -> bool:
    return isinstance(rung.get(key), int | float) and math.isfinite(rung[key])
