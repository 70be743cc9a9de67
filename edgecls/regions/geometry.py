"""Lines and polygons, in fractions of the frame's width and height, so they fit any resolution."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Point: TypeAlias = tuple[float, float]
"""x to the right and y down, in fractions of the frame."""

SLACK = 1e-4
"""A point this little outside the frame counts as on its edge, as after rounding: 0.3334 + 0.6667."""
SHOWN = 6
"""How many points a message lists at most."""
LONGEST_SHOWN = 200
"""How many characters of a value a message shows at most."""
SHORTEST = 1e-3
"""A line must be longer than this share of the frame."""
PIXELS = 8
"""A coordinate from here on was meant in pixels."""
MOST_CORNERS = 1_000
"""The most corners of a polygon. Each point is tested against every side; a simplified mask has fewer corners than this."""


def _list_of(items: dict[str, Any], fewest: int, most: int | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a list."""
    return {"type": "array", "items": items, "minItems": fewest, **({} if most is None else {"maxItems": most})}


_POINT = _list_of({"type": "number", "minimum": -SLACK, "maximum": 1 + SLACK}, 2, 2)


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area of the frame.

    Example:
        bay = edgecls.Polygon(((0.1, 0.4), (0.3, 0.4), (0.35, 0.8), (0.05, 0.8)))
        gate = edgecls.Polygon.rectangle(0.4, 0.2, 0.1, 0.3)

    Attributes:
        corners: 3 to 1,000 points (x, y) in order around the area, in fractions of the frame.

    Raises:
        ConfigError: It crosses itself, leaves the frame, is empty, or has too few or too many corners.
    """

    corners: tuple[Point, ...]
    _bounds: tuple[float, float, float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validate the corners."""
        if len(self.corners) < 3:
            raise ConfigError(f"expected 3 corners or more, found {len(self.corners)}")
        if len(self.corners) > MOST_CORNERS:
            raise ConfigError(f"expected at most {MOST_CORNERS:,} corners, found {len(self.corners):,}")
        for corner in self.corners:
            _check_inside(corner)
        if crossing := _first_crossing(self.corners):
            one, two = (list(self._sides())[i] for i in crossing)
            raise ConfigError(
                f"the side from {_text(one[0])} to {_text(one[1])} crosses the one from {_text(two[0])} to "
                f"{_text(two[1])}; expected the corners in their order"
            )
        if abs(self.area) < SHORTEST**2:
            raise ConfigError(f"its corners {_texts(self.corners)} lie on a line; expected an area")
        xs, ys = zip(*self.corners, strict=True)
        object.__setattr__(self, "_bounds", (min(xs), min(ys), max(xs), max(ys)))

    @classmethod
    def rectangle(cls, x: float, y: float, width: float, height: float) -> Polygon:
        """Make a rectangle with the top left corner (x, y), in fractions of the frame."""
        if not (width > 0 and height > 0):
            raise ConfigError(
                f"width and height must be above 0, not {width:g} and {height:g}{as_corners(x, y, width, height)}"
            )
        right, bottom = x + width, y + height
        if any(math.isfinite(v) and not -SLACK <= v <= 1 + SLACK for v in (x, y, right, bottom)):
            fix = as_corners(x, y, width, height) or _if_pixels(right, bottom)
            raise ConfigError(
                f"[{x:g}, {y:g}, {width:g}, {height:g}] reaches from {_text((x, y))} to {_text((right, bottom))}, which is "
                f"outside of the frame; expected [x, y, width, height] as fractions of it, from 0 to 1{fix}"
            )
        return cls(((x, y), (right, y), (right, bottom), (x, bottom)))

    @classmethod
    def from_setting(cls, value: object) -> Polygon:
        """Read a TOML value: [[x, y], [x, y], ...], the corners in order, or [x, y, width, height]."""
        numbers = _numbers(value)
        if numbers is not None and len(numbers) == 4:
            return cls.rectangle(*numbers)
        return cls(_points(value, "[x, y, width, height] or the corners [[x, y], [x, y], [x, y], ...]"))

    @classmethod
    def setting_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what `from_setting` reads."""
        rectangle = {"description": "[x, y, width, height]", **_list_of({"type": "number"}, 4, 4)}
        corners = {"description": "the corners in their order", **_list_of(_POINT, 3, MOST_CORNERS)}
        return {"anyOf": [rectangle, corners]}

    @property
    def area(self) -> float:
        """Its share of the frame (shoelace formula), negative if the corners go counterclockwise."""
        return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in self._sides()) / 2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The bounding rectangle: left, top, right, bottom, in fractions of the frame."""
        return self._bounds

    def holds(self, point: Point) -> bool:
        """Whether the point (x, y) is inside: a ray to the right crosses the border an odd number of times."""
        x, y = point
        left, top, right, bottom = self._bounds
        if not (left <= x <= right and top <= y <= bottom):  # most points are far from most areas
            return False
        inside = False
        for (x1, y1), (x2, y2) in self._sides():
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside

    def _sides(self) -> Iterator[tuple[Point, Point]]:
        return itertools.pairwise((*self.corners, self.corners[0]))


