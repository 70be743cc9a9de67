"""How sharp a picture is, whatever the light: how steep its edges are for their height.

Sharpness is usually taken as the energy of fine detail (Pech-Pacheco et al. 2000), which falls with the light as well, and
rises with noise. Here the picture is looked at in short pieces of rows: of each the steepest step from pixel to pixel is
divided by all that the levels span in it. Half of the light halves both. A step over a whole piece of 32 pixels is near 1
where an edge is sharp, and near 1/8 where it is blurred over 8 pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.image.opencv import cv2
from edgecls.run.health.tone import sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

ROWS = 45
"""Of a picture, that are looked at; each is the mean of two, which halves the power of the noise."""
PIECES = 60
"""Of a row."""
SHORTEST = 16
"""Pixels of a piece: the range of a shorter one is that of its steepest step, however blurred."""
FLATTEST = 0.1
RANGE, OF_NOISE = 8, 5.0
"""A piece is judged if it spans so many levels, and so many times the steepest step of the flattest tenth of the pieces: the
step that noise makes."""
SHARP = 4.0
"""A piece whose usual steepness is not so many times that of a ramp over all of it cannot become much softer."""
SOFTER = 0.6
"""Of its usual steepness; a piece below is softer."""
PARTS = (4, 6)
"""Rows and columns of the parts of a picture that are judged each on its own."""
FEWEST, FEWEST_PARTS = 5, 3
"""Pieces that the judgement of a part needs, and parts that of the picture.

Measured on car-detection.mp4 and vtest.avi (768 pixels wide), also enlarged to 1920 and shrunk to 320: the share of the parts
of which most pieces are softer is at most 0.3 in their own pictures, 0.2 in down to a tenth of the light with noise, 0.3 there
in JPEGs of quality 20, 0.4 in another scene, 0.7 with a soft thing over 70 % of the width (0.8 at 320); blurred by a deviation
of 1/384 of the width it is 0.8 to 1 (0.3 at 320, where that is less than a pixel), by 1/256 0.9 to 1 (0.5 to 1), and 0.7 to 1
by 1/150 to 1/64."""


class Sharpness:
    """The usual steepness of each piece of one camera's pictures."""

    def __init__(self) -> None:
        """Know nothing."""
        self._usual: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._known: NDArray[np.bool_] = np.zeros((0, 0), np.bool_)

    def softer(self, now: Steepness) -> float | None:
        """Return the share (0..1) of the parts that are softer than usual, of those that can be judged; None where too few
        can.
        """
        if self._usual.shape != now.steep.shape:
            return None
        judged = now.judged & self._known & (self._usual >= SHARP * now.ramp)
        soft = judged & (now.steep < SOFTER * self._usual)
        counts, softs = (sums(pieces.astype(np.float32), PARTS) for pieces in (judged, soft))
        enough = counts >= FEWEST
        return float((2 * softs > counts)[enough].mean()) if enough.sum() >= FEWEST_PARTS else None

    def learn(self, now: Steepness, rate: float) -> None:
        """Let a picture be so much (0..1) of what is usual."""
        if self._usual.shape != now.steep.shape:
            self._usual, self._known = now.steep.copy(), np.zeros_like(now.judged)
        new = now.judged & ~self._known
        self._usual[new] = now.steep[new]
        self._known |= new
        self._usual += np.float32(rate) * now.judged * (now.steep - self._usual)


class Steepness(NamedTuple):
    """How steep each piece of each row is (0..1), and whether that can be judged: (rows, pieces) each; and how steep a ramp
    is.
    """

    steep: NDArray[np.float32]
    judged: NDArray[np.bool_]
    ramp: float


def steepness(plane: Picture) -> Steepness:
    """Look at a picture: (H, W) uint8, 2 rows and columns at least; full range or not does not matter."""
    height, width = plane.shape
    step = max(2, height // ROWS)
    length = min(width, max(SHORTEST, width // PIECES))
    pieces = width // length
    upper, lower = plane[0 : height - 1 : step, : pieces * length], plane[1:height:step, : pieces * length]
    rows = cv2.addWeighted(np.ascontiguousarray(upper), 0.5, np.ascontiguousarray(lower), 0.5, 0)
    cut = cv2.transpose(rows.reshape(-1, length))  # one pixel of each piece a row: numpy compares rows many at a time
    span = (cut.max(axis=0) - cut.min(axis=0)).reshape(-1, pieces)
    steepest = cv2.absdiff(cut[1:], cut[:-1]).max(axis=0).reshape(-1, pieces)
    noise = float(np.quantile(steepest, FLATTEST))
    judged = span >= max(RANGE, OF_NOISE * noise)
    edge = np.sqrt(np.maximum(steepest.astype(np.float32) ** 2 - np.float32(noise) ** 2, 0))  # the step without the noise in it
    return Steepness(edge / np.maximum(span, 1).astype(np.float32), judged, 1 / (length - 1))
