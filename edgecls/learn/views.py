"""Views of a picture: itself and parts of it, so that a head learns what does not depend on how a camera framed the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgecls.frame import Picture

CROPS = 2
SMALLEST_SHARE, LARGEST_SHARE = 0.75, 0.95
"""Of each side of the picture."""
VERSION = 1
"""Increase it whenever the same picture would give other views: embeddings in the cache depend on it."""


def views(picture: Picture, rng: np.random.Generator, *, mirror: bool = False) -> list[Picture]:
    """Return the picture and CROPS random crops of it.

    Args:
        picture: (H, W) or (H, W, 3) uint8.
        rng: Draws the size and the place of each crop.
        mirror: Whether to flip every second crop left to right.

    Returns:
        1 + CROPS pictures of several sizes.
    """
    found = [picture]
    for i in range(CROPS):
        height, width = (max(1, round(side * share)) for side, share in zip(picture.shape[:2], _shares(rng), strict=True))
        top, left = (int(rng.integers(0, room + 1)) for room in (picture.shape[0] - height, picture.shape[1] - width))
        crop = picture[top : top + height, left : left + width]
        found.append(np.ascontiguousarray(crop[:, ::-1] if mirror and i % 2 == 0 else crop))
    return found


def _shares(rng: np.random.Generator) -> tuple[float, float]:
    share = rng.uniform(SMALLEST_SHARE, LARGEST_SHARE)
    return share, share
