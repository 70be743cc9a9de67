"""The last layer of a network, and how it is trained and judged: one class for each picture, or several labels.

softmax    probabilities of classes that add up to 1, cross-entropy
sigmoid    a probability for each label by itself, binary cross-entropy over the labels that are marked
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.errors import DataError
from edgecls.model.confidence import Confidence
from edgecls.model.several_labels import SeveralLabels
from edgecls.train import balance, label_loss, targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.train.config import TrainConfig
    from edgecls.train.targets import AnyTargets

    Counts = NDArray[np.int64]
    """Of the training pictures of each class, (classes,); or of those without and with each label, (labels, 2)."""


@dataclass(frozen=True, slots=True)
class Head:
    """A kind of last layer.

    Attributes:
        activation: Its activation, which is also what a card calls its outputs.
        called: What its outputs are: "classes" or "labels".
        columns: The metrics in history.csv after the loss, of which the training ones come without `val_`.
        counts: Counts the training pictures, given the decoded pictures, the labels and the path of the data.
        loss: Returns the Keras loss, given the way of balancing and the counts.
        metrics: Returns the Keras metrics, given the number of classes.
        confidence: Returns how its outputs are read before anything is fitted, given the number of classes.
        targets: Returns what makes the targets of batches.
    """

    activation: str
    called: str
    columns: tuple[str, ...]
    counts: Callable[[Pictures, Sequence[str], str], Counts]
    loss: Callable[[Any, Counts], Any]
    metrics: Callable[[int], list[Any]]
    confidence: Callable[[int], Confidence | SeveralLabels]
    targets: Callable[[TrainConfig, tuple[str, ...]], AnyTargets]

    @property
    def history(self) -> tuple[str, ...]:
        """The columns of history.csv."""
        own = ("loss", *self.columns)
        training = (name for name in own if not name.startswith("val_"))
        held_out = (f"val_{name.removeprefix('val_')}" for name in own)
        return ("epoch", *training, *held_out, "seconds")


def head_of(config: TrainConfig) -> Head:
    """Return the head that the data of a run needs."""
    return SIGMOID if config.data.multi_label else SOFTMAX


def _class_counts(pictures: Pictures, labels: Sequence[str], where: str) -> Counts:
    return np.array(pictures.counts(labels, where))


def _label_counts(pictures: Pictures, labels: Sequence[str], where: str) -> Counts:
    """Return the pictures without and with each label, (labels, 2). Raises DataError if there are none of either."""
    marks = pictures.truth(range(len(labels)), len(labels))
    counts = np.stack([(marks == 0).sum(axis=0), (marks == 1).sum(axis=0)], axis=1)
    for label, found in zip(labels, counts.tolist(), strict=True):
        if not all(found):
            raise DataError(
                f"{where}: no training picture {'with' if found[0] else 'without'} label {label!r} could be read; the first "
                f"broken one: {pictures.broken[0] if pictures.broken else 'there is none'}"
            )
    return counts


SOFTMAX = Head(
    activation="softmax",
    called="classes",
    columns=("accuracy", "macro_recall", "val_worst_recall"),
    counts=_class_counts,
    loss=lambda how, counts: balance.loss(how, counts.tolist()),
    metrics=lambda classes: ["accuracy", *balance.recalls(classes)],
    confidence=lambda _classes: Confidence(),
    targets=targets.targets,
)
SIGMOID = Head(
    activation="sigmoid",
    called="labels",
    columns=("mean_ap", "macro_f1"),
    counts=_label_counts,
    loss=label_loss.loss,
    metrics=label_loss.metrics,
    confidence=SeveralLabels.even,
    targets=targets.label_targets,
)
