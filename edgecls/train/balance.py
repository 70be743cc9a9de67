"""Class imbalance: losses and sampling that help rare classes, and the metrics that show whether they did.

weights        weight the loss of a class by the inverse of its effective number of pictures (Cui et al. 2019)
sampler        show every class equally often; the pictures of rare classes are repeated
focal          lower the loss of pictures that are already right, so that hard ones count more (Lin et al. 2017)
logit-adjust   demand a larger margin for rarer classes, during training only (Menon et al. 2021)
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
"""The beta of the effective number: the share of a new picture's content that earlier pictures already showed."""
FOCUS = 2.0
"""The exponent of the focal loss."""
_SMALLEST = 1e-30
"""The smallest probability in the loss. On backends other than TensorFlow, Keras clips at 1e-7, and a clipped probability has
no gradient: a network whose first steps made it certain of the most common class would never recover.
"""


def class_weights(counts: Sequence[int]) -> NDArray[np.float64]:
    """Return the loss weight of each class: the inverse of its effective number of pictures (Cui et al. 2019).

    The effective number is (1 - OVERLAP^count) / (1 - OVERLAP). The mean weight of a picture is 1.

    Args:
        counts: The number of training pictures of each class.

    Returns:
        (classes,) float64.
    """
    of_class = np.maximum(1, np.asarray(counts, np.float64))
    weights = (1 - OVERLAP) / (1 - OVERLAP**of_class)
    mean: NDArray[np.float64] = weights * of_class.sum() / (weights * of_class).sum()
    return mean


def balanced_order(class_ids: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random order of pictures in which all classes are equally frequent (give or take one).

    Each picture of a rare class appears once before any of them appears twice.

    Args:
        class_ids: (N,) int64, the class of each picture.
        rng: Shuffles.

    Returns:
        (N,) int64 indices of pictures.
    """
    classes = np.unique(class_ids)
    each = -(-len(class_ids) // len(classes))
    picks = []
    for class_id in classes:
        of_class = np.flatnonzero(class_ids == class_id)
        rounds = [rng.permutation(of_class) for _ in range(-(-each // len(of_class)))]
        picks.append(np.concatenate(rounds)[:each])
    shared = np.stack(picks, axis=1).reshape(-1)  # interleaved, so that cutting the end off affects all classes alike
    return rng.permutation(shared[: len(class_ids)])


def loss(balance: Balance, counts: Sequence[int]) -> Any:
    """Return the Keras loss for a way of balancing.

    Args:
        balance: The way, see the top of this module.
        counts: The number of training pictures of each class.

    Returns:
        A loss of predicted probabilities (N, classes) and targets: class ids (N,) or class shares (N, classes).
    """
    shares = np.maximum(1, np.asarray(counts, np.float64))
    return _loss_kind()(balance, (shares / shares.sum()).tolist(), class_weights(counts).tolist())


def recalls(classes: int) -> list[Any]:
    """Return the Keras metrics `macro_recall` and `worst_recall`: the mean and the minimum recall over the classes."""
    make = _recall_kind()
    return [make(classes, worst=False, name="macro_recall"), make(classes, worst=True, name="worst_recall")]


def know_kinds() -> None:
    """Register the Keras classes that a saved model may refer to."""
    _loss_kind()
    _recall_kind()


def _shares(ops: Any, y_true: Any, y_pred: Any) -> Any:
    """Return targets as class shares (N, classes), converting class ids to one-hot."""
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
