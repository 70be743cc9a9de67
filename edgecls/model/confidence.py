"""Calibrate probabilities, and detect pictures that belong to no class.

The probabilities of a network are mostly too high. Dividing the logits by a temperature corrects them without changing the
label (temperature scaling, Guo et al. 2017). A network also answers for pictures of no class. Those are detected by how little
the best label stands out at a high temperature, where all logits matter and not only the largest two (ODIN, Liang et al. 2018).

Everything is computed from probabilities: softmax(logits / T) is p^(1/T), normalized to a sum of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgecls.errors import ModelError
from edgecls.prediction import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

BACKGROUND = "background"
"""The class of models for moving objects that is none: light, leaves, an empty road."""
UNKNOWN = "unknown"
"""The label of a picture that belongs to no class of the model."""
UNKNOWN_ID = -1
REJECT_TEMPERATURE = 5.0
"""Of temperatures from 1 to 1000, the share of detected outliers rises steeply up to here and slowly beyond (traffic signs and
street scenes).
"""
MIN_PICTURES_TO_FIT = 100
"""How many pictures it takes to fit a temperature and a threshold."""
TOP = 5
"""How many labels a prediction lists."""
MIN_VIEW_PROBABILITY = 0.01
"""The smallest probability of a label in one of several views, so that no single view can rule it out."""
_SMALLEST = 1e-30


@dataclass(frozen=True, slots=True)
class Confidence:
    """How the runtime interprets the probabilities of a model.

    Attributes:
        temperature: Divides the logits; 1 changes nothing.
        reject_temperature: The temperature at which `familiarity` is computed.
        reject_below: A picture with less familiarity is unknown, 0..1; 0 never rejects.
    """

    temperature: float = 1.0
    reject_temperature: float = REJECT_TEMPERATURE
    reject_below: float = 0.0

    def __post_init__(self) -> None:
        """Validate the ranges. Raises ModelError."""
        if not (0 < self.temperature < np.inf and 0 < self.reject_temperature < np.inf and 0 <= self.reject_below <= 1):
            raise ModelError(
                f"confidence: expected temperatures above 0 and a reject_below of 0 to 1, found {self.temperature}, "
                f"{self.reject_temperature} and {self.reject_below}"
            )

    def calibrated(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated probabilities of the model's own, (N, labels) float32."""
        return probabilities if self.temperature == 1 else tempered(probabilities, self.temperature)

    def unknown(self, calibrated: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether each picture is unknown, (N,), given its calibrated probabilities, (N, labels)."""
        if self.reject_below == 0:
            return np.zeros(len(calibrated), np.bool_)
        return familiarity(calibrated, self.reject_temperature / self.temperature) < self.reject_below

    def combined(self, probabilities: NDArray[np.float32], views: Sequence[int]) -> NDArray[np.float32]:
        """Combine several views of the same object into one prediction, see `combine_views`."""
        return combine_views(probabilities, views)

    def predictions(self, labels: Sequence[str], calibrated: NDArray[np.float32]) -> list[Prediction]:
        """Turn calibrated probabilities, (N, labels), into predictions with the TOP best labels, or the label "unknown"."""
        predictions = []
        for row, unknown in zip(calibrated, self.unknown(calibrated).tolist(), strict=True):
            best = np.argsort(-row, kind="stable")[:TOP].tolist()
            top = tuple((labels[i], float(row[i])) for i in best)
            label, class_id = (UNKNOWN, UNKNOWN_ID) if unknown else (top[0][0], best[0])
            why: Literal["", "score"] = "score" if unknown else ""
            predictions.append(Prediction(label, top[0][1], class_id, top, unknown_by=why))
        return predictions


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax(logits / temperature) for probabilities (N, labels): flatter above 1, sharper below."""
    logits = np.log(np.maximum(probabilities, _SMALLEST)) / np.float32(temperature)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    tempered: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return tempered


def combine_views(probabilities: NDArray[np.float32], views: Sequence[int]) -> NDArray[np.float32]:
    """Combine several views of the same object into one prediction.

    The result is the geometric mean, normalized to a sum of 1, so a confident view counts more than an uncertain one (a product
    of experts, Hinton 2002).

    Args:
        probabilities: (M, labels) float32; the first `views[0]` rows are views of the first object, and so on.
        views: The number of views of each of the N objects; they sum to M.

    Returns:
        (N, labels) float32.
    """
    if len(views) == len(probabilities):
        return probabilities
    logits = np.log(np.maximum(probabilities, MIN_VIEW_PROBABILITY))
    firsts = np.cumsum([0, *views[:-1]])
    return tempered(np.exp(np.add.reduceat(logits, firsts) / np.asarray(views)[:, None]), 1.0)


def familiarity(probabilities: NDArray[np.float32], temperature: float = REJECT_TEMPERATURE) -> NDArray[np.float32]:
    """Return how much the best label stands out, (N,) in 0..1, given probabilities (N, labels): small for outliers."""
    best: NDArray[np.float32] = tempered(probabilities, temperature).max(axis=1)
    return best


def fit(probabilities: NDArray[np.float32], class_ids: NDArray[np.int64], *, reject: float) -> Confidence:
    """Fit the temperature with the highest likelihood, and the threshold for unknown pictures, on held-out pictures.

    Args:
        probabilities: The model's own, (N, labels) float32.
        class_ids: The true classes, (N,) int64.
        reject: The share of these pictures that may come out as unknown, 0..1; 0 never rejects.

    Returns:
        The fit; the defaults, which change nothing, for fewer than MIN_PICTURES_TO_FIT pictures.
    """
    if len(probabilities) < MIN_PICTURES_TO_FIT:
        return Confidence()
    temperature = round(likeliest_temperature(probabilities, class_ids), 4)
    below = float(np.quantile(familiarity(probabilities), reject)) if reject else 0.0
    return Confidence(temperature, REJECT_TEMPERATURE, round(below, 6))


def risk_coverage(scores: NDArray[np.floating], right: NDArray[np.bool_], points: int = 21) -> list[tuple[float, float]]:
    """Return the risk-coverage curve of a threshold on the score (El-Yaniv and Wiener 2010).

    Args:
        scores: (N,), higher is more certain.
        right: (N,), whether each prediction is right.
        points: The number of points on the curve.

    Returns:
        (coverage, risk) pairs by rising coverage: the share of pictures above a threshold, and the error rate among them.
    """
    order = np.argsort(-scores, kind="stable")
    wrong = np.cumsum(~right[order])
    counts = np.unique(-(-np.arange(1, points + 1) * len(scores) // points)).tolist()
    return [(round(n / len(scores), 4), round(float(wrong[n - 1] / n), 5)) for n in counts if n]


def likeliest_temperature(probabilities: NDArray[np.float32], class_ids: NDArray[np.int64]) -> float:
    """Return the temperature with the lowest cross-entropy.

    The targets are smoothed as if one picture were mislabelled; otherwise the fit for a model without a mistake would make it
    certain of everything.
    """
    count, labels = probabilities.shape
    logits = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    target = np.full((count, labels), 1 / count / max(1, labels - 1))
    target[np.arange(count), class_ids] = 1 - 1 / count

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-(target * (scaled - log_sum)).sum(axis=1).mean())

    return float(np.exp(_minimize(cross_entropy, np.log(0.1), np.log(20.0))))


def _minimize(cost: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Find the minimum of a unimodal function between `low` and `high` by golden-section search."""
    ratio = (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = cost(left), cost(right)
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = cost(right)
    return (low + high) / 2
