"""Black out areas of a picture."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from edgecls.frame import Box
from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture

    Corners = tuple[tuple[float, float], ...]

FRACTION_BITS = 4
"""Corners are drawn to a sixteenth of a pixel."""
NEXT_TO = 2
"""Pixels."""
_SQUARE = np.ones((3, 3), np.uint8)


class BlackedOut:
    """Blacks out the same areas of pictures of one camera (`edgecls.picture.Paint`)."""

    def __init__(self, areas: Sequence[Corners]) -> None:
        """Take the corners (x, y) of each area, in fractions of the frame."""
        self._areas = tuple(areas)

    def __call__(self, picture: Picture, /) -> Picture:
        """Return a copy of a picture of the whole frame in which the areas are black."""
        return blacked_out(picture, self._areas)

    def touches(self, box: Box, size_hw: tuple[int, int]) -> bool:
        """Whether an area, or rather the rectangle around it, lies in a box of a frame of this height and width, or next to it.

        "Next to it" are the pixels that share a sample of colour, or that enlarging mixes with those inside.
        """
        height, width = size_hw
        return any(
            min(xs) * width < box.right + NEXT_TO and max(xs) * width > box.left - NEXT_TO
            and min(ys) * height < box.bottom + NEXT_TO and max(ys) * height > box.top - NEXT_TO
            for xs, ys in (zip(*corners, strict=True) for corners in self._areas)
        )  # fmt: skip


def blacked_out(picture: Picture, areas: Sequence[Corners]) -> Picture:
    """Return a copy of a picture in which areas are black. A pixel that lies partly in an area is black too.

    Args:
        picture: (H, W) gray or (H, W, 3) blue-green-red, uint8, of a whole frame in any size.
        areas: The corners (x, y) of each polygon, in fractions of the frame.
    """
    blackened = picture.copy()
    for corners in areas:
        (left, top, right, bottom), mask = _mask(corners, picture.shape[0], picture.shape[1])
        blackened[top:bottom, left:right][mask] = 0
    return blackened


@lru_cache(maxsize=512)
def _mask(corners: Corners, height: int, width: int) -> tuple[Box, NDArray[np.bool_] | slice]:
    """Return the box of a polygon, and which of its pixels are black: a mask, or a slice of all."""
    xs, ys = ([min(max(value * size, 0.0), size) for value in axis] for axis, size in
              zip(zip(*corners, strict=True), (width, height), strict=True))  # fmt: skip
    left, top = min(floor(min(xs)), width - 1), min(floor(min(ys)), height - 1)
    box = Box(left, top, max(ceil(max(xs)), left + 1), max(ceil(max(ys)), top + 1))
    is_rectangle = len(corners) == 4 and len(set(xs)) == len(set(ys)) == 2
    if is_rectangle and all((x1 == x2) != (y1 == y2) for x1, x2, y1, y2 in zip(xs, xs[1:], ys, ys[1:], strict=False)):
        return box, slice(None)
    drawn = np.zeros((height, width), np.uint8)
    points = np.array([xs, ys]).T - 0.5  # OpenCV counts from the middle of a pixel
    cv2.fillPoly(drawn, [np.rint(points * 2**FRACTION_BITS).astype(np.int32)], 1, shift=FRACTION_BITS)
    touched = cv2.dilate(drawn, _SQUARE)[box.top : box.bottom, box.left : box.right]
    return box, touched.astype(np.bool_)
