"""Metrics of predictions and timings. Rates are in 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of the values lie; NaN if there are none."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")
