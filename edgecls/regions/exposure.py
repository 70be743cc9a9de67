"""Match the exposure of a frame to that of another one of the same scene.

A camera's automatic exposure changes all pixels at once when a bright car arrives. What is compared pixel by pixel is
therefore first brought to the same exposure, with the tone curve that most pixels agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from edgecls.frame import Picture

CURVE_POINTS = 16
FEWEST_PIXELS = 50
"""The fewest pixels in a range of levels for its median to be used."""
SAME = 3
"""If no medians differ by more levels than this, the exposure is the same."""
MOST_GAIN, DARK = 4.0, 8.0
"""A larger or smaller gain means another scene. DARK is added to both levels first, because dark levels are mostly noise."""


def as_exposed(picture: Picture, like: Picture) -> Picture:
    """Match the exposure of a picture to that of another one of the same scene.

    Pixels are grouped by their level in `like`. The median of each group in `picture` gives one point of the tone curve. An
    object in only one of the pictures does not shift a median unless it covers half of the pixels of a group.

    Args:
        picture: (H, W) uint8.
        like: (H, W) uint8.

    Returns:
        `picture` with the exposure of `like`: (H, W) uint8. Unchanged if it shows another scene.
    """
    counted = cv2.calcHist([like], [0], None, [256], [0, 256]).ravel()  # sorting the pixels takes 3 times as long
    pixels = np.cumsum(counted)
    starts = np.searchsorted(pixels - counted / 2, np.arange(CURVE_POINTS) * picture.size / CURVE_POINTS)
    is_start = np.zeros(256, np.uint8)
    is_start[np.minimum(starts, 255)] = 1
    part_of = np.cumsum(is_start, dtype=np.uint8) - 1  # the first start is 0
    parts = cv2.calcHist(
        [cv2.LUT(like, part_of), picture], [0, 1], None, [int(part_of[-1]) + 1, 256], [0, int(part_of[-1]) + 1, 0, 256]
    )
    counts = parts.sum(axis=1)
    known = counts >= FEWEST_PIXELS
    if not known.any():
        return picture
    target = np.searchsorted(pixels, np.cumsum(counts)[known] - counts[known] / 2).astype(np.float64)
    medians = (np.cumsum(parts[known], axis=1) < counts[known, None] / 2).sum(axis=1)
    level = np.maximum.accumulate(medians.astype(np.float64))
    gain = (target + DARK) / (level + DARK)
    if np.abs(target - level).max() < SAME or gain.max() > MOST_GAIN or gain.min() < 1 / MOST_GAIN:
        return picture
    levels, which = np.unique(level, return_inverse=True)
    targets = np.bincount(which, target) / np.bincount(which)
    white = max(targets[-1], 255 * (targets[-1] + 1) / (levels[-1] + 1))
    black, bright = ([0.0] if levels[0] > 0 else []), levels[-1] < 255
    curve = np.interp(
        np.arange(256), [*black, *levels, *([255.0] if bright else [])], [*black, *targets, *([white] if bright else [])]
    )
    return cast("Picture", cv2.LUT(picture, np.clip(curve + 0.5, 0, 255).astype(np.uint8)))
