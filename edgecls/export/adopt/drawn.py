"""Pictures to compare two forms of a network on, where there are no others: the same ones each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN, NOISE = 8, 8


def drawn(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(PLAIN + NOISE, *shape) uint8: slopes of light with a rectangle, which make small PNGs, then levels by chance."""
    height, width, channels = shape
    chance = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    pictures = np.empty((PLAIN + NOISE, *shape), np.uint8)
    for picture in pictures[:PLAIN]:
        for channel in range(channels):
            start, down, right = chance.integers(0, 256), chance.normal(0, 200), chance.normal(0, 200)
            picture[..., channel] = np.clip(start + down * rows + right * columns, 0, 255)
        top, left = chance.integers(0, height), chance.integers(0, width)
        picture[top : top + height // 2, left : left + width // 2] = chance.integers(0, 256, channels)
    pictures[PLAIN:] = chance.integers(0, 256, (NOISE, *shape))
    return pictures
