"""Detect whether a camera still sees its usual scene, by comparing edge directions instead of levels.

In another light an edge gets fainter or stronger, but it stays in place and keeps its bright side. In each cell the gradient's
direction is therefore compared with the usual one, weighted by how clear both are (orientation correlation, Fitch et al. 2002).
Moving objects hide the scene only where they are, so the picture is judged part by part: after the camera has been turned, no
part matches; when a lorry fills most of the picture, the rest still does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.health.exposure import quantile, sums
from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

PARTS = (5, 8)
"""How many rows and columns of parts the picture is divided into."""
CLEAR = 24.0
"""The gradient that gets half of the weight (Sobel: eight times the step between cells, in levels)."""
FAINTEST, OF_NOISE = 6.0, 10.0
"""Smaller gradients are ignored: less than a level between cells, or noise. The gradients of noise have 3.5 times its standard
deviation, and one in a hundred exceeds 10 times."""
USUAL = 0.02
"""A part has edges to compare if they have at least this share of the highest possible strength."""
SHOWN = 0.2
"""A part can be judged now if its edges have at least this share of their usual strength."""
FEWEST = 4
"""The fewest parts for a judgement. At least half of those with edges are needed as well."""
FEWEST_OF_ONE_WAY = 8
"""The fewest parts for judging vertical or horizontal edges alone. When a camera shifts along a kerb, the kerb still matches
but posts do not."""
ALIKE = 0.6
"""The correlation above which a part matches.

The share of matching parts, measured on car-detection.mp4 and vtest.avi: 0.75 to 1 for their own frames, also in a twentieth of
the light with noise, with other gammas, lit from one side, or in hard shadow; 0.48 and 0.67 with another scene over half of the
picture, 0.27 and 0.48 over 70 %; 0.45 under one strong lamp; 0 to 0.09 after a shift by 2 % of the width or height (0.73 where
there are hardly any vertical edges), 0 to 0.09 by 3 %; 0.07 and 0.09 after a rotation by 5 degrees; 0 for the other clip."""


class Match(NamedTuple):
    """A picture compared with the usual scene: the share of matching parts (0..1; None if too few can be judged), and how much
    is left of the usual edges, however faint (about 0: nothing, 1: all; None if too few can be judged).
    """

    alike: float | None
    left: float | None


class Edges(NamedTuple):
    """The edges of a picture, (2, H, W) float32 each, x and y: gradients, and directions whose length (0 to nearly 1) says how
    clear they are.
    """

    gradients: NDArray[np.float32]
    directions: NDArray[np.float32]


def edges_of(small: Picture, noise: float) -> Edges:
    """Return the edges of a small picture, (H, W) uint8. `noise` is its standard deviation between pictures, in levels."""
    gradients = np.empty((2, *small.shape), np.float32)
    cv2.Sobel(small, cv2.CV_32F, 1, 0, dst=gradients[0])
    cv2.Sobel(small, cv2.CV_32F, 0, 1, dst=gradients[1])
    size = cv2.magnitude(gradients[0], gradients[1])
    counts = size >= max(FAINTEST, OF_NOISE * noise)
    return Edges(gradients, gradients * (counts / (size + np.float32(CLEAR))))


class Scene:
    """The usual edges of one camera's pictures."""

    def __init__(self, usual: NDArray[np.float32] | None = None) -> None:
        """Start without a usual scene, or with the `usual` directions of another one, (2, H, W)."""
        self._usual = usual

    @property
    def usual(self) -> NDArray[np.float32] | None:
        """The usual directions, (2, H, W); None before the first picture."""
        return self._usual

    def match(self, edges: Edges) -> Match:
        """Compare a picture with the usual scene."""
        usual = self._usual
        if usual is None or usual.shape != edges.directions.shape:
            return Match(None, None)
        squares, products = usual * usual, usual * edges.directions
        strengths = sums(squares, PARTS)
        strength = strengths[0] + strengths[1]
        known = _known(strength, usual[0].size)
        if known.sum() < FEWEST:
            return Match(None, None)
        lengths = np.sqrt((squares[0] + squares[1]) * _dots(edges.directions, edges.directions))
        energy, common, weight = sums(
            np.array((_dots(edges.gradients, edges.gradients), _dots(usual, edges.gradients), lengths)), PARTS
        )
        left = common[known] / np.sqrt(np.maximum(strength[known] * energy[known], 1e-6))
        dots, weights = sums(products, PARTS), sums(np.abs(products), PARTS)
        alike = _alike(strength, weight, dots[0] + dots[1], known, FEWEST)
        alone = (
            _alike(strengths[i], weights[i], dots[i], _known(strengths[i], usual[0].size), FEWEST_OF_ONE_WAY) for i in (0, 1)
        )
        judged = [share for share in alone if share is not None]
        return Match(None if alike is None else min([alike, *judged]), quantile(left, 0.5))

    def learn(self, edges: Edges, rate: float) -> None:
        """Update the usual scene with a picture (exponential moving average with weight `rate`, 0..1)."""
        if self._usual is None or self._usual.shape != edges.directions.shape:
            self._usual = edges.directions.copy()
        else:
            self._usual += np.float32(rate) * (edges.directions - self._usual)


def _known(strength: NDArray[np.float32], cells: int) -> NDArray[np.bool_]:
    """Return which parts have edges to compare, from the strength of their usual edges, in a picture of `cells` cells."""
    return np.asarray(strength > USUAL * cells / strength.size)


def _alike(
    strength: NDArray[np.float32],
    weight: NDArray[np.float32],
    dots: NDArray[np.float32],
    known: NDArray[np.bool_],
    fewest: int,
) -> float | None:
    """Return the share of matching parts among those that can be judged; None if these are fewer than `fewest` or half.

    Args:
        strength: The strength of the usual edges of each part.
        weight: The sum of the lengths of usual directions times those of now; in a part that is the same it is `dots`.
        dots: The sum of the dot products of both.
        known: Which parts have edges to compare.
        fewest: The fewest parts for a judgement.
    """
    says = known & (weight > SHOWN * strength)
    if says.sum() < max(fewest, known.sum() / 2):
        return None
    return float((dots[says] > ALIKE * weight[says]).mean())


def _dots(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the dot product in each cell."""
    return np.asarray(one[0] * two[0] + one[1] * two[1], np.float32)
