"""The results of a model that gives several labels for a picture, on labelled pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import metrics
from edgecls.model import several_labels
from edgecls.model.measured import Measured
from edgecls.model.several_labels import EVEN, SeveralLabels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.dataset import Item


class LabelRow(NamedTuple):
    """The results of one label; None where a ratio is undefined.

    Attributes:
        label: The label.
        pictures: How many pictures show it.
        of: How many pictures are marked, with it or without it.
        threshold: The label is given from this calibrated probability on, 0..1.
        precision: The share of the pictures that are given the label that show it, 0..1.
        recall: The share of the pictures that show the label that are given it, 0..1.
        f1: The harmonic mean of both, 0..1.
        average_precision: The area under the curve of precision over recall, which needs no threshold, 0..1.
    """

    label: str
    pictures: int
    of: int
    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None


@dataclass(frozen=True, slots=True, eq=False)
class LabelReport:
    """The results of a model on N pictures, each of which may show several of L labels.

    Attributes:
        labels: The labels of the model.
        truth: (N, L) int64: 1 if a picture shows a label, 0 if not, -1 if that is unknown, which counts nowhere.
        probabilities: Calibrated, (N, L) float32.
        ms: Median time of an inference of one picture in milliseconds.
        p99_ms: 99th percentile of the same.
        broken: One line for each picture that could not be read.
        confidence: The thresholds.
        items: The N pictures, which can be read again.
        notes: Lines about pictures that were read in an unexpected way.
    """

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    ms: float
    p99_ms: float
    broken: tuple[str, ...]
    confidence: SeveralLabels = field(default_factory=SeveralLabels)
    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which labels each picture is given, (N, L)."""
        return self._thresholds.shown(self.probabilities)

    @property
    def scores(self) -> NDArray[np.float32]:
        """The score of each label, (N, L) in 0..1: 0.5 is its threshold."""
        return self._thresholds.scores(self.probabilities)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether all labels of each picture are right, (N,)."""
        return np.asarray(~self.wrong.any(axis=1))

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which labels of each picture are wrong, (N, L)."""
        return np.asarray((self.truth >= 0) & (self.decided != (self.truth == 1)))

    @property
    def pictures(self) -> int:
        """The number of classified pictures."""
        return len(self.truth)

    @property
    def top1(self) -> float:
        """The share of pictures all of whose labels are right, 0..1: what top-1 is if a picture has one label."""
        return float(self.right.mean())

    @property
    def recalls(self) -> NDArray[np.float64]:
        """The recall of each label, (L,); NaN for a label that no picture shows."""
        return _ratio(self._found, self._shown)

    @property
    def precisions(self) -> NDArray[np.float64]:
        """The precision of each label, (L,); NaN for a label that no marked picture is given."""
        return _ratio(self._found, self._given)

    @property
    def f1(self) -> NDArray[np.float64]:
        """The F1 of each label, (L,); NaN for a label that no picture shows."""
        return np.where(self._shown > 0, _ratio(2 * self._found, self._shown + self._given), np.nan)

    @property
    def average_precisions(self) -> NDArray[np.float64]:
        """The average precision of each label, (L,); NaN for a label that no picture shows."""
        columns = zip(self.probabilities.T, self.truth.T, strict=True)
        return np.array([metrics.average_precision(p[t >= 0], t[t >= 0] == 1) for p, t in columns])

    @property
    def macro_f1(self) -> float:
        """The mean F1 over the labels, 0..1."""
        return _mean(self.f1)

    @property
    def mean_ap(self) -> float:
        """The mean average precision over the labels, 0..1."""
        return _mean(self.average_precisions)

    @property
    def macro_recall(self) -> float:
        """The mean recall over the labels, 0..1."""
        return _mean(self.recalls)

    @property
    def worst_recall(self) -> float:
        """The lowest recall of a label, 0..1."""
        return float(np.nanmin(self.recalls)) if np.isfinite(self.recalls).any() else math.nan

    @property
    def worst_class(self) -> str:
        """The label with the lowest F1; "" if no picture shows any."""
        return self.labels[int(np.nanargmin(self.f1))] if np.isfinite(self.f1).any() else ""

    @property
    def calibration_error(self) -> float:
        """The expected calibration error of the probabilities of all labels, 0..1."""
        known = self.truth >= 0
        return metrics.calibration_error(self.probabilities[known].astype(np.float64), self.truth[known] == 1)

    @property
    def reliability(self) -> list[metrics.Bin]:
        """The reliability diagram of the probabilities of all labels, in 15 equal bins; `right` is the share that is shown."""
        known = self.truth >= 0
        return metrics.reliability(self.probabilities[known].astype(np.float64), self.truth[known] == 1)

    @property
    def gates(self) -> dict[str, float]:
        """What the forms of a model are judged by, by name, 0..1."""
        return {"macro F1": self.macro_f1, "mean AP": self.mean_ap}

    def classes(self) -> list[LabelRow]:
        """Return the results of each label."""
        thresholds = self._thresholds.thresholds
        shares = (self.precisions, self.recalls, self.f1, self.average_precisions)
        return [
            LabelRow(label, int(shown), int(marked), threshold, *(_share(share[i]) for share in shares))
            for i, (label, shown, marked, threshold) in enumerate(
                zip(self.labels, self._shown, (self.truth >= 0).sum(axis=0), thresholds, strict=True)
            )
        ]

    def mistakes(self, most: int) -> list[tuple[int, int]]:
        """Return (picture, label) indices of the mistakes whose scores are farthest from the threshold, at most `most`."""
        wrong = np.argwhere(self.wrong)
        far = np.abs(self.scores[tuple(wrong.T)] - EVEN)
        return [(int(i), int(j)) for i, j in wrong[np.argsort(-far, kind="stable")[:most]]]

    def read_as(self, confidence: SeveralLabels) -> LabelReport:
        """Return this report of an uncalibrated model with `confidence` applied."""
        return replace(self, probabilities=confidence.calibrated(self.probabilities), confidence=confidence)

    def fitted(self, reject: float = 0.0) -> SeveralLabels:  # noqa: ARG002 - no picture is unknown, it shows no label
        """Return the calibration and the thresholds that fit these pictures best; the model must be uncalibrated."""
        return several_labels.fit(self.probabilities, self.truth)

    @property
    def measured(self) -> Measured:
        """What the model card keeps of each label and of the scores."""
        return Measured.of_counts(self._shown, self._found, self._given, self.reliability)

    def as_metrics(self) -> dict[str, float]:
        """Return the metrics for the model card: all but the timings, which depend on the machine."""
        found = {
            "macro_f1": round(self.macro_f1, 5),
            "mean_ap": round(self.mean_ap, 5),
            "macro_recall": round(self.macro_recall, 5),
            "macro_precision": round(_mean(self.precisions), 5),
            "all_right": round(self.top1, 5),
            "calibration_error": round(self.calibration_error, 5),
            "pictures": self.pictures,
        }
        return {name: value for name, value in found.items() if math.isfinite(value)}

    @property
    def _thresholds(self) -> SeveralLabels:
        """The confidence, with thresholds of 0.5 if it has none."""
        return self.confidence if self.confidence.thresholds else SeveralLabels.even(len(self.labels))

    @property
    def _shown(self) -> NDArray[np.int64]:
        return np.asarray((self.truth == 1).sum(axis=0))

    @property
    def _given(self) -> NDArray[np.int64]:
        return np.asarray(((self.truth >= 0) & self.decided).sum(axis=0))

    @property
    def _found(self) -> NDArray[np.int64]:
        return np.asarray(((self.truth == 1) & self.decided).sum(axis=0))


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(1, whole), np.nan)


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are defined; NaN if none is."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else math.nan


def _share(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)
