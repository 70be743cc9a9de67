"""Classifier x labelled pictures -> how good it is on them, and how fast here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls import metrics
from edgecls.dataset import Dataset, Pictures, decode
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.classifier import Classifier

BATCH = 64
TIMED_RUNS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a model did on labelled pictures.

    `confusion`: (classes, classes) counts, row = true class; `probabilities`: (N, classes); `ms` and `p99_ms`: median and
    99th percentile of one inference of one picture; `broken`: one line for each picture that could not be read.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    calibration_error: float
    ms: float
    p99_ms: float
    broken: tuple[str, ...]

    @property
    def pictures(self) -> int:
        """How many pictures were classified."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """The share whose best label is right."""
        return metrics.top1(self.confusion)

    @property
    def macro_recall(self) -> float:
        """The mean of the classes' recalls."""
        return metrics.macro_recall(self.confusion)

    def classes(self) -> list[tuple[str, int, float | None, float | None]]:
        """For each class (label, pictures, recall, precision); None where there is nothing to take a share of."""
        shares = [
            [None if np.isnan(value) else round(float(value), 5) for value in values]
            for values in (metrics.recalls(self.confusion), metrics.precisions(self.confusion))
        ]
        return list(zip(self.labels, self.confusion.sum(axis=1).tolist(), *shares, strict=True))

    def as_metrics(self) -> dict[str, float]:
        """The numbers that go on a card: all but the timings, which belong to a machine."""
        return {
            "top1": round(self.top1, 5),
            "macro_recall": round(self.macro_recall, 5),
            "worst_recall": round(float(np.nanmin(metrics.recalls(self.confusion))), 5),
            "calibration_error": round(self.calibration_error, 5),
            "pictures": self.pictures,
        }


def evaluate(classifier: Classifier, dataset: Dataset, *, split: str | None = None, strict: bool = False) -> Report:
    """Measure a model on `dataset`, or on its part "train", "val" or "test".

    Without `split`, data that has a test part is measured on that, other data on all of it.
    """
    parts = {split} if split else {"test"} if dataset.of_split("test") else {"", "train", "val"}
    items = dataset.of_split(*parts)
    if not items:
        raise DataError(f"{dataset.where}: has no pictures of the split {split!r}")
    class_ids = match_labels(dataset, classifier.card.labels)
    pictures = decode(items, classifier.card.input, strict=strict)
    return measure(classifier.probabilities, classifier.card.labels, pictures, class_ids)


def measure(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    labels: tuple[str, ...],
    pictures: Pictures,
    class_ids: Sequence[int],
) -> Report:
    """Measure any function from a batch to probabilities. `class_ids` maps the dataset's classes to the model's."""
    truth = np.asarray(class_ids, np.int64)[pictures.class_ids]
    starts = range(0, len(pictures.batch), BATCH)
    found = np.concatenate([probabilities(pictures.batch[i : i + BATCH]) for i in starts])
    best = found.argmax(axis=1)
    times_ms = []
    for i in range(TIMED_RUNS):
        one = pictures.batch[i % len(pictures.batch)][None]
        began = time.perf_counter()
        probabilities(one)
        times_ms.append((time.perf_counter() - began) * 1e3)
    return Report(
        labels=labels,
        confusion=metrics.confusion_matrix(truth, best, len(labels)),
        probabilities=found,
        calibration_error=metrics.calibration_error(found.max(axis=1).astype(np.float64), best == truth),
        ms=metrics.percentile(times_ms, 50),
        p99_ms=metrics.percentile(times_ms, 99),
        broken=pictures.broken,
    )


def match_labels(dataset: Dataset, labels: Sequence[str]) -> list[int]:
    """For each class of a dataset the model's class: by name, or by number where the data's names are numbers.

    Raises DataError for a class that the model does not have.
    """
    index = {label: i for i, label in enumerate(labels)}
    if all(name in index for name in dataset.labels):
        return [index[name] for name in dataset.labels]
    if all(name.isdecimal() and int(name) < len(labels) for name in dataset.labels):
        return [int(name) for name in dataset.labels]
    strange = next(name for name in dataset.labels if name not in index)
    raise DataError(
        f"{dataset.where}: class {strange!r} is not a label of the model ({', '.join(list(labels)[:5])}, ...); "
        "rename the classes, or number them in the order of the model's labels"
    )
