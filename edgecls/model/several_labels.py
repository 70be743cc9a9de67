"""Read the outputs of a network with a sigmoid for each label: a picture may show several labels, or none.

Each label has a threshold of its own, chosen on held-out pictures. A score is the probability, moved so that the threshold of
its label becomes 0.5: the odds of the probability are divided by the odds of the threshold. So a single number says whether a
label is shown, and rules for events need not know the thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ModelError
from edgecls.model import confidence
from edgecls.model.confidence import MIN_PICTURES_TO_FIT, MIN_VIEW_PROBABILITY, UNKNOWN_ID, tempered
from edgecls.prediction import NONE, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EVEN = 0.5
"""The threshold of a label for which none was chosen, and the score at the threshold of every label."""
FEWEST_TO_CHOOSE = 10
"""How many held-out pictures with a label, and without it, it takes to choose its threshold."""
FEWEST_SHOWN = 5
NEGLIGIBLE = 0.01
"""A prediction lists at least FEWEST_SHOWN labels, and all with at least this score."""
TOLERATED = 0.5
"""How many pictures worse than the best a threshold may be, so that it does not fit the chance of few pictures."""
MARGIN = 0.25
"""A threshold keeps this share of the gap between two probabilities from each of them."""
LOWEST, HIGHEST = 0.005, 0.995
"""The range of thresholds. Beyond it, a single picture decides."""
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class SeveralLabels:
    """How the runtime interprets the probabilities of a model that gives several labels for a picture.

    Attributes:
        temperature: Divides the logits; 1 changes nothing.
        thresholds: A label is shown if its calibrated probability is at least this, for each label, above 0 and below 1.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Validate the ranges. Raises ModelError."""
        if not (0 < self.temperature < np.inf and all(0 < threshold < 1 for threshold in self.thresholds)):
            raise ModelError(
                f"confidence: expected a temperature above 0 and thresholds between 0 and 1, found {self.temperature} and "
                f"{self.thresholds}"
            )

    @staticmethod
    def even(labels: int) -> SeveralLabels:
        """Return what reads this number of labels before anything is fitted: every threshold is 0.5."""
        return SeveralLabels(thresholds=(EVEN,) * labels)

    def calibrated(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated probabilities of the model's own, (N, labels) float32."""
        if self.temperature == 1:
            return probabilities
        return tempered(_pairs(probabilities), self.temperature)[:, 1].reshape(probabilities.shape)

    def scores(self, calibrated: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of calibrated probabilities, (N, labels) float32: 0.5 is the threshold of each label."""
        threshold = np.asarray(self.thresholds)
        shown = calibrated * (1 - threshold)
        scores: NDArray[np.float32] = (shown / (shown + (1 - calibrated) * threshold)).astype(np.float32)
        return scores

    def shown(self, calibrated: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which labels are shown, (N, labels), given calibrated probabilities."""
        shown: NDArray[np.bool_] = self.scores(calibrated) >= EVEN
        return shown

    def unknown(self, calibrated: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether each picture shows none of the labels, (N,), given calibrated probabilities, (N, labels)."""
        return np.asarray(~self.shown(calibrated).any(axis=1))

    def combined(self, probabilities: NDArray[np.float32], views: Sequence[int]) -> NDArray[np.float32]:
        """Combine several views of the same object into one prediction, see `Confidence.combined`: the mean of the logits."""
        if len(views) == len(probabilities):
            return probabilities
        kept = np.clip(probabilities, MIN_VIEW_PROBABILITY, 1 - MIN_VIEW_PROBABILITY)
        firsts = np.cumsum([0, *views[:-1]])
        logits = np.add.reduceat(np.log(kept / (1 - kept)), firsts) / np.asarray(views)[:, None]
        combined: NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return combined

    def predictions(self, labels: Sequence[str], calibrated: NDArray[np.float32]) -> list[Prediction]:
        """Turn calibrated probabilities, (N, labels), into predictions with all labels that are shown."""
        return [self._prediction(labels, row) for row in self.scores(calibrated)]

    def _prediction(self, labels: Sequence[str], scores: NDArray[np.float32]) -> Prediction:
        order = np.argsort(-scores, kind="stable").tolist()
        ranked = [(labels[i], float(scores[i])) for i in order]
        top = tuple(ranked[:FEWEST_SHOWN]) + tuple(one for one in ranked[FEWEST_SHOWN:] if one[1] >= NEGLIGIBLE)
        shown = tuple(one for one in ranked if one[1] >= EVEN)
        if not shown:
            return Prediction(NONE, 1 - ranked[0][1], UNKNOWN_ID, top, shown)
        return Prediction(*shown[0], order[0], top, shown)


def fit(probabilities: NDArray[np.float32], marks: NDArray[np.int64]) -> SeveralLabels:
    """Fit the temperature with the highest likelihood, and a threshold with a high F1 for each label.

    Args:
        probabilities: The model's own, (N, labels) float32.
        marks: Of the held-out pictures, (N, labels): 1 shown, 0 not shown, -1 unknown.

    Returns:
        The fit. The temperature stays 1 for fewer than MIN_PICTURES_TO_FIT pictures, and a threshold stays 0.5 for a label with
        fewer than FEWEST_TO_CHOOSE pictures with it, or without it.
    """
    known = marks >= 0
    temperature = 1.0
    if len(marks) >= MIN_PICTURES_TO_FIT:
        pairs = _pairs(probabilities[known])
        temperature = confidence.fit(pairs, marks[known].astype(np.int64), reject=0.0).temperature
    calibrated = SeveralLabels(temperature).calibrated(probabilities)
    columns = zip(calibrated.T, marks.T, strict=True)
    return SeveralLabels(temperature, tuple(_best_threshold(p[mark >= 0], mark[mark >= 0] == 1) for p, mark in columns))


def _best_threshold(probabilities: NDArray[np.float32], shown: NDArray[np.bool_]) -> float:
    """Return a threshold with a high F1: of those that are at most half a picture worse than the best, the one nearest, in
    logits, to half of the best F1, which is where it lies for true probabilities (Lipton et al. 2014).

    The very best threshold of a few pictures fits their chance; that rule of true probabilities corrects it where it can.
    """
    if min(shown.sum(), (~shown).sum()) < FEWEST_TO_CHOOSE:
        return EVEN
    order = np.argsort(-probabilities, kind="stable")
    ranked = np.clip(probabilities[order].astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    f1 = 2 * np.cumsum(shown[order]) / (np.arange(1, len(ranked) + 1) + shown.sum())
    below = np.append(ranked[1:], _SMALLEST)
    ends = ranked > below  # equal probabilities cannot be separated
    good = ends & (f1 >= f1[ends].max() - TOLERATED / shown.sum())
    high, low = _logits(ranked[good]), _logits(below[good])
    wanted = float(_logits(np.clip(f1[ends].max() / 2, LOWEST, HIGHEST)))
    margin = (high - low) * MARGIN
    found = np.clip(wanted, low + margin, high - margin)
    nearest = float(found[np.abs(found - wanted).argmin()])
    return round(float(np.clip(1 / (1 + np.exp(-nearest)), LOWEST, HIGHEST)), 6)


def _logits(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.log(probabilities / (1 - probabilities)), np.float64)


def _pairs(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each probability as those of two classes, (M, 2): without the label, and with it."""
    flat = probabilities.reshape(-1)
    return np.stack([1 - flat, flat], axis=1)
