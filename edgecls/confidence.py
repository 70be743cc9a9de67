"""How far a score can be believed: probabilities that are true as frequencies, and what resembles nothing that was learned.

A network's own probabilities are mostly too high. Dividing its logits by one number, the temperature, mends that without
changing a label (Guo et al. 2017). And a network has an answer for everything: a picture that belongs to no class is found by
how little its best label stands out at a high temperature, where the differences between all logits still count (Liang et al.
2018), and not only the largest two.

All of this is computed from probabilities: softmax(logits / T) is p^(1/T), scaled to a sum of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

UNKNOWN = "unknown"
"""The label of a picture that resembles nothing that the model knows."""
UNKNOWN_ID = -1
REJECT_TEMPERATURE = 5.0
"""Of 1 to 1000 the share of foreign pictures that is found rises steeply up to here and then slowly, on signs and streets."""
FEWEST_TO_FIT = 100
"""So many pictures it takes to fit a temperature and a threshold."""
LEAST = 0.01
"""What one of several looks says at least of each label, so that none alone rules it out."""
_SMALLEST = 1e-30


@dataclass(frozen=True, slots=True)
class Confidence:
    """What the runtime makes of a model's probabilities.

    They are brought to `temperature` (1: as they are). A picture whose `familiarity` at `reject_temperature` lies under
    `reject_below` is unknown (0: none is).
    """

    temperature: float = 1.0
    reject_temperature: float = REJECT_TEMPERATURE
    reject_below: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what would give no probabilities."""
        if not (0 < self.temperature < np.inf and 0 < self.reject_temperature < np.inf and 0 <= self.reject_below <= 1):
            raise ModelError(
                f"confidence: expected temperatures above 0 and a reject_below of 0 to 1, found {self.temperature}, "
                f"{self.reject_temperature} and {self.reject_below}"
            )

    def calibrated(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, labels) probabilities of the model as they shall be read."""
        return probabilities if self.temperature == 1 else tempered(probabilities, self.temperature)

    def unknown(self, calibrated: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return (N,) whether each picture is unknown, from its calibrated probabilities (N, labels)."""
        if self.reject_below == 0:
            return np.zeros(len(calibrated), np.bool_)
        return familiarity(calibrated, self.reject_temperature / self.temperature) < self.reject_below


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax(logits / temperature) of the logits behind (N, labels) probabilities: above 1 flatter, below sharper."""
    logits = np.log(np.maximum(probabilities, _SMALLEST)) / np.float32(temperature)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    tempered: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return tempered


def together(probabilities: NDArray[np.float32], looks: Sequence[int]) -> NDArray[np.float32]:
    """Say one thing of several looks at it: (M, labels) probabilities, of which the first `looks[0]` are of the first thing and
    so on, to (N, labels). It is their geometric mean, scaled to a sum of 1: a sure look counts more than a doubtful one (Hinton
    2002, of products of experts).
    """
    if len(looks) == len(probabilities):
        return probabilities
    logits = np.log(np.maximum(probabilities, LEAST))
    firsts = np.cumsum([0, *looks[:-1]])
    return tempered(np.exp(np.add.reduceat(logits, firsts) / np.asarray(looks)[:, None]), 1.0)


def familiarity(probabilities: NDArray[np.float32], temperature: float = REJECT_TEMPERATURE) -> NDArray[np.float32]:
    """Return (N,) how much the best label stands out among all of them, 0..1: small for what belongs to no class."""
    best: NDArray[np.float32] = tempered(probabilities, temperature).max(axis=1)
    return best


def fit(probabilities: NDArray[np.float32], class_ids: NDArray[np.int64], *, reject: float) -> Confidence:
    """Fit to the model's (N, labels) probabilities of held-out pictures: the temperature that makes them likeliest, and the
    threshold under which the share `reject` of them (0..1, 0: none) comes out as unknown.

    Of fewer than FEWEST_TO_FIT pictures nothing can be learned: then nothing is changed.
    """
    if len(probabilities) < FEWEST_TO_FIT:
        return Confidence()
    temperature = round(_likeliest(probabilities, class_ids), 4)
    below = float(np.quantile(familiarity(probabilities), reject)) if reject else 0.0
    return Confidence(temperature, REJECT_TEMPERATURE, round(below, 6))


def risk_coverage(scores: NDArray[np.floating], right: NDArray[np.bool_], points: int = 21) -> list[tuple[float, float]]:
    """What a threshold on the score buys: (coverage, risk) from the surest pictures alone to all of them.

    `coverage` is the share of the pictures that is answered, `risk` the share of those answers that is wrong (El-Yaniv and
    Wiener 2010).
    """
    order = np.argsort(-scores, kind="stable")
    wrong = np.cumsum(~right[order])
    counts = np.unique(-(-np.arange(1, points + 1) * len(scores) // points)).tolist()
    return [(round(n / len(scores), 4), round(float(wrong[n - 1] / n), 5)) for n in counts if n]


def _likeliest(probabilities: NDArray[np.float32], class_ids: NDArray[np.int64]) -> float:
    """The temperature of the smallest cross-entropy. As many pictures as one are taken to be labelled wrong: else a model
    without a mistake would be certain of everything.
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

    return float(np.exp(_smallest_at(cross_entropy, np.log(0.1), np.log(20.0))))


def _smallest_at(cost: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Golden-section search: where a cost with one valley between `low` and `high` is smallest."""
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
