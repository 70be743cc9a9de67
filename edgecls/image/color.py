"""Colour conversion between gray, blue-green-red and red-green-blue, and from 16 to 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecls.frame import Picture


def gray(bgr: Picture) -> Picture:
    """Convert (H, W, 3) uint8 blue-green-red to (H, W) uint8 gray: full-range luma with BT.601 weights."""
    return cast("Picture", cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))


def colored(luma: Picture) -> Picture:
    """Convert (H, W) uint8 gray to (H, W, 3) uint8 with three equal channels."""
    return cast("Picture", cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR))


def in_8_bits(levels: NDArray[np.uint16], bits: int) -> Picture:
    """Scale (H, W) uint16 levels of `bits` bits (8..16) to (H, W) uint8."""
    return cast("Picture", cv2.convertScaleAbs(levels, alpha=1 / (1 << bits - 8)))


def from_rgb(rgb: Picture) -> Picture:
    """Swap red and blue: (H, W, 3) uint8 red-green-blue to blue-green-red, or back."""
    return cast("Picture", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
