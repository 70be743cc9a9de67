"""Measure how bright a picture is and whether it has any contrast: black, overexposed, covered.

Whatever covers a lens (a hand, a bag, a sticker) is far out of focus: it may be brighter on one side, but it has no local
contrast. The picture is therefore compared with itself, blurred over a twentieth of its width. The difference, divided by the
mean brightness, is the local contrast; half of the light halves both.

Measured contrast: 0.5 to 0.7 on vtest.avi (a square full of people); 0.04 in a frame of car-detection.mp4 without a car (an
empty gray road, the lowest of all real scenes); 0.06 in fog that leaves 15 % of the contrast of the square; 0.01 to 0.03 for a
drawn hand, lit evenly or from the side, with noise of a standard deviation of 1 to 15; up to 0.06 for a JPEG of it of quality
10. The contrast alone is thus not enough: the edges of the usual scene must be gone, too (see `scene`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

DARK_SHARE = 0.99
"""The share of the picture that must be dark. A lamp at night is not a black picture."""
BLACK, NO_LONGER_BLACK = 20, 28
"""Bounds in levels. A capped lens at full gain shows noise up to about 15; car-detection.mp4 in a fifth of its light has 28."""
WHITE = 245
OVEREXPOSED, NO_LONGER_OVEREXPOSED = 0.8, 0.65
"""Bounds for the share of the picture that is white. Half of it may be sky; car-detection.mp4, whose exposure changes whenever
a white car comes, has at most 0.08."""
AROUND = 4
"""The standard deviation of the blur, in cells of a picture 80 cells wide."""
STANDING_OUT = 0.97
"""The quantile of the difference that is the contrast. Text written by the camera (a name, a clock) takes about 2 %."""
NOISE_AT_97 = 2.17
"""The 97th percentile of the absolute value of noise, in standard deviations."""
PLAIN, NO_LONGER_PLAIN = 0.06, 0.08
"""Bounds for the contrast. With more, there is something to see."""
NEVER_SEEN, NO_LONGER_NEVER_SEEN = 0.02, 0.03
"""Bounds for the contrast while the camera's usual scene is not known yet."""


class Exposure(NamedTuple):
    """A picture as a whole: the level that `DARK_SHARE` of it stays below, the share (0..1) that is white, and its local
    contrast as a share of the mean brightness.
    """

    level: float
    white: float
    contrast: float


def exposure(small: Picture, noise: float) -> Exposure:
    """Measure a small picture, (H, W) uint8, full range. `noise` is its standard deviation between pictures, in levels."""
    cells = cv2.blur(small.astype(np.float32), (2, 2))[1::2, 1::2]
    out = np.abs(cells - cv2.GaussianBlur(cells, (0, 0), AROUND))[AROUND:-AROUND, AROUND:-AROUND]
    stands = quantile(out, STANDING_OUT) if out.size else 0.0
    seen = max(0.0, stands**2 - (NOISE_AT_97 * noise / 2) ** 2) ** 0.5
    white = np.count_nonzero(small >= WHITE) / small.size
    return Exposure(quantile(small, DARK_SHARE), white, seen / (float(cells.mean()) + 8))


def grid_noise(before: Picture, now: Picture, parts: tuple[int, int]) -> float:
    """Return the standard deviation of the noise in levels, from two pictures of the same size, (H, W) uint8.

    It is the median over the parts of the picture, so motion in some of them does not matter.
    """
    changed = sums(cv2.absdiff(before, now).astype(np.float32), parts)
    return quantile(changed / sums(np.ones(now.shape, np.float32), parts), 0.5) / 1.128


def quantile(values: NDArray[Any], share: float) -> float:
    """Return what `np.quantile` returns, which takes four times as long for a small picture."""
    at = share * (values.size - 1)
    low = int(at)
    high = min(low + 1, values.size - 1)
    ordered = np.partition(values, (low, high), axis=None)
    return float(ordered[low]) + (at - low) * (float(ordered[high]) - float(ordered[low]))


def sums(cells: NDArray[np.float32], parts: tuple[int, int]) -> NDArray[np.float32]:
    """Sum arrays (..., H, W) over a grid of `parts` (rows, columns)."""
    high, wide = cells.shape[-2:]
    return cast("NDArray[np.float32]", _members(high, parts[0]) @ cells @ _members(wide, parts[1]).T)


@lru_cache(maxsize=64)
def _members(count: int, parts: int) -> NDArray[np.float32]:
    """Return which of `count` cells belong to each part, (parts, count): 1 or 0. Each part has at least one."""
    borders = np.linspace(0, count, parts + 1).astype(np.intp)
    members = np.zeros((parts, count), np.float32)
    for row, first, end in zip(members, borders, borders[1:], strict=False):
        row[first : max(end, first + 1)] = 1
    return members
