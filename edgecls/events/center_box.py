"""Boxes as center and size, which is what a tracker filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Box

OVERLAPS, STACKED, NEAR = 0.3, 0.5, 0.4
"""A smaller box that overlaps another by this share, or of whose width this share is above or below it, no farther away than
this share of the larger height, may be a part of it."""


BESIDE = 0.2
"""Two boxes are beside or above each other if they have this share of the smaller height or width in common."""


class CenterBox(NamedTuple):
    """A box as center (x, y) and size (width, height), in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    def at(self, x: float, y: float) -> CenterBox:
        """Return a box of the same size centered at (x, y)."""
        return self._replace(x=x, y=y)

    def widened(self, width: float, sign: int) -> CenterBox:
        """Return a box that is at least so wide, and reaches as far to the right if `sign` is 1, to the left if it is -1."""
        wider = max(width, self.width)
        return self._replace(x=self.x - sign * (wider - self.width) / 2, width=wider)

    def reach(self, axis: int, sign: int) -> float:
        """Return how far it reaches along x (`axis` 0) or y (1): right or down if `sign` is 1, left or up if it is -1."""
        return sign * self[axis] + self[axis + 2] / 2


def center_box(box: Box) -> CenterBox:
    """Convert a box in pixels to center and size."""
    left, top, right, bottom = box
    return CenterBox((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def union(places: Sequence[CenterBox]) -> CenterBox:
    """Return the smallest box around all of them."""
    left, right = min(p.x - p.width / 2 for p in places), max(p.x + p.width / 2 for p in places)
    top, bottom = min(p.y - p.height / 2 for p in places), max(p.y + p.height / 2 for p in places)
    return CenterBox((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def overlap(one: CenterBox, two: CenterBox) -> float:
    """Return the intersection over union (0..1)."""
    common = _common(one, two)
    return common / (one.area + two.area - common)


def share(inner: CenterBox, outer: CenterBox) -> float:
    """Return the share (0..1) of `inner` that is inside `outer`."""
    return _common(inner, outer) / inner.area


def off_sides(place: CenterBox, seen: CenterBox, of: Sequence[CenterBox]) -> tuple[float, float]:
    """Return the error along x and y of one of several predicted boxes, when only the box around all of them was observed.

    Each side of the observed box belongs to the predicted box that reaches farthest to that side. If `place` reaches farthest
    on both sides of an axis, the smaller error counts; if on neither, the error is 0.

    Args:
        place: The predicted box.
        seen: The observed box around all of them.
        of: All predicted boxes inside it.
    """
    off = []
    for axis in (0, 1):
        farthest = [sign for sign in (-1, 1) if place.reach(axis, sign) >= max(one.reach(axis, sign) for one in of)]
        off.append(min((sign * (seen.reach(axis, sign) - place.reach(axis, sign)) for sign in farthest), key=abs, default=0.0))
    return off[0], off[1]


def off_visible(place: CenterBox, seen: CenterBox) -> float:
    """Return the error along x of a predicted box of which only a part is to be seen, by the side that is closer to its place.

    What passes behind a pole loses first its front and then its back: the side that is to be seen moves on as predicted.
    """
    return min((sign * (seen.reach(0, sign) - place.reach(0, sign)) for sign in (-1, 1)), key=abs)


def off_inside(place: CenterBox, seen: CenterBox) -> tuple[float, float]:
    """Return the error along x and y of a predicted box that is only known to lie inside `seen`: how far it sticks out."""
    off = [sum(sign * min(0.0, seen.reach(axis, sign) - place.reach(axis, sign)) for sign in (-1, 1)) for axis in (0, 1)]
    return off[0], off[1]


def may_be_part(place: CenterBox, of: CenterBox) -> bool:
    """Whether a box may show a part of what a larger box shows: it overlaps that box, or is right above or below it."""
    if place.area > of.area:
        return False
    if share(place, of) > OVERLAPS:
        return True
    wide, high = _common_sides(place, of)
    return wide > STACKED * place.width and -high < NEAR * max(place.height, of.height)


def are_diagonal(one: CenterBox, two: CenterBox) -> bool:
    """Whether two boxes are neither beside nor above each other, as the parts of one object are."""
    wide, high = _common_sides(one, two)
    return wide < BESIDE * min(one.width, two.width) and high < BESIDE * min(one.height, two.height)


def _common_sides(one: CenterBox, two: CenterBox) -> tuple[float, float]:
    """Return the width and height of what two boxes share; negative for a gap between them."""
    wide = min(one.x + one.width / 2, two.x + two.width / 2) - max(one.x - one.width / 2, two.x - two.width / 2)
    high = min(one.y + one.height / 2, two.y + two.height / 2) - max(one.y - one.height / 2, two.y - two.height / 2)
    return wide, high


def _common(one: CenterBox, two: CenterBox) -> float:
    wide, high = _common_sides(one, two)
    return max(0.0, wide) * max(0.0, high)
