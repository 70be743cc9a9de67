"""Tell an object from another light: a shadow, a headlight, a lamp that is switched on.

What is only lit otherwise keeps its texture. So its levels correlate with those of the background, and a change of contrast and
brightness explains them. The first is tested on the whole area, whose surroundings it shares with the background; the second on
the foreground alone, because somebody in front of a kerb hides too little of it to change the correlation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

ALIKE = 0.85
"""With more than this correlation, two areas show the same."""
UNEXPLAINED = 0.5
"""If contrast and brightness leave less than this share of the change of the foreground, it is another light."""
SAME_TEXTURE, FEWEST_PIXELS = 0.75, 30
"""With more than this correlation, of at least so many pixels, the texture is the same."""
PLAIN, SMALLEST_SIDE = 3.0, 3
"""An area with at most this standard deviation of levels has no texture; one with a shorter side shows too little."""


def is_lit(levels: Picture, background: Picture, mask: NDArray[np.bool_]) -> bool:
    """Return whether an area looks like the background in another light, or shifted by a pixel.

    For an area without texture the answer is always False.

    Args:
        levels: (H, W) uint8, the area in a frame, and what is around it: its outermost pixels are used only for the shift.
        background: (H, W) uint8, the same of the background.
        mask: (H, W) bool, which of its pixels are foreground.
    """
    inner, inside = background[1:-1, 1:-1], mask[1:-1, 1:-1]
    if min(inner.shape) < SMALLEST_SIDE or float(cv2.meanStdDev(inner)[1][0, 0]) <= PLAIN:
        return False
    shown, own = levels.astype(np.float32), inner.astype(np.float32)  # of bytes it would take twice as long
    _, best, _, (right, down) = cv2.minMaxLoc(cv2.matchTemplate(shown, own, cv2.TM_CCOEFF_NORMED))
    if best <= ALIKE:
        return False
    high, wide = inner.shape
    return _unexplained(shown[down : down + high, right : right + wide][inside], own[inside]) < UNEXPLAINED


def is_shaded(levels: Picture, background: Picture, mask: NDArray[np.bool_]) -> bool:
    """Return whether the foreground alone has the texture of the background, in another light.

    It needs more than a few pixels with texture, and finds a shadow whatever its shape is.

    Args:
        levels: (H, W) uint8, an area in a frame.
        background: (H, W) uint8, the same of the background.
        mask: (H, W) bool, which of its pixels are foreground.
    """
    shown, own = levels[mask].astype(np.float32), background[mask].astype(np.float32)
    if own.size < FEWEST_PIXELS or min(float(own.std()), float(shown.std())) <= PLAIN / 2:
        return False
    return float(np.corrcoef(shown, own)[0, 1]) > SAME_TEXTURE and _unexplained(shown, own) < UNEXPLAINED


def _unexplained(levels: NDArray[np.float32], own: NDArray[np.float32]) -> float:
    """Return how much of the change of `own` to `levels` is left, as a share, if contrast and brightness are fitted."""
    change = float(np.abs(levels - own).mean()) if own.size else 0.0
    if not change:
        return 0.0
    levels, own = levels - levels.mean(), own - own.mean()
    contrast = float(levels @ own) / max(1e-6, float(own @ own))
    return float((levels - contrast * own).std()) / change