@dataclass(frozen=True, slots=True)
class Line:
    """A line from `start` to `end`. Its left and right side are as seen from the start.

    Example:
        stop_line = edgecls.Line((0.1, 0.6), (0.9, 0.6))

    Attributes:
        start: (x, y) in fractions of the frame.
        end: (x, y) in fractions of the frame.

    Raises:
        ConfigError: It is shorter than a thousandth of the frame, or leaves the frame.
    """

    start: Point
    end: Point

    def __post_init__(self) -> None:
        """Validate the points."""
        for point in (self.start, self.end):
            _check_inside(point)
        if math.dist(self.start, self.end) < SHORTEST:
            raise ConfigError(f"the line goes from {_text(self.start)} to {_text(self.end)}; expected two different points")

    @classmethod
    def from_setting(cls, value: object) -> Line:
        """Read a TOML value: [[x, y], [x, y]], the start and the end."""
        points = _points(value, "two points [[x, y], [x, y]]")
        if len(points) != 2:
            raise ConfigError(f"expected two points [[x, y], [x, y]], found {value!r}")
        return cls(*points)

    @classmethod
    def setting_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what `from_setting` reads."""
        return {"description": "two points [x, y] in fractions of the frame", **_list_of(_POINT, 2, 2)}

    def side(self, point: Point) -> float:
        """Return the signed distance of a point from the infinite line, in fractions of the frame.

        It is positive on the left, negative on the right, as seen from the start in a picture, where y points down.
        """
        return -_turn(self.start, self.end, point) / math.dist(self.start, self.end)

    def reach(self, size: Point) -> float:
        """Return how far a box of this width and height extends across the line, in fractions of the frame."""
        along, down = (end - start for start, end in zip(self.start, self.end, strict=True))
        return (abs(down) * size[0] + abs(along) * size[1]) / math.dist(self.start, self.end)

    def crossed_by(self, before: Point, after: Point) -> str:
        """Return the side, "left" or "right", that a step from `before` to `after` leads to; "" if it does not cross.

        A point on the line belongs to the left side, so that a step onto the line and the next one off it cross it once.
        """
        was, now = (self.side(point) >= 0 for point in (before, after))
        if was == now or not _touch((self.start, self.end), (before, after)):
            return ""
        return "left" if now else "right"


def as_corners(left: float, top: float, right: float, bottom: float) -> str:
    """Return the advice for numbers that would be right as two opposite corners, beginning with "; "; else ""."""
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        return ""
    return (
        f"; for the corners {_text((left, top))} and {_text((right, bottom))} the numbers are "
        f"{left:g}, {top:g}, {right - left:.6g}, {bottom - top:.6g}"
    )


def _if_pixels(x: float, y: float) -> str:
    return "; divide pixels by the width and height of the frame" if max(x, y) >= PIXELS else ""


def _numbers(value: object) -> list[float] | None:
    """Return a list of numbers as floats; None for anything else."""
    if isinstance(value, list | tuple) and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return None


def _points(value: object, expected: str) -> tuple[Point, ...]:
    pairs = [_numbers(pair) for pair in value] if isinstance(value, list | tuple) else []
    points = [(pair[0], pair[1]) for pair in pairs if pair is not None and len(pair) == 2]
    if not points or len(points) != len(pairs):
        raise ConfigError(f"expected {expected} in fractions of the frame, found {_shown(value)}")
    return tuple(points)


def _check_inside(point: Point) -> None:
    if not all(math.isfinite(v) and -SLACK <= v <= 1 + SLACK for v in point):
        fix = _if_pixels(*point)
        raise ConfigError(
            f"{_text(point)} is outside of the frame; expected fractions of its width and height, from 0 to 1{fix}"
        )


def _turn(a: Point, b: Point, c: Point) -> float:
    """Return a positive number if the path from a via b to c turns right in a picture, where y points down."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _touch(one: Sequence[Point], two: Sequence[Point]) -> bool:
    """Whether two segments have a point in common."""
    (a, b), (c, d) = one, two
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((turns[0], a, b, c), (turns[1], a, b, d), (turns[2], c, d, a), (turns[3], c, d, b))
    return any(turn == 0 and _between(p, q, r) for turn, p, q, r in ends)


def _first_crossing(corners: Sequence[Point]) -> tuple[int, int] | None:
    """Return the indices of the first two sides of a polygon that touch and are not neighbours.

    Only sides with overlapping bounding boxes are compared. That leaves few of the 500,000 pairs of a thousand sides.
    """
    points = np.asarray(corners, np.float64)
    after = np.roll(points, -1, axis=0)
    low, high = np.minimum(points, after), np.maximum(points, after)
    count = len(points)
    for i in range(count - 2):
        last = count - 1 if i == 0 else count  # the first side and the last one share a corner
        near = ((low[i + 2 : last] <= high[i]) & (low[i] <= high[i + 2 : last])).all(axis=1)
        for j in (np.flatnonzero(near) + i + 2).tolist():
            if _touch((corners[i], corners[(i + 1) % count]), (corners[j], corners[(j + 1) % count])):
                return i, j
    return None


def _between(a: Point, b: Point, c: Point) -> bool:
    """Whether c, which is on the line through a and b, is between them."""
    return all(min(p, q) <= r <= max(p, q) for p, q, r in zip(a, b, c, strict=True))


def _shown(value: object) -> str:
    """Format a value for a message, cut off if it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _texts(points: Sequence[Point]) -> str:
    """Format points for a message, leaving out the rest of a long list."""
    shown = ", ".join(map(_text, points[:SHOWN]))
    return f"{shown} and {len(points) - SHOWN:,} more" if len(points) > SHOWN else shown


def _text(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"


MOST_ZONES = MOST_LINES = MOST_IGNORED = MOST_PRIVATE = 100
"""The most of each per camera. A zone with a state is classified in every frame; the others are tested for each object."""
