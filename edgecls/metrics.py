"""How good and how fast: numbers from predictions and from timings. Scores are fractions 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def confusion_matrix(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes) counts: row = true class, column = predicted class."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def top1(confusion: NDArray[np.int64]) -> float:
    """The share of pictures whose best label is right."""
    return float(np.trace(confusion) / max(1, confusion.sum()))


def recalls(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(classes,) the share of each class's pictures that were found; NaN for a class without pictures."""
    total = confusion.sum(axis=1)
    return np.where(total > 0, np.diag(confusion) / np.maximum(1, total), np.nan)


def precisions(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(classes,) the share of each label's predictions that were right; NaN for a label that was never given."""
    total = confusion.sum(axis=0)
    return np.where(total > 0, np.diag(confusion) / np.maximum(1, total), np.nan)


def macro_recall(confusion: NDArray[np.int64]) -> float:
    """The mean of the recalls of the classes that have pictures: rare classes count as much as frequent ones."""
    return float(np.nanmean(recalls(confusion)))


def calibration_error(scores: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017): how far scores are from the share that is right, over equal bins."""
    bin_of = np.minimum((scores * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    gaps = np.bincount(bin_of, weights=right.astype(float) - scores, minlength=bins)
    return float(np.abs(gaps).sum() / max(1, counts.sum()))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the values lie; NaN for none."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")
