"""Loss and metrics of a network that gives several labels for a picture, and how rare labels are helped.

Each label is a yes or no of its own (binary cross-entropy); a mark below 0 is unknown and counts nowhere.

weights        weight the yes and the no of a label by the inverse of their effective numbers of pictures (Cui et al. 2019)
sampler        show pictures of rare labels more often, see `edgecls.train.balance.balanced_order`
focal          lower the loss of answers that are already right, so that hard ones count more (Lin et al. 2017)
logit-adjust   demand a larger margin for the rarer of yes and no, during training only (Menon et al. 2021)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.train.balance import FOCUS, class_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.train.config import Balance

STEPS = 200
"""Average precision during training is computed from scores in this many steps."""
EVEN = 0.5
"""The threshold of F1 during training; the final thresholds are chosen at its end."""
_SMALLEST = 1e-7


def loss(balance: Balance, counts: NDArray[np.int64]) -> Any:
    """Return the Keras loss of probabilities (N, labels) and marks (N, labels): shares 0 to 1, or below 0 if unknown.

    Args:
        balance: The way of balancing, see the top of this module.
        counts: The training pictures without and with each label, (labels, 2).
    """
    shares = counts[:, 1] / counts.sum(axis=1)
    weights = [class_weights(of_label.tolist()).tolist() for of_label in counts]
    return _loss_kind()(balance, shares.tolist(), weights)


def metrics(labels: int) -> list[Any]:
    """Return the Keras metrics `mean_ap` and `macro_f1`: the means of average precision and F1 over the labels."""
    average_precision, f1 = _metric_kinds()
    return [average_precision(labels, name="mean_ap"), f1(labels, name="macro_f1")]


def know_kinds() -> None:
    """Register the Keras classes that a saved model may refer to."""
    _loss_kind()
    _metric_kinds()


def rarest(marks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rarest label that each picture shows, (N,), and the number of labels for one that shows none."""
    frequency = np.append((marks == 1).sum(axis=0), len(marks) + 1)
    none = np.full((len(marks), 1), 1)
    shown = np.hstack([marks == 1, none])
    found: NDArray[np.int64] = np.where(shown, frequency, np.iinfo(np.int64).max).argmin(axis=1)
    return found


@cache
def _loss_kind() -> Any:
    keras = extras.load("keras", extra="train", purpose="Training")
    ops = keras.ops

    @keras.saving.register_keras_serializable(package="edgecls")
    class LabelLoss(keras.losses.Loss):  # type: ignore[misc, name-defined]  # keras has no types
        def __init__(
            self, balance: str, shares: Sequence[float], weights: Sequence[Sequence[float]], name: str = "labels", **others: Any
        ) -> None:
            super().__init__(name=name, **others)
            self.balance, self.shares, self.weights = balance, list(shares), [list(pair) for pair in weights]

        def call(self, y_true: Any, y_pred: Any) -> Any:
            known = ops.cast(y_true >= 0, y_pred.dtype)
            yes = ops.cast(y_true, y_pred.dtype) * known
            shown = ops.clip(y_pred, _SMALLEST, 1 - _SMALLEST)
            if self.balance == "logit-adjust":  # sigmoid(logit + log odds of the share)
                share = ops.cast(self.shares, shown.dtype)
                shown = shown * share / (shown * share + (1 - shown) * (1 - share))
                shown = ops.clip(shown, _SMALLEST, 1 - _SMALLEST)
            for_no, for_yes = -ops.log(1 - shown), -ops.log(shown)
            if self.balance == "focal":
                for_no, for_yes = for_no * shown**FOCUS, for_yes * (1 - shown) ** FOCUS
            if self.balance == "weights":
                weights = ops.cast(self.weights, shown.dtype)
                for_no, for_yes = for_no * weights[:, 0], for_yes * weights[:, 1]
            cost = (yes * for_yes + (1 - yes) * for_no) * known
            return ops.sum(cost, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1.0)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "balance": self.balance, "shares": self.shares, "weights": self.weights}

    return LabelLoss


@cache
def _metric_kinds() -> tuple[Any, Any]:
    keras = extras.load("keras", extra="train", purpose="Training")
    ops = keras.ops

    class OfLabels(keras.metrics.Metric):  # type: ignore[misc, name-defined]
        """Counts the yes and the no of each label by score, in a number of steps."""

        def __init__(self, labels: int, *, steps: int, name: str, **others: Any) -> None:
            super().__init__(name=name, **others)
            self.labels, self.steps = labels, steps
            self.yes = self.add_variable((labels, steps), initializer="zeros", name="yes")
            self.no = self.add_variable((labels, steps), initializer="zeros", name="no")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            at = ops.clip(ops.cast(ops.floor(y_pred * self.steps), "int32"), 0, self.steps - 1)
            steps = ops.one_hot(at, self.steps, dtype="float32")
            for counts, which in ((self.yes, y_true > EVEN), (self.no, ops.logical_and(y_true >= 0, y_true <= EVEN))):
                counts.assign_add(ops.sum(steps * ops.cast(which, "float32")[..., None], axis=0))

        def mean(self, values: Any) -> Any:
            """Return the mean over the labels that a picture shows."""
            has = ops.cast(ops.sum(self.yes, axis=1) > 0, "float32")
            return ops.sum(values * has) / ops.maximum(ops.sum(has), 1.0)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "labels": self.labels}

    @keras.saving.register_keras_serializable(package="edgecls")
    class MeanAveragePrecision(OfLabels):
        def __init__(self, labels: int, *, name: str, **others: Any) -> None:
            super().__init__(labels, steps=STEPS, name=name, **others)

        def result(self) -> Any:
            yes, no = (ops.flip(counts, axis=1) for counts in (self.yes, self.no))  # the highest scores first
            found = ops.cumsum(yes, axis=1)
            precision = found / ops.maximum(found + ops.cumsum(no, axis=1), 1.0)
            return self.mean(ops.sum(precision * yes, axis=1) / ops.maximum(ops.sum(yes, axis=1), 1.0))

    @keras.saving.register_keras_serializable(package="edgecls")
    class MacroF1(OfLabels):
        def __init__(self, labels: int, *, name: str, **others: Any) -> None:
            super().__init__(labels, steps=2, name=name, **others)

        def result(self) -> Any:
            found, wrong, missed = self.yes[:, 1], self.no[:, 1], self.yes[:, 0]
            return self.mean(2 * found / ops.maximum(2 * found + wrong + missed, 1.0))

    return MeanAveragePrecision, MacroF1
