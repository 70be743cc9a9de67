"""Lines and polygons in a frame, in fractions of its width and height, so that they hold at any resolution."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Point: TypeAlias = tuple[float, float]
"""x to the right and y down, in fractions of the frame."""

SLACK = 1e-4
"""So far out of the frame counts as its edge: what was typed as 0.3333 + 0.6667."""
SHORTEST = 1e-3
"""Of the frame; a shorter line is a point."""


def _list_of(items: dict[str, Any], fewest: int, most: int | None = None) -> dict[str, Any]:
    """The JSON Schema of a list."""
    return {"type": "array", "items": items, "minItems": fewest, **({} if most is None else {"maxItems": most})}


_POINT = _list_of({"type": "number", "minimum": -SLACK, "maximum": 1 + SLACK}, 2, 2)


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area with three corners or more, in order around it. Raises ConfigError if it crosses itself, leaves the frame, or is
    empty.
    """

    corners: tuple[Point, ...]

    def __post_init__(self) -> None:
        """Refuse what is no area of a frame."""
        if len(self.corners) < 3:
            raise ConfigError(f"expected 3 corners or more, found {len(self.corners)}")
        for corner in self.corners:
            _check_inside(corner)
        sides = list(self._sides())
        for (i, one), (j, two) in itertools.combinations(enumerate(sides), 2):
            neighbours = j - i in (1, len(sides) - 1)
            if not neighbours and _touch(one, two):
                raise ConfigError(
                    f"the side from {_text(one[0])} to {_text(one[1])} crosses the one from {_text(two[0])} to "
                    f"{_text(two[1])}; expected the corners in their order"
                )
        if abs(self.area) < SHORTEST**2:
            raise ConfigError(f"its corners {', '.join(map(_text, self.corners))} lie on a line; expected an area")

    @classmethod
    def rectangle(cls, x: float, y: float, width: float, height: float) -> Polygon:
        """Its left upper corner is (x, y)."""
        if not (width > 0 and height > 0):
            raise ConfigError(f"width and height must be above 0, not {width:g} and {height:g}")
        return cls(((x, y), (x + width, y), (x + width, y + height), (x, y + height)))

    @classmethod
    def from_setting(cls, value: object) -> Polygon:
        """Read [[x, y], [x, y], ...], the corners in order, or [x, y, width, height]."""
        numbers = _numbers(value)
        if numbers is not None and len(numbers) == 4:
            return cls.rectangle(*numbers)
        return cls(_points(value, "[x, y, width, height] or the corners [[x, y], [x, y], [x, y], ...]"))

    @classmethod
    def setting_schema(cls) -> dict[str, Any]:
        """What `from_setting` reads, as JSON Schema."""
        rectangle = {"description": "[x, y, width, height]", **_list_of({"type": "number"}, 4, 4)}
        corners = {"description": "the corners in their order", **_list_of(_POINT, 3)}
        return {"anyOf": [rectangle, corners]}

    @property
    def area(self) -> float:
        """A share of the frame; negative where the corners go against the clock (the formula of Gauss)."""
        return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in self._sides()) / 2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest rectangle around it: left, top, right, bottom."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def holds(self, point: Point) -> bool:
        """Whether the point is inside: a ray from it to the right crosses the border an odd number of times."""
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in self._sides():
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside

    def _sides(self) -> Iterator[tuple[Point, Point]]:
        return itertools.pairwise((*self.corners, self.corners[0]))


@dataclass(frozen=True, slots=True)
class Line:
    """A line to cross, from `start` to `end`. Seen from its start, its sides are the left and the right one.

    Raises ConfigError if it is a point or leaves the frame.
    """

    start: Point
    end: Point

    def __post_init__(self) -> None:
        """Refuse what nothing can cross."""
        for point in (self.start, self.end):
            _check_inside(point)
        if math.dist(self.start, self.end) < SHORTEST:
            raise ConfigError(f"the line goes from {_text(self.start)} to {_text(self.end)}; expected two different points")

    @classmethod
    def from_setting(cls, value: object) -> Line:
        """Read [[x, y], [x, y]]."""
        points = _points(value, "two points [[x, y], [x, y]]")
        if len(points) != 2:
            raise ConfigError(f"expected two points [[x, y], [x, y]], found {value!r}")
        return cls(*points)

    @classmethod
    def setting_schema(cls) -> dict[str, Any]:
        """What `from_setting` reads, as JSON Schema."""
        return {"description": "two points [x, y] in fractions of the frame", **_list_of(_POINT, 2, 2)}

    def side(self, point: Point) -> float:
        """Above 0 on the left, below 0 on the right, seen from its start in a picture, whose y goes down; 0 on it. The value is
        the distance from the line without end, in fractions of the frame.
        """
        return -_turn(self.start, self.end, point) / math.dist(self.start, self.end)

    def crossed_by(self, before: Point, after: Point) -> str:
        """The side, "left" or "right", that a step from `before` to `after` leads to; "" if it does not cross the line.

        A point on the line counts to its left, so that a step onto it and the next one off it cross it once.
        """
        was, now = (self.side(point) >= 0 for point in (before, after))
        if was == now or not _touch((self.start, self.end), (before, after)):
            return ""
        return "left" if now else "right"


def _numbers(value: object) -> list[float] | None:
    """A list of numbers; None for anything else."""
    if isinstance(value, list | tuple) and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return None


def _points(value: object, expected: str) -> tuple[Point, ...]:
    pairs = [_numbers(pair) for pair in value] if isinstance(value, list | tuple) else []
    points = [(pair[0], pair[1]) for pair in pairs if pair is not None and len(pair) == 2]
    if not points or len(points) != len(pairs):
        raise ConfigError(f"expected {expected} in fractions of the frame, found {value!r}")
    return tuple(points)


def _check_inside(point: Point) -> None:
    if not all(math.isfinite(v) and -SLACK <= v <= 1 + SLACK for v in point):
        raise ConfigError(f"{_text(point)} is outside of the frame; expected fractions of its width and height, from 0 to 1")


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 if the way from a over b to c turns to the right in a picture, whose y goes down."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _touch(one: Sequence[Point], two: Sequence[Point]) -> bool:
    """Whether two segments have a point in common."""
    (a, b), (c, d) = one, two
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((turns[0], a, b, c), (turns[1], a, b, d), (turns[2], c, d, a), (turns[3], c, d, b))
    return any(turn == 0 and _between(p, q, r) for turn, p, q, r in ends)


def _between(a: Point, b: Point, c: Point) -> bool:
    """Whether c, which lies on the line through a and b, lies between them."""
    return all(min(p, q) <= r <= max(p, q) for p, q, r in zip(a, b, c, strict=True))


def _text(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"
