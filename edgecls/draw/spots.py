"""Where a label may stand: at its box, or farther off with a line to it.

A label has ten to two hundred spots and few things near them, so these are plain numbers: arrays would take ten times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls.frame import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STEPS = (1, 2, 3, 4)
"""How far off a label may stand, in heights of a label."""


class Spot(NamedTuple):
    """Where a label may stand; whether it `fits` there, as far as its own box and the picture go; and the line to its box, one
    pixel wide, where it stands off.
    """

    at: Box
    fits: bool
    line: Box | None = None


def near(box: Box, wide: int, height: int, size_hw: tuple[int, int]) -> Iterator[Spot]:
    """Give the spots of a label that touch the edge of a box, the best first."""
    left, top, right, bottom = box
    last = size_hw[1] - wide
    first_x, last_x = max(0, min(left, last)), max(0, min(right - wide, last))  # it may slide along the edge
    outside = (
        *((first_x, top - height), (last_x, top - height), (first_x, bottom), (last_x, bottom)),
        *((right, top), (left - wide, top), (right, bottom - height), (left - wide, bottom - height)),
    )
    for x, y in outside:
        yield _spot(x, y, wide, height, size_hw)
    is_roomy = wide <= right - left and 3 * height <= bottom - top  # inside, a label must not hide what it names
    spot = _spot(left, top, wide, height, size_hw)
    yield spot if is_roomy else Spot(spot.at, fits=False)


def far(box: Box, wide: int, height: int, size_hw: tuple[int, int]) -> Iterator[Spot]:
    """Give the spots of a label that stand off a box, the nearest first, with straight lines to it."""
    left, top, right, bottom = box
    across, down = (left + right) // 2, (top + bottom) // 2
    for step in STEPS:
        away = step * height
        for x in (left, right - wide, across - height // 2, across - wide + height // 2):
            to = (max(x, left) + min(x + wide, right)) // 2
            yield _spot(x, top - away - height, wide, height, size_hw, Box(to, top - away, to + 1, top))
            yield _spot(x, bottom + away, wide, height, size_hw, Box(to, bottom, to + 1, bottom + away))
        for y in (top, bottom - height):
            to = down if y <= down < y + height else y + height // 2
            yield _spot(right + away, y, wide, height, size_hw, Box(right, to, right + away, to + 1))
            yield _spot(left - away - wide, y, wide, height, size_hw, Box(left - away, to, left, to + 1))


def reached(box: Box, wide: int, height: int, others: Iterable[Box]) -> list[Box]:
    """Those of the others that are so near to a box that one of its label's spots may touch them."""
    down = (STEPS[-1] + 2) * height
    across = down + wide
    left, top, right, bottom = box.left - across, box.top - down, box.right + across, box.bottom + down
    return [one for one in others if one[0] < right and one[2] > left and one[1] < bottom and one[3] > top]


def overlaps(spot: Box, others: Iterable[Box], gap: int = 0) -> bool:
    """Whether a spot overlaps one of the others, or is nearer to it than the gap."""
    left, top, right, bottom = spot[0] - gap, spot[1] - gap, spot[2] + gap, spot[3] + gap
    for x, y, r, b in others:  # noqa: SIM110 - any() takes three times as long, and this is asked a thousand times a frame
        if left < r and right > x and top < b and bottom > y:
            return True
    return False


def is_mistakable(spot: Box, boxes: Iterable[Box], gap: int) -> bool:
    """Whether one could take a label here for that of one of these boxes: it is on its edge, or no farther off than the gap. If
    it lies well within a large box, it is not. Below 0, the gap is how far it may reach over an edge.
    """
    left, top, right, bottom = spot[0] - gap, spot[1] - gap, spot[2] + gap, spot[3] + gap
    for x, y, r, b in boxes:
        is_off = left >= r or right <= x or top >= b or bottom <= y
        if not is_off and not (left > x and right < r and top > y and bottom < b):
            return True
    return False


def _spot(x: int, y: int, wide: int, height: int, size_hw: tuple[int, int], line: Box | None = None) -> Spot:
    right, bottom = x + wide, y + height
    return Spot(Box(x, y, right, bottom), x >= 0 and y >= 0 and right <= size_hw[1] and bottom <= size_hw[0], line)
