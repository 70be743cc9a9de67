"""The parts of charts as inline SVG: scales from values to pixels, axes with round numbers, lines, dots and text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.report.markup import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Point = tuple[float, float]
NAMESPACE = "http://www.w3.org/2000/svg"
"""An .svg file must declare this namespace; nothing is fetched from there."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale that maps values from `low` to `high` to pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / ((self.high - self.low) or 1) * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Return about `about` round numbers on the scale."""
        rough = (self.high - self.low) / about or 1
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def svg(width: float, height: float, *children: str, title: str, desc: str, class_: str = "chart", rules: str = "") -> Markup:
    """Return a picture that shrinks with its container.

    Args:
        width: Its width in pixels.
        height: Its height in pixels.
        *children: Its parts.
        title: The title for screen readers.
        desc: The description for screen readers.
        class_: The CSS class.
        rules: Style rules, for an .svg file without a page around it.
    """
    look = (tag("style", Markup(rules)),) if rules else ()
    parts = (tag("title", title), tag("desc", desc), *look, *children)
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": width, "height": height}
    return tag("svg", *parts, xmlns=NAMESPACE if rules else None, role="img", class_=class_, **size)


def text(x: float, y: float, words: str, *, anchor: str = "middle", class_: str | None = None, turn: float = 0) -> Markup:
    """Return text at a position, rotated by `turn` degrees."""
    where = f"rotate({turn:g} {x:.1f} {y:.1f})" if turn else None
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_, transform=where)


def line(a: Point, b: Point, class_: str) -> Markup:
    """Return a straight line."""
    return tag("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], class_=class_)


def rect(x: float, y: float, width: float, height: float, *children: str, **others: object) -> Markup:
    """A rectangle; a child `title` is shown where the pointer rests."""
    return tag("rect", *children, x=x, y=y, width=max(0.0, width), height=max(0.0, height), **others)


def dot(x: float, y: float, radius: float, class_: str, title: str = "") -> Markup:
    """A filled circle; `title` is shown where the pointer rests."""
    return tag("circle", *([tag("title", title)] if title else []), cx=x, cy=y, r=radius, class_=class_)


def path(points: Iterable[Point], class_: str) -> Markup:
    """Return straight lines between points, interrupted at points that are not finite; an isolated point is a dot."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if all(map(math.isfinite, point)):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    lines = (
        tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in run), class_=class_) for run in runs if len(run) > 1
    )
    return joined(*lines, *(dot(*run[0], 2.5, f"{class_} alone") for run in runs if len(run) == 1))


def axes(x: Scale, y: Scale, names: tuple[str, str], forms: tuple[Callable[[float], str], Callable[[float], str]]) -> Markup:
    """Return grid lines, round numbers and the names of both axes; `forms` format the numbers."""
    across = [line((x.start, y(v)), (x.end, y(v)), "grid") for v in y.ticks()]
    along = [text(x.start - 6, y(v) + 4, forms[1](v), anchor="end", class_="tick") for v in y.ticks()]
    under = [text(x(v), y.start + 16, forms[0](v), class_="tick") for v in x.ticks()]
    base = line((x.start, y.start), (x.end, y.start), "axis")
    middle = (y.start + y.end) / 2
    called = (
        text((x.start + x.end) / 2, y.start + 34, names[0], class_="name"),
        text(x.start - 52, middle, names[1], class_="name", turn=-90),
    )
    return joined(*across, *along, *under, base, *called)


def legend(x: float, y: float, entries: Sequence[tuple[str, str]]) -> Markup:
    """Return a legend in one row, from (CSS class, text) pairs."""
    parts = []
    for class_, words in entries:
        parts += [line((x, y - 4), (x + 18, y - 4), class_), text(x + 23, y, words, anchor="start", class_="tick")]
        x += 23 + 6.4 * len(words) + 16
    return joined(*parts)


def shortened(words: str, most: int) -> str:
    """Cut text to at most `most` characters, with an ellipsis at the end."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "\u2026"
