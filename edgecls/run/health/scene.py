"""Whether a camera still looks at the scene that it used to look at: by the directions of edges, not by levels.

In another light an edge is fainter or stronger, and stays where it is with the same side light. So of each cell the direction
of the gradient is compared with the usual one, and weighed by how clear both are (orientation correlation, Fitch et al. 2002).
What moves hides the scene only where it is. So the picture is judged part by part: after a camera has been turned no part is
as it was, while before a lorry that fills most of the picture the rest is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.image.opencv import cv2
from edgecls.run.health.tone import sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

PARTS = (5, 8)
"""Rows and columns of parts."""
CLEAR = 24.0
"""A gradient (Sobel's: eight times the step from cell to cell, in levels) that counts half."""
FAINTEST, OF_NOISE = 6.0, 10.0
"""A gradient below counts nothing: less than a level from cell to cell, or what noise makes: its gradients have a deviation of
3.5 times its own, and one in a hundred cells is beyond 10."""
USUAL = 0.02
"""Of the clearest possible, for a part to have edges that can be compared."""
SHOWN = 0.2
"""Of its usual clearness, for a part to say anything now."""
FEWEST = 4
"""Parts that a judgement needs, and at least half of those that have edges."""
FEWEST_OF_ONE_WAY = 8
"""Parts, for edges that go up and down to be judged alone, and those from side to side: a scene that was moved along a kerb has
that kerb still where it was, and no post."""
ALIKE = 0.6
"""The correlation from which on a part is as it was.

Measured on car-detection.mp4 and vtest.avi, shares of the parts that are alike: 0.75 to 1 for their own pictures, also in a
twentieth of the light with noise, other gammas, with one side lit and the other dark, in hard shadow; 0.48 and 0.67 with
another scene over half of the picture, 0.27 and 0.48 over 70 %; 0.45 under one strong lamp; after a shift by 2 % of the
width or the height 0 to 0.09 (0.73 where hardly anything goes up and down), by 3 % 0 to 0.09; 0.07 and 0.09 after a turn by 5
degrees; 0 for the other clip."""


class Match(NamedTuple):
    """How a picture compares with the usual one: the share of its parts that are alike (0..1; None where too few can be told),
    and how much is left of the usual edges, however faint (about 0: nothing, 1: all).
    """

    alike: float | None
    left: float | None


class Edges(NamedTuple):
    """(2, H, W) each, across and down: the gradients of a picture, and their directions, 0 to nearly 1 long by how clear they
    are.
    """

    gradients: NDArray[np.float32]
    directions: NDArray[np.float32]


def edges_of(small: Picture, noise: float) -> Edges:
    """Return the edges of a small picture, (H, W) uint8. `noise` is its deviation from picture to picture, in levels."""
    gradients = np.array([cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)], np.float32)
    size = cv2.magnitude(gradients[0], gradients[1])
    counts = size >= max(FAINTEST, OF_NOISE * noise)
    return Edges(gradients, gradients * (counts / (size + np.float32(CLEAR))))


class Scene:
    """The usual edges of one camera's pictures."""

    def __init__(self) -> None:
        """Know nothing."""
        self._usual: NDArray[np.float32] | None = None

    def match(self, edges: Edges) -> Match:
        """Compare a picture with the usual one."""
        usual = self._usual
        if usual is None or usual.shape != edges.directions.shape:
            return Match(None, None)
        strength = sums(_dots(usual, usual), PARTS)
        known = strength > USUAL * usual[0].size / strength.size
        if known.sum() < FEWEST:
            return Match(None, None)
        power = strength * sums(_dots(edges.gradients, edges.gradients), PARTS)
        left = sums(_dots(usual, edges.gradients), PARTS)[known] / np.sqrt(np.maximum(power[known], 1e-6))
        alike = _alike(usual, edges.directions, FEWEST)
        alone = [_alike(usual[i : i + 1], edges.directions[i : i + 1], FEWEST_OF_ONE_WAY) for i in (0, 1)]
        told = [share for share in alone if share is not None]
        return Match(None if alike is None else min([alike, *told]), float(np.median(left)))

    def learn(self, edges: Edges, rate: float) -> None:
        """Let a picture be so much (0..1) of what is usual."""
        if self._usual is None or self._usual.shape != edges.directions.shape:
            self._usual = edges.directions.copy()
        else:
            self._usual += np.float32(rate) * (edges.directions - self._usual)


def _alike(usual: NDArray[np.float32], now: NDArray[np.float32], fewest: int) -> float | None:
    """The share of the parts that are as usual, of those that can be told; None where these are fewer, or not half."""
    usual_power, now_power = _dots(usual, usual), _dots(now, now)
    strength = sums(usual_power, PARTS)
    known = strength > USUAL * usual_power.size / strength.size
    weight = sums(np.sqrt(usual_power * now_power), PARTS)
    says = known & (weight > SHOWN * strength)
    if says.sum() < max(fewest, known.sum() / 2):
        return None
    return float((sums(_dots(usual, now), PARTS)[says] > ALIKE * weight[says]).mean())


def _dots(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each cell."""
    return np.asarray((one * two).sum(axis=0), np.float32)
