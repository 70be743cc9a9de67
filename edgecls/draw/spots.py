"""Candidate spots for a label: at its box, or farther away with a line to it.

A label has ten to two hundred spots with few things near them, so the code uses plain numbers: arrays would take ten times as
long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls.frame import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STEPS = (1, 2, 3, 4)
"""How far away from its box a label may be, in label heights."""


class Spot(NamedTuple):
    """A place for a label; whether it `fits` there, considering only its own box and the picture; and the line to its box, one
    pixel wide, if it is away from it.
    """

    at: Box
    fits: bool
    line: Box | None = None


def near(box: Box, width: int, height: int, size_hw: tuple[int, int]) -> Iterator[Spot]:
    """Yield the spots of a label that touch the edge of a box, the best first."""
    left, top, right, bottom = box
    last = size_hw[1] - width
    first_x, last_x = max(0, min(left, last)), max(0, min(right - width, last))  # moved along the edge into the picture
    outside = (
        *((first_x, top - height), (last_x, top - height), (first_x, bottom), (last_x, bottom)),
        *((right, top), (left - width, top), (right, bottom - height), (left - width, bottom - height)),
    )
    for x, y in outside:
        yield _spot(x, y, width, height, size_hw)
    is_roomy = width <= right - left and 3 * height <= bottom - top  # inside, a label must not hide what it names
    spot = _spot(left, top, width, height, size_hw)
    yield spot if is_roomy else Spot(spot.at, fits=False)


def far(box: Box, width: int, height: int, size_hw: tuple[int, int]) -> Iterator[Spot]:
    """Yield the spots of a label away from a box, the nearest first, with straight lines to it."""
    left, top, right, bottom = box
    across, down = (left + right) // 2, (top + bottom) // 2
    for step in STEPS:
        away = step * height
        for x in (left, right - width, across - height // 2, across - width + height // 2):
            to = (max(x, left) + min(x + width, right)) // 2
            yield _spot(x, top - away - height, width, height, size_hw, Box(to, top - away, to + 1, top))
            yield _spot(x, bottom + away, width, height, size_hw, Box(to, bottom, to + 1, bottom + away))
        for y in (top, bottom - height):
            to = down if y <= down < y + height else y + height // 2
            yield _spot(right + away, y, width, height, size_hw, Box(right, to, right + away, to + 1))
            yield _spot(left - away - width, y, width, height, size_hw, Box(left - away, to, left, to + 1))


def reached(box: Box, width: int, height: int, others: Iterable[Box]) -> list[Box]:
    """Return the other boxes that a spot of this box's label may touch."""
    down = (STEPS[-1] + 2) * height
    across = down + width
    left, top, right, bottom = box.left - across, box.top - down, box.right + across, box.bottom + down
    return [one for one in others if one[0] < right and one[2] > left and one[1] < bottom and one[3] > top]


def overlaps(spot: Box, others: Iterable[Box], gap: int = 0) -> bool:
    """Whether a spot overlaps one of the others, or is closer to it than the gap."""
    left, top, right, bottom = spot[0] - gap, spot[1] - gap, spot[2] + gap, spot[3] + gap
    for x, y, r, b in others:  # noqa: SIM110 - any() takes three times as long, and this runs a thousand times per frame
        if left < r and right > x and top < b and bottom > y:
            return True
    return False


def is_mistakable(spot: Box, boxes: Iterable[Box], gap: int) -> bool:
    """Whether a label at this spot could be mistaken for the label of one of the boxes: it is on an edge of the box, or within
    the gap. A label well inside a large box is not. A negative gap is how far the label may cross an edge.
    """
    left, top, right, bottom = spot[0] - gap, spot[1] - gap, spot[2] + gap, spot[3] + gap
    for x, y, r, b in boxes:
        is_off = left >= r or right <= x or top >= b or bottom <= y
        if not is_off and not (left > x and right < r and top > y and bottom < b):
            return True
    return False


def _spot(x: int, y: int, width: int, height: int, size_hw: tuple[int, int], line: Box | None = None) -> Spot:
    right, bottom = x + width, y + height
    return Spot(Box(x, y, right, bottom), x >= 0 and y >= 0 and right <= size_hw[1] and bottom <= size_hw[0], line)
