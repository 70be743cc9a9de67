"""Classifier x labelled pictures -> how good it is on them, and how fast here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import confidence, metrics
from edgecls.confidence import Confidence
from edgecls.dataset import Dataset, Item, Pictures, decode, pictures_under
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

    `truth`: (N,) the right class of each; `probabilities`: (N, classes), calibrated; `confidence` says which of them are
    unknown; `ms` and `p99_ms`: median and 99th percentile of one inference of one picture; `broken`: one line for each picture
    that could not be read; `items`: the N pictures as they can be read again.
    """

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    ms: float
    p99_ms: float
    broken: tuple[str, ...]
    confidence: Confidence = field(default_factory=Confidence)
    items: tuple[Item, ...] = ()

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) counts, row = true class; pictures that are unknown stand where their best label is."""
        return metrics.confusion_matrix(self.truth, self.probabilities.argmax(axis=1), len(self.labels))

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether the best label of each picture is its class."""
        right: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.truth
        return right

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N,) the probability of the best label of each picture."""
        scores: NDArray[np.float64] = self.probabilities.max(axis=1).astype(np.float64)
        return scores

    @property
    def calibration_error(self) -> float:
        """How far the scores are from the share that is right."""
        return metrics.calibration_error(self.scores, self.right)

    @property
    def reliability(self) -> list[metrics.Bin]:
        """How far they are in each of 15 equal bins."""
        return metrics.reliability(self.scores, self.right)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) whether each picture is given a label, and not unknown."""
        return ~self.confidence.unknown(self.probabilities)

    @property
    def coverage(self) -> float:
        """The share of the pictures that is given a label."""
        return float(self.known.mean())

    @property
    def risk(self) -> float:
        """The share of the given labels that is wrong; NaN where none is given."""
        given = self.right[self.known]
        return float(1 - given.mean()) if len(given) else float("nan")

    def risk_coverage(self, points: int = 21) -> list[tuple[float, float]]:
        """(coverage, risk) for thresholds on the familiarity of a picture, from the most familiar alone to all of them."""
        temperature = self.confidence.reject_temperature / self.confidence.temperature
        return confidence.risk_coverage(confidence.familiarity(self.probabilities, temperature), self.right, points)

    def mistakes(self, most: int) -> list[int]:
        """The numbers of the wrong answers with the highest scores, at most so many, the surest first."""
        wrong = np.flatnonzero(~self.right)
        order = np.argsort(-self.scores[wrong], kind="stable")
        return [int(i) for i in wrong[order[:most]]]

    def read_as(self, confidence: Confidence) -> Report:
        """The same answers of a model whose scores have not been calibrated yet, read by `confidence`."""
        return replace(self, probabilities=confidence.calibrated(self.probabilities), confidence=confidence)

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

    @property
    def worst_recall(self) -> float:
        """The smallest of the classes' recalls."""
        return float(np.nanmin(metrics.recalls(self.confusion)))

    @property
    def worst_class(self) -> str:
        """The label of that class."""
        return self.labels[int(np.nanargmin(metrics.recalls(self.confusion)))]

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
            "worst_recall": round(self.worst_recall, 5),
            "calibration_error": round(self.calibration_error, 5),
            **({"coverage": round(self.coverage, 5), "risk": round(self.risk, 5)} if self.confidence.reject_below else {}),
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
    report = measure(classifier.probabilities, classifier.card.labels, pictures, class_ids)
    return replace(report, confidence=classifier.card.confidence)


def share_unknown(classifier: Classifier, folder: str | Path, *, strict: bool = False) -> float:
    """The share of the pictures below a folder, which belong to no class of the model, that comes out as unknown."""
    items = [Item(str(file), 0, "", file=file) for file in pictures_under(Path(folder))]
    if not items:
        raise DataError(f"{folder}: expected a folder of pictures of no class, found none")
    pictures = decode(items, classifier.card.input, strict=strict)
    return float(classifier.card.confidence.unknown(answers(classifier.probabilities, pictures)).mean())


def measure(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    labels: tuple[str, ...],
    pictures: Pictures,
    class_ids: Sequence[int],
) -> Report:
    """Measure any function from a batch to probabilities. `class_ids` maps the dataset's classes to the model's."""
    truth = np.asarray(class_ids, np.int64)[pictures.class_ids]
    found = answers(probabilities, pictures)
    times_ms = []
    for i in range(TIMED_RUNS):
        one = pictures.batch[i % len(pictures.batch)][None]
        began = time.perf_counter()
        probabilities(one)
        times_ms.append((time.perf_counter() - began) * 1e3)
    return Report(
        labels=labels,
        truth=truth,
        probabilities=found,
        ms=metrics.percentile(times_ms, 50),
        p99_ms=metrics.percentile(times_ms, 99),
        broken=pictures.broken,
        items=pictures.items,
    )


def answers(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    pictures: Pictures,
    chosen: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """(N, classes) what any function from a batch to probabilities says of all pictures, or of the `chosen` numbers; so many at
    once as a network has memory for.
    """
    step = pictures.at_a_time(BATCH)
    parts = (slice(i, i + step) for i in range(0, len(pictures.batch if chosen is None else chosen), step))
    return np.concatenate([probabilities(pictures.batch[part if chosen is None else chosen[part]]) for part in parts])


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
