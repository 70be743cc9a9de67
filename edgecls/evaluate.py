"""Evaluate a classifier on labelled pictures: its accuracy, its calibration and its speed on this machine."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from edgecls import metrics
from edgecls.dataset import Dataset, Item, Pictures, decode, decode_below, in_two_classes, made_from, scan
from edgecls.dataset.answering import answers
from edgecls.dataset.matching import match_labels
from edgecls.errors import DataError
from edgecls.label_report import LabelReport
from edgecls.log import log_progress
from edgecls.model import confidence
from edgecls.model.confidence import Confidence
from edgecls.model.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.log import Say
    from edgecls.model.answers import Answers
    from edgecls.model.classifier import Classifier
    from edgecls.model.novelty import NoveltyLimit

TIMED_RUNS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The results of a model on N labelled pictures.

    Attributes:
        labels: The labels of the model.
        truth: The true class of each picture, (N,) int64.
        probabilities: Calibrated, (N, classes) float32.
        ms: Median time of an inference of one picture in milliseconds.
        p99_ms: 99th percentile of the same.
        broken: One line for each picture that could not be read.
        confidence: Decides by the scores which pictures are unknown.
        novelty: How far each picture lies from the known ones, (N,) float32; None if the model does not compute it.
        novelty_limit: Decides by it which pictures are unknown; None if nothing does.
        items: The N pictures, which can be read again.
        notes: Lines about pictures that were read in an unexpected way.
    """

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    ms: float
    p99_ms: float
    broken: tuple[str, ...]
    confidence: Confidence = field(default_factory=Confidence)
    novelty: NDArray[np.float32] | None = None
    novelty_limit: NoveltyLimit | None = None
    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The confusion matrix, (classes, classes) counts with a row per true class. Unknown pictures count by best label."""
        return metrics.confusion_matrix(self.truth, self.decided, len(self.labels))

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best label of each picture is right, (N,)."""
        return np.asarray(self.decided == self.truth)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The probability of the best label of each picture, (N,) in 0..1."""
        return np.asarray(self.probabilities.max(axis=1), np.float64)

    @property
    def calibration_error(self) -> float:
        """The expected calibration error of the scores, 0..1."""
        return metrics.calibration_error(self.scores, self.right)

    @property
    def reliability(self) -> list[metrics.Bin]:
        """The reliability diagram of the scores, in 15 equal bins."""
        return metrics.reliability(self.scores, self.right)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether each picture gets a label instead of "unknown", (N,)."""
        known = ~self.confidence.unknown(self.probabilities)
        if self.novelty is None or self.novelty_limit is None:
            return known
        return known & ~self.novelty_limit.exceeded(self.novelty)

    @property
    def rejects(self) -> bool:
        """Whether a picture can come out as unknown."""
        return self.confidence.reject_below > 0 or self.novelty_limit is not None

    @property
    def coverage(self) -> float:
        """The share of pictures that get a label, 0..1."""
        return float(self.known.mean())

    @property
    def risk(self) -> float:
        """The share of these labels that are wrong, 0..1; NaN if there are none."""
        given = self.right[self.known]
        return float(1 - given.mean()) if len(given) else float("nan")

    def risk_coverage(self, points: int = 21) -> list[tuple[float, float]]:
        """Return (coverage, risk) pairs for thresholds on familiarity, by rising coverage, see `confidence.risk_coverage`."""
        temperature = self.confidence.reject_temperature / self.confidence.temperature
        return confidence.risk_coverage(confidence.familiarity(self.probabilities, temperature), self.right, points)

    @property
    def decided(self) -> NDArray[np.int64]:
        """The best label of each picture, (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def gates(self) -> dict[str, float]:
        """What the forms of a model are judged by, by name, 0..1."""
        return {"top-1": self.top1, "macro recall": self.macro_recall}

    def fitted(self, reject: float) -> Confidence:
        """Return the calibration that fits these pictures best, see `confidence.fit`; the model must be uncalibrated."""
        return confidence.fit(self.probabilities, self.truth, reject=reject)

    def mistakes(self, most: int) -> list[int]:
        """Return the indices of the mistakes with the highest scores, at most `most`, by falling score."""
        wrong = np.flatnonzero(~self.right)
        return [int(i) for i in wrong[np.argsort(-self.scores[wrong], kind="stable")[:most]]]

    def read_as(self, confidence: Confidence, novelty_limit: NoveltyLimit | None = None) -> Report:
        """Return this report of an uncalibrated model with `confidence` and `novelty_limit` applied."""
        calibrated = confidence.calibrated(self.probabilities)
        return replace(self, probabilities=calibrated, confidence=confidence, novelty_limit=novelty_limit)

    @property
    def pictures(self) -> int:
        """The number of classified pictures."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """The share of pictures whose best label is right, 0..1."""
        return metrics.top1(self.confusion)

    @property
    def macro_recall(self) -> float:
        """The mean recall over the classes, 0..1."""
        return metrics.macro_recall(self.confusion)

    @property
    def worst_recall(self) -> float:
        """The lowest recall of a class, 0..1."""
        return float(np.nanmin(metrics.recalls(self.confusion)))

    @property
    def worst_class(self) -> str:
        """The label of the class with the lowest recall."""
        return self.labels[int(np.nanargmin(metrics.recalls(self.confusion)))]

    def classes(self) -> list[tuple[str, int, float | None, float | None]]:
        """Return (label, pictures, recall, precision) of each class; None where a ratio is undefined."""
        shares = [
            [None if np.isnan(value) else round(float(value), 5) for value in values]
            for values in (metrics.recalls(self.confusion), metrics.precisions(self.confusion))
        ]
        return list(zip(self.labels, self.confusion.sum(axis=1).tolist(), *shares, strict=True))

    @property
    def measured(self) -> Measured:
        """What the model card keeps of each class and of the scores."""
        return Measured.of(self.confusion, self.reliability)

    def as_metrics(self) -> dict[str, float]:
        """Return the metrics for the model card: all but the timings, which depend on the machine."""
        found = {
            "top1": round(self.top1, 5),
            "macro_recall": round(self.macro_recall, 5),
            "worst_recall": round(self.worst_recall, 5),
            "calibration_error": round(self.calibration_error, 5),
            **({"coverage": round(self.coverage, 5), "risk": round(self.risk, 5)} if self.rejects else {}),
            "pictures": self.pictures,
        }
        return {name: value for name, value in found.items() if math.isfinite(value)}


AnyReport: TypeAlias = Report | LabelReport
"""The second is that of a model with several labels a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The result of `evaluate_model`: report, loaded model, and the share (0..1) of outliers that are unknown, if any."""

    classifier: Classifier
    dataset: Dataset
    report: AnyReport
    unknown_share: float | None = None


def evaluate_model(
    model: str | Path, data: str | Path, *, split: str | None = None, unknown: str | Path | None = None, roi: bool = False,
    strict: bool = False, device: str = "auto", threads: int | None = None, say: Say = log_progress,
) -> Evaluation:  # fmt: skip
    """Measure a model on labelled pictures: accuracy, recall of each class, calibration, rejection of outliers, speed.

    Args:
        model: The .onnx file.
        data: Class folders, a store, a CSV manifest or an npz file, whose classes are labels of the model.
        split: The part to use, "train", "val" or "test"; None takes test if the data has it, else all pictures.
        unknown: A folder of outliers, pictures that belong to no class, to measure the share that comes out as unknown.
        roi: Whether to crop pictures to the region of interest in the manifest.
        strict: Stop at the first broken picture instead of leaving it out.
        device: "auto", or the execution provider to run on, such as "cpu"; fails if it is unavailable.
        threads: CPU threads per inference; None uses one for small inputs, else one per core.
        say: Called with a line about each picture that is left out, and about the data; by default the logger "edgecls".

    Returns:
        The report, with the loaded model and the list of pictures.

    Raises:
        ModelError: The model cannot be used.
        DeviceError: The device is unavailable.
        DataError: The pictures cannot be used, or have classes that the model does not know.

    Example:
        >>> import edgecls
        >>> report = edgecls.evaluate_model("shapes.onnx", "shapes", device="cpu").report
        >>> print(f"right: {report.top1:.0%} of {report.pictures} pictures; worst class: {report.worst_class}")
        right: ...% of 120 pictures; worst class: ...
    """
    from edgecls.model.classifier import Classifier

    classifier = Classifier.load(model, device=device, threads=threads)
    fewest = min(2, len(classifier.card.labels))
    dataset = scan(data, roi=roi, multi_label=classifier.card.multi_label, fewest_classes=fewest)
    for line in dataset.notes:
        say(f"note: {line}")
    if conflict := in_two_classes(dataset, {item: item.file or item.name for item in dataset.items}, strict=strict):
        say(f"warning: {conflict}")
    if split is None and made_from(dataset, classifier.card.dataset):
        say("note: the model was made from these very pictures; measure it on others, on which it may be worse")
    report = evaluate(classifier, dataset, split=split, strict=strict)
    for line in (*(f"left out: {one}" for one in report.broken), *(f"note: {one}" for one in report.notes)):
        say(line)
    share = None if unknown is None else share_unknown(classifier, unknown, strict=strict)
    return Evaluation(classifier, dataset, report, share)


def evaluate(classifier: Classifier, dataset: Dataset, *, split: str | None = None, strict: bool = False) -> AnyReport:
    """Measure a model on the part `split` of a dataset; without it, on the test part, or on all of data that has none."""
    parts = {split} if split else {"test"} if dataset.of_split("test") else {"", "train", "val"}
    items = dataset.of_split(*parts)
    if not items:
        raise DataError(f"{dataset.where}: has no pictures of the split {split!r}")
    class_ids = match_labels(dataset, classifier.card.labels)
    pictures = decode(items, classifier.card.input, strict=strict)
    report = measure(classifier.answers, classifier.card.labels, pictures, class_ids)
    read = replace(report, confidence=classifier.card.confidence)  # type: ignore[arg-type]  # it goes with the report
    return replace(read, novelty_limit=classifier.card.novelty) if isinstance(read, Report) else read


def share_unknown(classifier: Classifier, folder: str | Path, *, strict: bool = False) -> float:
    """Return the share (0..1) of outliers, pictures below a folder that belong to no class, that come out as unknown."""
    pictures = decode_below(folder, classifier.card.input, strict=strict)
    return float(classifier.card.unknown(answers(classifier.answers, pictures)).mean())


def measure(
    run: Callable[[NDArray[np.uint8]], Answers | NDArray[np.float32]],
    labels: tuple[str, ...],
    pictures: Pictures,
    class_ids: Sequence[int],
) -> AnyReport:
    """Evaluate any function that computes answers.

    Args:
        run: (N, height, width, channels) uint8 -> answers, or only probabilities, (N, classes) float32.
        labels: The labels of the model.
        pictures: The decoded pictures.
        class_ids: The model's class for each class of the dataset.
    """
    truth = pictures.truth(class_ids, len(labels))
    found = answers(run, pictures)
    times_ms = []
    for i in range(TIMED_RUNS):
        one = pictures.batch[i % len(pictures.batch)][None]
        began = time.perf_counter()
        run(one)
        times_ms.append((time.perf_counter() - began) * 1e3)
    report = (Report if truth.ndim == 1 else LabelReport)(
        labels=labels,
        truth=truth,
        probabilities=found.probabilities,
        ms=metrics.percentile(times_ms, 50),
        p99_ms=metrics.percentile(times_ms, 99),
        broken=pictures.broken,
        notes=pictures.notes,
        items=pictures.items,
    )
    return replace(report, novelty=found.novelty) if isinstance(report, Report) else report
