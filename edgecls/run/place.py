"""Boxes as what moves and grows: their middle and their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Box


class Place(NamedTuple):
    """A box as its middle and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    def at(self, x: float, y: float) -> Place:
        """Return a box of this size with its middle at (x, y)."""
        return self._replace(x=x, y=y)

    def reach(self, axis: int, sign: int) -> float:
        """How far it reaches along x (`axis` 0) or y (1), to the right and down with `sign` 1, to the left and up with -1."""
        return sign * self[axis] + self[axis + 2] / 2


def place_of(box: Box) -> Place:
    """The place of a box in pixels."""
    left, top, right, bottom = box
    return Place((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def union(places: Sequence[Place]) -> Place:
    """The smallest box around them."""
    left, right = min(p.x - p.width / 2 for p in places), max(p.x + p.width / 2 for p in places)
    top, bottom = min(p.y - p.height / 2 for p in places), max(p.y + p.height / 2 for p in places)
    return Place((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def overlap(one: Place, two: Place) -> float:
    """Intersection over union, 0..1."""
    common = _common(one, two)
    return common / (one.area + two.area - common)


def share(inner: Place, outer: Place) -> float:
    """How much of `inner` is inside of `outer`, 0..1."""
    return _common(inner, outer) / inner.area


def off_sides(place: Place, seen: Place, of: Sequence[Place]) -> tuple[float, float]:
    """How far one of several places is off, along x and y, when the box around all of them is seen: each side of that box is
    the side of the one that reaches farthest there. Where it reaches farthest on both sides the smaller distance counts, where
    on none it is not off.
    """
    off = []
    for axis in (0, 1):
        farthest = [sign for sign in (-1, 1) if place.reach(axis, sign) >= max(one.reach(axis, sign) for one in of)]
        off.append(min((sign * (seen.reach(axis, sign) - place.reach(axis, sign)) for sign in farthest), key=abs, default=0.0))
    return off[0], off[1]


def off_inside(place: Place, seen: Place) -> tuple[float, float]:
    """How far a place is off, along x and y, of which no more is seen than that it lies in a box: as far as it reaches out."""
    off = [sum(sign * min(0.0, seen.reach(axis, sign) - place.reach(axis, sign)) for sign in (-1, 1)) for axis in (0, 1)]
    return off[0], off[1]


def _common(one: Place, two: Place) -> float:
    wide = min(one.x + one.width / 2, two.x + two.width / 2) - max(one.x - one.width / 2, two.x - two.width / 2)
    high = min(one.y + one.height / 2, two.y + two.height / 2) - max(one.y - one.height / 2, two.y - two.height / 2)
    return max(0.0, wide) * max(0.0, high)
