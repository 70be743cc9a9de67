"""Generated pictures for comparing two forms of a network; they are always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN, NOISE = 8, 8


def drawn(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return pictures, (PLAIN + NOISE, *shape) uint8: gradients with a rectangle, which make small PNGs, then random noise."""
    height, width, channels = shape
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    pictures = np.empty((PLAIN + NOISE, *shape), np.uint8)
    for picture in pictures[:PLAIN]:
        for channel in range(channels):
            start, down, right = rng.integers(0, 256), rng.normal(0, 200), rng.normal(0, 200)
            picture[..., channel] = np.clip(start + down * rows + right * columns, 0, 255)
        top, left = rng.integers(0, height), rng.integers(0, width)
        picture[top : top + height // 2, left : left + width // 2] = rng.integers(0, 256, channels)
    pictures[PLAIN:] = rng.integers(0, 256, (NOISE, *shape))
    return pictures
