"""The ladder of an export, the measurements of each form of a model, as a table and as a chart of accuracy against time.

`edgecls export` writes the ladder beside M.onnx as M.ladder.json. These fields are read here:

    target, processor, measured_on, limits.max_drop      for the caption
    chosen        the name of the chosen rung, or null
    rungs         a list: name, the numbers of COLUMNS, and refused: why the rung does not pass, "" if it does
    left_out      a list of {name, why}
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.files import whole_file
from edgecls.files.text_file import read_text
from edgecls.model.ladder import REFERENCE
from edgecls.report.markup import Markup, joined, number, percent, prose, table, tag
from edgecls.report.style import style
from edgecls.report.svg import Scale, axes, dot, line, svg, text
from edgecls.text.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Ladder = Mapping[str, Any]
    Rung = Mapping[str, Any]

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "macro_f1": ("macro F1", lambda v: percent(v, 2)),
    "mean_ap": ("mean AP", lambda v: percent(v, 2)),
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
    "test_macro_f1": ("test macro F1", lambda v: percent(v, 2)),
    "test_mean_ap": ("test mean AP", lambda v: percent(v, 2)),
}
"""Heading and format of each column, by the field of a rung. A column without values is left out, a missing value is a dash."""
LARGEST = 1e15
"""Larger numbers in a ladder are invalid, and would not fit a chart."""
KINDS = {"mark": "taken", "passed": "passes", "failed": "does not"}
"""The CSS class of a dot, and its text in the legend."""
PLACES = ("ladder-link", "ladder")
"""The link and the section are between comments of these names in a page."""


def beside(model: str | Path) -> Ladder | None:
    """Return the ladder in the file beside a model file, None if there is none. Raises ConfigError if it cannot be read."""
    path = Path(model).with_suffix(".ladder.json")
    if not path.exists():
        return None
    try:
        found = loads(read_text(path, error=ConfigError))
        wrong = _wrong(found)
    except ConfigError as error:
        raise ConfigError(f"{error}; export the model again, or remove the file") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path}: the ladder cannot be read ({error!r}); export the model again, or remove the file"
        ) from error
    if wrong:
        raise ConfigError(f"{path}: expected a ladder with {wrong}; export the model again, or remove the file")
    return dict(found)


def _wrong(found: Ladder) -> str:
    """Return what is wrong with a ladder; "" if all fields that the page shows have the right type."""
    rungs, left_out, limit = found["rungs"], found.get("left_out", []), found.get("limits", {}).get("max_drop")
    if not isinstance(rungs, list) or not rungs or not all(isinstance(rung["name"], str) for rung in rungs):
        return "rungs that have names"
    if not all(_is_number(rung.get(key)) for rung in rungs for key in COLUMNS) or not _is_number(limit):
        return "numbers where it measures"
    texts = [*(rung.get("refused") for rung in rungs), *(found.get(key) for key in ("target", "measured_on", "processor"))]
    texts += [entry[key] for entry in left_out for key in ("name", "why")]
    return "" if all(one is None or isinstance(one, str) for one in texts) else "texts where it says why"


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST)


def section(ladder: Ladder) -> Markup:
    """Return the table of the ladder with its caption, and the chart."""
    rungs = ladder["rungs"]
    columns = [key for key in COLUMNS if any(rung.get(key) is not None for rung in rungs)]
    rows = [
        (_name(rung, ladder.get("chosen")), *(COLUMNS[key][1](rung.get(key)) for key in columns), rung.get("refused") or "yes")
        for rung in rungs
    ]
    header = ("form", *(COLUMNS[key][0] for key in columns), "passes")
    words = [f"for {ladder['target']}" if ladder.get("target") else "", f"on {ladder.get('measured_on') or 'pictures'}",
             f"timed on one thread of {ladder['processor']}" if ladder.get("processor") else ""]  # fmt: skip
    caption = f"Each form as measured at the export {', '.join(filter(None, words))}"
    left_out = [tag("li", prose(f"{entry['name']}: {entry['why']}")) for entry in ladder.get("left_out", ())]
    more = (tag("p", "Could not be built:"), tag("ul", *left_out, class_="broken")) if left_out else ()
    return joined(table(header, rows, caption=caption, class_="last-left"), *more, _chart(ladder))


def link_and_section(ladder: Ladder | None) -> tuple[Markup, Markup]:
    """Return the link and the section for the two places of a page, each between its comments; empty without a ladder."""
    link = tag("a", "Export", href="#export") if ladder else Markup()
    body = tag("section", tag("h2", "Export"), section(ladder), id="export") if ladder else Markup()
    wrapped = [Markup(f"<!-- {name} -->{content}<!-- /{name} -->") for name, content in zip(PLACES, (link, body), strict=True)]
    return wrapped[0], wrapped[1]


def drawing(ladder: Ladder) -> str:
    """Return the chart as the content of an .svg file."""
    return _chart(ladder, rules=f"{style()} svg {{ background: var(--page); color: var(--ink); font-family: sans-serif; }}")


def put_into(page: str | Path, ladder: Ladder) -> None:
    """Write the ladder into an existing page, and replace the one in it. Raises ConfigError."""
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
    """Draw accuracy against time. The reference, which does not run on a device, only gives the line of the allowed loss.

    Of models with several labels a picture, macro F1 takes the place of top-1.
    """
    shown = "macro_f1" if any(_finite(r, "macro_f1") for r in ladder["rungs"]) else "top1"
    rungs = [{**r, "top1": r[shown]} for r in ladder["rungs"] if _finite(r, "us") and _finite(r, shown)]
    points = [r for r in rungs if r.get("refused") != REFERENCE]
    if len(points) < 2 and not rules:  # the table is enough
        return Markup()
    limit = ladder.get("limits", {}).get("max_drop")
    floor = [r["top1"] - limit / 100 for r in rungs if r.get("refused") == REFERENCE and limit is not None][:1]
    low, high = (pick([*(r["top1"] for r in points), *floor]) for pick in (min, max))
    margin = max((high - low) * 0.15, 0.001)
    x, y = Scale(0, max(r["us"] for r in points) * 1.15 or 1.0, 98, 700), Scale(low - margin, high + margin, 290, 34)
    parts = [axes(x, y, ("microseconds for one picture, median", COLUMNS[shown][0]), (number, lambda v: percent(v, 2)))]
    for level in floor:
        parts += [line((x.start, y(level)), (x.end, y(level)), "best"),
                  text(x.end, y(level) - 4, f"{limit:g} points lost", anchor="end", class_="tick")]  # fmt: skip
    for i, (kind, words) in enumerate(KINDS.items()):
        parts += [dot(x.start + 90 * i, 10, 4.5, kind), text(x.start + 90 * i + 9, 14, words, anchor="start", class_="tick")]
    parts += _dots(points, ladder.get("chosen"), x, y)
    described = "The table of the ladder has the same numbers."
    return svg(720, 332, *parts, title="Accuracy against time of each form", desc=described, rules=rules)


def _dots(points: Sequence[Rung], chosen: str | None, x: Scale, y: Scale) -> list[Markup]:
    """Draw the dots with their names. A name that would overlap another one is only in the tooltip and in the table."""
    dots: list[Markup] = []
    names: list[Markup] = []
    named: list[tuple[float, float]] = []
    for rung in sorted(points, key=lambda r: r["name"] != chosen):
        at, name = (x(rung["us"]), y(rung["top1"])), rung["name"]
        kind = "mark" if name == chosen else "failed" if rung.get("refused") else "passed"
        words = f"{name}: {percent(rung['top1'], 2)} in {rung['us']:,.0f} \u00b5s"
        dots.append(dot(*at, 6 if kind == "mark" else 4.5, kind, words))
        if any(abs(at[1] - other[1]) < 12 and abs(at[0] - other[0]) < 110 for other in named):
            continue
        named.append(at)
        anchor, shift = ("end", -9.0) if at[0] > 560 else ("start", 9.0)
        names.append(text(at[0] + shift, at[1] + 4, name, anchor=anchor, class_="strong" if kind == "mark" else "tick"))
    return [*reversed(dots), *names]  # the chosen one is on top


def _finite(rung: Rung, key: str) -> bool:
    return isinstance(rung.get(key), int | float) and math.isfinite(rung[key])
