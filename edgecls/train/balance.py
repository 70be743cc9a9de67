"""Classes that have few pictures: what makes them count, and how it is seen whether they do.

weights        a mistake costs as much more as a class has fewer pictures, by their effective number (Cui et al. 2019)
sampler        every class is shown as often as any other; the pictures of small ones come again and again
focal          what is right already costs less, so the rare and hard ones lead (Lin et al. 2017)
logit-adjust   a class must win by more, the rarer it is, in training alone (Menon et al. 2021)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.train.config import Balance

OVERLAP = 0.999
"""Of the effective number: how much of what a further picture shows, those before it have shown already."""
FOCUS = 2.0
"""The exponent of the focal loss."""
_SMALLEST = 1e-30
"""Keras takes 1e-7 where its backend is not TensorFlow. Below it nothing is learned any more, so a network whose first steps
made it sure that all pictures are of the commonest class would stay so for good.
"""


def class_weights(counts: Sequence[int]) -> NDArray[np.float64]:
    """(classes,) what a mistake in a class costs: the inverse of the effective number of its pictures,
    (1 - OVERLAP^count) / (1 - OVERLAP), such that a picture costs 1 in the mean.
    """
    of_class = np.maximum(1, np.asarray(counts, np.float64))
    weights = (1 - OVERLAP) / (1 - OVERLAP**of_class)
    mean: NDArray[np.float64] = weights * of_class.sum() / (weights * of_class).sum()
    return mean


def balanced_order(class_ids: NDArray[np.int64], chance: np.random.Generator) -> NDArray[np.int64]:
    """As many picks as there are pictures, each class as often as any other (by one more or less), in random order. Of a small
    class each picture comes once before one comes twice.
    """
    classes = np.unique(class_ids)
    each = -(-len(class_ids) // len(classes))
    picks = []
    for class_id in classes:
        of_class = np.flatnonzero(class_ids == class_id)
        rounds = [chance.permutation(of_class) for _ in range(-(-each // len(of_class)))]
        picks.append(np.concatenate(rounds)[:each])
    shared = np.stack(picks, axis=1).reshape(-1)[: len(class_ids)]  # one of each class in turn, so that a cut takes of all
    return chance.permutation(shared)


def loss(balance: Balance, counts: Sequence[int]) -> Any:
    """The keras loss of classes with so many training pictures each, for probabilities and either class ids or (N, classes)
    shares of the classes.
    """
    shares = np.maximum(1, np.asarray(counts, np.float64))
    return _loss_kind()(balance, (shares / shares.sum()).tolist(), class_weights(counts).tolist())


def recalls(classes: int) -> list[Any]:
    """Keras metrics `macro_recall` and `worst_recall`: the mean and the smallest of the classes' recalls."""
    make = _recall_kind()
    return [make(classes, worst=False, name="macro_recall"), make(classes, worst=True, name="worst_recall")]


def know_kinds() -> None:
    """Have Keras know the classes that a saved model may name."""
    _loss_kind()
    _recall_kind()


def _shares(ops: Any, y_true: Any, y_pred: Any) -> Any:
    """(N, classes) how much of each class is in a picture, of what is told about it: that, or its class id."""
    if tuple(y_true.shape[1:]) == tuple(y_pred.shape[1:]):
        return ops.cast(y_true, y_pred.dtype)
    return ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1], dtype=y_pred.dtype)


@cache
def _loss_kind() -> Any:
    keras = extras.load("keras", extra="train", purpose="Training")
    ops = keras.ops

    @keras.saving.register_keras_serializable(package="edgecls")
    class BalancedLoss(keras.losses.Loss):  # type: ignore[misc, name-defined]  # keras has no types
        def __init__(
            self, balance: str, shares: Sequence[float], weights: Sequence[float], name: str = "balanced", **others: Any
        ) -> None:
            super().__init__(name=name, **others)
            self.balance, self.shares, self.weights = balance, list(shares), list(weights)

        def call(self, y_true: Any, y_pred: Any) -> Any:
            shares = _shares(ops, y_true, y_pred)
            probabilities = ops.maximum(y_pred, _SMALLEST)
            if self.balance == "logit-adjust":  # softmax(logits + log(shares))
                probabilities = probabilities * ops.cast(self.shares, probabilities.dtype)
                probabilities = probabilities / ops.sum(probabilities, axis=-1, keepdims=True)
            cost = -ops.log(probabilities)
            if self.balance == "focal":
                cost = cost * ops.maximum(1 - probabilities, 0.0) ** FOCUS
            if self.balance == "weights":
                cost = cost * ops.cast(self.weights, probabilities.dtype)
            return ops.sum(cost * shares, axis=-1)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "balance": self.balance, "shares": self.shares, "weights": self.weights}

    return BalancedLoss


@cache
def _recall_kind() -> Any:
    keras = extras.load("keras", extra="train", purpose="Training")
    ops = keras.ops

    @keras.saving.register_keras_serializable(package="edgecls")
    class Recall(keras.metrics.Metric):  # type: ignore[misc, name-defined]
        def __init__(self, classes: int, *, worst: bool, name: str, **others: Any) -> None:
            super().__init__(name=name, **others)
            self.classes, self.worst = classes, worst
            self.found = self.add_variable((classes,), initializer="zeros", name="found")
            self.shown = self.add_variable((classes,), initializer="zeros", name="shown")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            class_ids = ops.argmax(_shares(ops, y_true, y_pred), axis=-1)
            shown = ops.one_hot(class_ids, self.classes, dtype="float32")
            right = ops.cast(ops.equal(ops.argmax(y_pred, axis=-1), class_ids), "float32")
            self.found.assign_add(ops.sum(shown * right[:, None], axis=0))
            self.shown.assign_add(ops.sum(shown, axis=0))

        def result(self) -> Any:
            has = ops.cast(self.shown > 0, "float32")
            shares = self.found / ops.maximum(self.shown, 1.0)
            if self.worst:  # a class without a picture is not the worst
                return ops.min(shares + (1 - has))
            return ops.sum(shares * has) / ops.maximum(ops.sum(has), 1.0)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "classes": self.classes, "worst": self.worst}

    return Recall
