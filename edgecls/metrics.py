"""Metrics of predictions and timings. Rates are in 0..1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

Z_95 = 1.959964
"""The normal distribution has 95 % of its values within this many standard deviations."""

STANDARD_ERRORS = 1.959964
"""The half width of an interval that contains the truth in 95 of 100 cases."""
LIKE_ONE_PICTURE, TRUST = 1.0, 10
"""How alike the results of a group are supposed to be, from 0 (independent) to 1 (as one picture), and how many groups it takes
until what they show counts as much as that."""
FEW_PICTURES = 500
"""With fewer pictures, a share without its interval says more than is known: at 95 % and 500 pictures it is 2 points wide to
either side."""


class Interval(NamedTuple):
    """The lowest and the highest value, 0..1, that a share may well have."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of its width."""
        return (self.high - self.low) / 2


def wilson(share: float, pictures: float) -> Interval:
    """Return the 95 % interval of a share that was found in a number of independent pictures (Wilson 1927).

    Args:
        share: 0..1.
        pictures: Above 0; a fraction if it is an effective number.

    Example:
        wilson(1.0, 6)  # six of six right: from 0.61 to 1
    """
    square = STANDARD_ERRORS**2 / pictures
    middle = (share + square / 2) / (1 + square)
    half = STANDARD_ERRORS / (1 + square) * math.sqrt(share * (1 - share) / pictures + square / pictures / 4)
    return Interval(0.0 if share == 0 else max(0.0, middle - half), 1.0 if share == 1 else min(1.0, middle + half))


def effective_pictures(right: NDArray[np.bool_], groups: Sequence[Hashable]) -> float:
    """Return how many independent pictures say as much as these, of which those of one group may be alike.

    It is the number of pictures divided by the design effect, 1 + (size of a group - 1) x correlation (Kish 1965). The
    correlation of the results within groups is estimated, and drawn towards LIKE_ONE_PICTURE if there are few groups. Where all
    results are the same, it cannot be estimated.

    Args:
        right: Whether each picture is right, (N,), N > 0.
        groups: The group of each picture.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    of_picture = np.array([names[name] for name in groups])
    sizes = np.bincount(of_picture)
    size = float((sizes**2).sum() / len(right))  # of the group of a picture, on average
    if size == 1:
        return float(len(right))
    residuals = right - right.mean()
    correlation = LIKE_ONE_PICTURE
    if len(sizes) > 1 and (residuals != 0).any():
        between = float((np.bincount(of_picture, weights=residuals) ** 2).sum()) * len(sizes) / (len(sizes) - 1)
        found = (between / float((residuals**2).sum()) - 1) / (size - 1)
        seen = len(sizes) * min(1.0, max(0.0, found))
        correlation = (TRUST * LIKE_ONE_PICTURE + seen) / (TRUST + len(sizes))
    return len(right) / (1 + (size - 1) * correlation)


def interval(right: NDArray[np.bool_], groups: Sequence[Hashable]) -> Interval:
    """Return the 95 % interval of the share of `right`, given the group of each picture, see `effective_pictures`."""
    return wilson(float(right.mean()), effective_pictures(right, groups))


def confusion_matrix(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix, (classes, classes) counts: row = true class, column = predicted class."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def top1(confusion: NDArray[np.int64]) -> float:
    """Return the share of pictures whose best label is right."""
    return float(np.trace(confusion) / max(1, confusion.sum()))


def recalls(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the recall of each class, (classes,); NaN for a class without pictures."""
    total = confusion.sum(axis=1)
    return np.where(total > 0, np.diag(confusion) / np.maximum(1, total), np.nan)


def precisions(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the precision of each class, (classes,); NaN for a class that was never predicted."""
    total = confusion.sum(axis=0)
    return np.where(total > 0, np.diag(confusion) / np.maximum(1, total), np.nan)


def macro_recall(confusion: NDArray[np.int64]) -> float:
    """Return the mean recall over the classes that have pictures, so rare classes count as much as frequent ones."""
    return float(np.nanmean(recalls(confusion)))


class Bin(NamedTuple):
    """How many pictures have a score from `low` to `high`, the mean of their scores and the share of them that is right,
    both NaN where there are none.
    """

    low: float
    high: float
    pictures: int
    mean_score: float
    right: float


def reliability(scores: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> list[Bin]:
    """Return the reliability diagram of scores, in bins of equal width (Guo et al. 2017).

    Args:
        scores: (N,) in 0..1; NaN is ignored.
        right: (N,), whether each label is right.
        bins: The number of bins.
    """
    scores, right = scores[~np.isnan(scores)], right[~np.isnan(scores)]
    bin_of = np.minimum((scores * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    sums = (np.bincount(bin_of, weights=values, minlength=bins) for values in (scores, right.astype(float)))
    means, shares = (np.where(counts > 0, total / np.maximum(1, counts), np.nan).tolist() for total in sums)
    return [Bin(i / bins, (i + 1) / bins, int(counts[i]), means[i], shares[i]) for i in range(bins)]


def calibration_error(scores: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> float:
    """Return the expected calibration error (Guo et al. 2017), the mean gap of score and accuracy; NaN if a score is NaN."""
    if np.isnan(scores).any():
        return float("nan")
    found = reliability(scores, right, bins)
    return sum(b.pictures * abs(b.right - b.mean_score) for b in found if b.pictures) / max(1, len(scores))


def average_precision(scores: NDArray[np.floating], shown: NDArray[np.bool_]) -> float:
    """Return the average precision of scores: the mean precision at the recall of each shown picture; NaN if none is shown.

    Args:
        scores: (N,), higher is more certain.
        shown: (N,), whether each picture shows what the scores are about. Pictures with equal scores are taken together.
    """
    total = int(shown.sum())
    if not total:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    found, ranked = np.cumsum(shown[order]), scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    precisions = found[ends] / (ends + 1)
    return float((precisions * np.diff(found[ends], prepend=0)).sum() / total)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of the values lie; NaN if there are none."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


def mcnemar(fixed: int, broken: int) -> float:
    """Return the two-sided p-value of McNemar's exact test (McNemar 1947, in its binomial form).

    It is the probability that two equally good models differ at least so unevenly. Pictures on which both are right, or both
    wrong, say nothing about their difference.

    Args:
        fixed: The pictures that only the second model gets right.
        broken: The pictures that only the first model gets right.
    """
    total, fewer = fixed + broken, min(fixed, broken)
    logs = [math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(math.exp(log - total * math.log(2)) for log in logs))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of several tests, adjusted so that none is small by the number of tests alone (Holm 1979)."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def paired_difference(fixed: int, broken: int, pictures: int) -> tuple[float, float]:
    """Return the 95 % interval of the change of accuracy between two models on the same pictures (Agresti and Min 2005).

    Args:
        fixed: The pictures that only the second model gets right.
        broken: The pictures that only the first model gets right.
        pictures: All pictures.

    Returns:
        The lower and the upper end, -1..1; above 0 the second model is better.
    """
    gained, lost = (fixed + 0.5) / (pictures + 2), (broken + 0.5) / (pictures + 2)
    middle, half = gained - lost, Z_95 * math.sqrt((gained + lost - (gained - lost) ** 2) / (pictures + 2))
    return max(-1.0, middle - half), min(1.0, middle + half)
