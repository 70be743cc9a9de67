"""Measure how sharp a picture is, independently of the light: the steepness of edges relative to their height.

Sharpness is usually measured as the energy of fine detail (Pech-Pacheco et al. 2000), which also falls with the light and rises
with noise. Here short pieces of rows are used instead: the largest step between neighbouring pixels is divided by the range of
levels in the piece. Half of the light halves both. The ratio is near 1 for a sharp edge and near 1/8 for one blurred over 8
pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.health.exposure import quantile, sums
from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

ROWS = 45
"""How many rows of a picture are measured. Each is the mean of two, which halves the power of the noise."""
PIECES = 60
"""How many pieces a row is divided into."""
SHORTEST = 16
"""The shortest piece, in pixels. In a shorter one the range equals the largest step, however blurred the edge is."""
FLATTEST = 0.1
RANGE, OF_NOISE = 8, 5.0
"""A piece is judged if its range has at least `RANGE` levels and `OF_NOISE` times the step that noise makes, which is taken
from the flattest tenth of the pieces."""
SHARP = 4.0
"""A piece is judged only if its usual steepness is at least this many times that of a ramp; others cannot get much softer."""
SOFTER = 0.6
"""A piece is softer if its steepness is below this share of the usual one."""
PARTS = (4, 6)
"""How many rows and columns of parts the picture is divided into; each is judged separately."""
FEWEST, FEWEST_PARTS = 5, 3
"""The fewest pieces for judging a part, and the fewest parts for judging the picture.

The share of softer parts, measured on car-detection.mp4 and vtest.avi (768 pixels wide; also enlarged to 1920, shrunk to 320):
at most 0.3 in their own frames, 0.2 down to a tenth of the light with noise, 0.3 there as JPEGs of quality 20, 0.4 in another
scene, 0.7 with a soft object over 70 % of the width (0.8 at 320). With a Gaussian blur of 1/384 of the width: 0.8 to 1 (0.3 at
320, where that is less than a pixel); of 1/256: 0.9 to 1 (0.5 to 1); of 1/150 to 1/64: 0.7 to 1."""


class Sharpness:
    """The usual steepness of each piece of one camera's pictures."""

    def __init__(self) -> None:
        """Start without a usual steepness."""
        self._usual: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._known: NDArray[np.bool_] = np.zeros((0, 0), np.bool_)

    def softer(self, now: Steepness) -> float | None:
        """Return the share (0..1) of parts that are softer than usual; None if too few can be judged."""
        if self._usual.shape != now.steep.shape:
            return None
        judged = now.judged & self._known & (self._usual >= SHARP * now.ramp)
        soft = judged & (now.steep < SOFTER * self._usual)
        counts, softs = sums(np.array((judged, soft), np.float32), PARTS)
        enough = counts >= FEWEST
        return float((2 * softs > counts)[enough].mean()) if enough.sum() >= FEWEST_PARTS else None

    def learn(self, now: Steepness, rate: float) -> None:
        """Update the usual steepness with a picture (exponential moving average with weight `rate`, 0..1)."""
        if self._usual.shape != now.steep.shape:
            self._usual, self._known = now.steep.copy(), np.zeros_like(now.judged)
        new = now.judged & ~self._known
        self._usual[new] = now.steep[new]
        self._known |= new
        self._usual += np.float32(rate) * now.judged * (now.steep - self._usual)


class Steepness(NamedTuple):
    """The steepness of each piece (0..1) and whether it can be judged, (rows, pieces) each; and the steepness of a ramp."""

    steep: NDArray[np.float32]
    judged: NDArray[np.bool_]
    ramp: float


def steepness(plane: Picture) -> Steepness:
    """Measure a picture, (H, W) uint8, at least 2 rows and columns. Full or limited range does not matter."""
    height, width = plane.shape
    step = max(2, height // ROWS)
    length = min(width, max(SHORTEST, width // PIECES))
    pieces = width // length
    upper, lower = plane[0 : height - 1 : step, : pieces * length], plane[1:height:step, : pieces * length]
    rows = cv2.addWeighted(np.ascontiguousarray(upper), 0.5, np.ascontiguousarray(lower), 0.5, 0)
    cut = cv2.transpose(rows.reshape(-1, length))  # transposed, because numpy compares whole rows fast
    span = (cut.max(axis=0) - cut.min(axis=0)).reshape(-1, pieces)
    steepest = cv2.absdiff(cut[1:], cut[:-1]).max(axis=0).reshape(-1, pieces)
    noise = quantile(steepest, FLATTEST)
    judged = span >= max(RANGE, OF_NOISE * noise)
    edge = np.sqrt(np.maximum(steepest.astype(np.float32) ** 2 - np.float32(noise) ** 2, 0))  # the step without the noise in it
    return Steepness(edge / np.maximum(span, 1).astype(np.float32), judged, 1 / (length - 1))
