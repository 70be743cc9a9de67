"""Distances between two samples, given as counts, and how large they become by chance alone.

Shares of labels are compared by the Jensen-Shannon distance (Lin 1991; Endres and Schindelin 2003), numbers by the Wasserstein
distance, which is the area between the two distribution functions (Vallender 1974). Both say how much has changed, where a
p-value would only say that something has: with enough pictures, everything is significant (compare Rabanser et al. 2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z = 3.3
"""One sample of two thousand from a normal distribution exceeds this many standard deviations."""


def jensen_shannon(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Return the Jensen-Shannon distance of two samples, 0 (the same shares) to 1 (no label in common).

    Args:
        one: How often each label occurs, (L,), not all 0.
        two: The same of the other sample, (L,).
    """
    p, q = one / one.sum(), two / two.sum()
    middle = (p + q) / 2
    divergence = sum(
        float((share[share > 0] * np.log2(share[share > 0] / middle[share > 0])).sum()) / 2 for share in (p, q)
    )  # fmt: skip
    return math.sqrt(max(0.0, divergence))


def jensen_shannon_by_chance(labels: int, one: float, two: float) -> float:
    """Return the distance that two samples of the same source hardly exceed.

    Their divergence is about a chi-squared variable (Grosse et al. 2002), with the quantile of Wilson and Hilferty 1931.

    Args:
        labels: How many labels occur.
        one: The number of observations of one sample, above 0.
        two: That of the other.
    """
    free = max(1, labels - 1)
    quantile = free * (1 - 2 / (9 * free) + Z * math.sqrt(2 / (9 * free))) ** 3
    return math.sqrt(min(1.0, quantile * (1 / one + 1 / two) / (8 * math.log(2))))


def wasserstein(one: NDArray[np.float64], two: NDArray[np.float64], width: float) -> float:
    """Return the Wasserstein distance of two samples: how far values have moved on average, in their unit.

    Args:
        one: How many values are in each bin, (B,), not all 0.
        two: The same of the other sample, (B,).
        width: The width of a bin.
    """
    return float(np.abs(np.cumsum(one / one.sum() - two / two.sum())).sum()) * width


def wasserstein_by_chance(usual: NDArray[np.float64], width: float, one: float, two: float) -> float:
    """Return the distance that two samples of the same source hardly exceed (compare del Barrio et al. 1999).

    Args:
        usual: How many values of the source are in each bin, (B,), not all 0.
        width: The width of a bin.
        one: The number of observations of one sample, above 0.
        two: That of the other.
    """
    below = np.cumsum(usual / usual.sum())
    spread = float(np.sqrt(np.maximum(below * (1 - below), 0)).sum()) * width
    return Z * spread * math.sqrt(1 / one + 1 / two)
