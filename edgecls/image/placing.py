"""Bring pictures and masks to other places and sizes without averaging: for detectors trained that way, and for drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls.frame import Box
from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture


def scaled(box: tuple[int, int, int, int], from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Box:
    """Scale a box from a picture of size `from_hw` (height, width) to one of size `to_hw`, where it keeps at least a pixel."""
    down, across = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    left, top = min(round(box[0] * across), to_hw[1] - 1), min(round(box[1] * down), to_hw[0] - 1)
    return Box(left, top, max(round(box[2] * across), left + 1), max(round(box[3] * down), top + 1))


def moved(picture: Picture, scale: tuple[float, float], offset: tuple[float, float], size_hw: tuple[int, int]) -> Picture:
    """Scale and shift a picture with bilinear interpolation. What lies outside of it becomes black.

    Args:
        picture: (H, W, C) uint8.
        scale: Along x and y.
        offset: Where its corner goes, (x, y) in pixels.
        size_hw: Height and width of the result.
    """
    matrix = np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]], np.float64)
    return cast("Picture", cv2.warpAffine(picture, matrix, (size_hw[1], size_hw[0]), flags=cv2.INTER_LINEAR))


def enlarged(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a mask at another size, (height, width) uint8 of 0 and 1: each pixel is that of the nearest one."""
    return cast("NDArray[np.uint8]", cv2.resize(mask.astype(np.uint8), size_hw[::-1], interpolation=cv2.INTER_NEAREST))
