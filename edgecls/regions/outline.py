"""How strong the edges of a picture are across the outline of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Picture

_SQUARE = np.ones((3, 3), np.uint8)


def edges_across(mask: Picture, pictures: Iterable[Picture]) -> list[float]:
    """Return for each picture how strongly its levels change across the outline of a mask, in levels of Sobel's operator.

    Only the change across the outline counts, so a striped ground has edges along the outline but few across it.

    Args:
        mask: (H, W) uint8, 0 or 1. There must be a pixel of 0 around the ones, except at the border of the picture.
        pictures: (H, W) uint8 each.
    """
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, _SQUARE) > 0
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (5, 5), 0)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = cv2.magnitude(x, y) + 1e-6
    return [
        float(np.abs((cv2.Sobel(one, cv2.CV_32F, 1, 0) * x + cv2.Sobel(one, cv2.CV_32F, 0, 1) * y) / length)[outline].mean())
        for one in pictures
    ]
