"""How light a picture is, and whether it shows anything: black, overexposed, covered.

What covers a lens from near (a hand, a bag, a sticker) is far out of focus: it may be brighter on one side, but nothing stands
out in it. So the picture is compared with itself, blurred over a twentieth of its width: what is left is how far things stand
out from what is around them, as a share of the light, because half of the light halves both.

Measured: things stand out by 0.5 to 0.7 of the light on vtest.avi (a square full of people), 0.04 in a frame of
car-detection.mp4 without a car (an empty gray road: the least that a camera had to see), 0.06 in fog that leaves 15 % of the
contrast of the square; by 0.01 to 0.03 in a drawn hand, lit evenly or from the side, with noise of a deviation of 1 to 15, and
by up to 0.06 where it was a JPEG of quality 10. So that alone is no proof: of a scene that is known it also has to be gone
(see `scene`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

DARK_SHARE = 0.99
"""Of the picture must be dark: a lamp in the night is not black."""
BLACK, NO_LONGER_BLACK = 20, 28
"""Levels. A capped lens whose gain is open shows noise up to about 15; a fifth of the light of car-detection.mp4 is at 28."""
WHITE = 245
OVEREXPOSED, NO_LONGER_OVEREXPOSED = 0.8, 0.65
"""Shares of the picture that are white. Half of it may be the sky; car-detection.mp4, which is exposed anew whenever a white
car comes, has at most 0.08."""
AROUND = 4
"""Cells of a picture of 80: the deviation of the blur that things are compared with."""
STANDING_OUT = 0.97
"""So much of the picture stands out by less: what a camera writes into it (a name, a clock) takes about 2 %."""
NOISE_AT_97 = 2.17
"""The 97th percentile of noise, in its deviations."""
PLAIN, NO_LONGER_PLAIN = 0.06, 0.08
"""Shares of the light. Where things stand out by more there is something to see."""
NEVER_SEEN, NO_LONGER_NEVER_SEEN = 0.02, 0.03
"""As long as the scene of a camera is not known, what stands out by less is a cover and no scene."""


class Tone(NamedTuple):
    """What a picture is like as a whole: the level that `DARK_SHARE` of it stays below, the share that is white, and how far
    things stand out in it, as a share of the light.
    """

    level: float
    white: float
    contrast: float


def tone(small: Picture, noise: float) -> Tone:
    """Look at a small picture, (H, W) uint8, full range. `noise` is its deviation from picture to picture, in levels."""
    cells = cv2.blur(small.astype(np.float32), (2, 2))[1::2, 1::2]
    out = np.abs(cells - cv2.GaussianBlur(cells, (0, 0), AROUND))[AROUND:-AROUND, AROUND:-AROUND]
    stands = float(np.quantile(out, STANDING_OUT)) if out.size else 0.0
    seen = max(0.0, stands**2 - (NOISE_AT_97 * noise / 2) ** 2) ** 0.5
    level = float(np.quantile(small, DARK_SHARE))
    return Tone(level, float((small >= WHITE).mean()), seen / (float(cells.mean()) + 8))


def grid_noise(before: Picture, now: Picture, parts: tuple[int, int]) -> float:
    """Return the deviation of the noise of two pictures of one size, in levels: the median over the parts of the picture, so
    that what moves in some of them does not matter.
    """
    changed = cv2.absdiff(before, now).astype(np.float32)
    return float(np.median(sums(changed, parts) / sums(np.ones_like(changed), parts))) / 1.128


def sums(cells: NDArray[np.float32], parts: tuple[int, int]) -> NDArray[np.float32]:
    """Add up an array of two dimensions in so many parts along each of them."""
    for axis in (0, 1):
        cells = np.add.reduceat(cells, _firsts(cells.shape[axis], parts[axis]), axis=axis)
    return cells


@lru_cache(maxsize=64)
def _firsts(count: int, parts: int) -> NDArray[np.intp]:
    """Of each part the first of so many cells."""
    return np.linspace(0, count, parts + 1).astype(np.intp)[:-1]
