"""Two models on the same labelled pictures: what changed, and whether it is more than chance.

Both models see the same pictures, so only those count on which just one of them is right: McNemar's exact test says whether
their numbers differ by more than chance. It takes pictures for independent. Frames of one video are not: with many alike, the
p-values are too small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import metrics
from edgecls.errors import ConfigError
from edgecls.model.ladder import losses
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.evaluate import Report
    from edgecls.model.classifier import Classifier

SIGNIFICANT = 0.05
"""A smaller p-value is called a difference."""
CLASS_COLUMNS = ("class", "pictures", "old recall", "new recall", "points", "only new right", "only old right", "p", "")
MOST_LISTED = 20


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two models.

    Attributes:
        name: The name of its file.
        classifier: The loaded model.
        report: Its results on the pictures that both models were given, in their order.
        ms: The median time of one picture in milliseconds, measured in turns with the other model.
        foreign_unknown: The share of pictures of no class that it calls unknown, 0..1; None: not measured.
    """

    name: str
    classifier: Classifier
    report: Report
    ms: float
    foreign_unknown: float | None = None


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What changed in one class.

    Attributes:
        label: The class.
        pictures: Its number of pictures.
        old: The recall of the old model, 0..1.
        new: The recall of the new model, 0..1.
        fixed: The pictures that only the new model gets right.
        broken: The pictures that only the old model gets right.
        p: The p-value of McNemar's test, adjusted for the number of classes (Holm 1979).
    """

    label: str
    pictures: int
    old: float
    new: float
    fixed: int
    broken: int
    p: float

    def cells(self) -> tuple[str, ...]:
        """Return the columns of CLASS_COLUMNS, formatted."""
        change = f"{100 * (self.new - self.old):+.2f}"
        counts = str(self.fixed), str(self.broken)
        worse = "worse" if self.is_worse else ""
        return (self.label, f"{self.pictures:,}", f"{self.old:.2%}", f"{self.new:.2%}", change, *counts, f"{self.p:.2g}", worse)

    @property
    def is_worse(self) -> bool:
        """Whether the new model is worse here by more than chance."""
        return self.broken > self.fixed and self.p < SIGNIFICANT


class Row(NamedTuple):
    """A quantity of both models, formatted, and how it changes."""

    name: str
    old: str
    new: str
    change: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two models on the same pictures.

    Attributes:
        where: The path of the pictures.
        old: The model in use.
        new: The model that may replace it.
        classes: The change of each class that has pictures, the largest loss first.
        notes: Lines about classes and pictures that were left out.
    """

    where: str
    old: Side
    new: Side
    classes: tuple[ClassChange, ...]
    notes: tuple[str, ...] = ()

    @property
    def fixed(self) -> int:
        """The number of pictures that only the new model gets right."""
        return sum(change.fixed for change in self.classes)

    @property
    def broken(self) -> int:
        """The number of pictures that only the old model gets right."""
        return sum(change.broken for change in self.classes)

    @property
    def p(self) -> float:
        """The p-value of McNemar's exact test over all pictures."""
        return metrics.mcnemar(self.fixed, self.broken)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the change of top-1, -1..1; above 0 the new model is better."""
        return metrics.paired_difference(self.fixed, self.broken, self.old.report.pictures)

    @property
    def verdict(self) -> str:
        """Whether the new model is better, in one sentence."""
        gained = f"it gets {counted(self.fixed, 'picture')} right that {self.old.name} gets wrong"
        both = f"{gained}, and {self.broken} the other way round"
        if self.fixed == self.broken:
            return f"{self.new.name} is as good as {self.old.name}: {both}"
        better = "better" if self.fixed > self.broken else "worse"
        if self.p < SIGNIFICANT:
            return f"{self.new.name} is {better} than {self.old.name}: {both} (p = {self.p:.2g})"
        chance = f"chance may explain that (p = {self.p:.2g})"
        return f"{self.new.name} is not proved {better} than {self.old.name}: {both}; {chance}"

    def failures(self, max_drop: float = 0.5, classes: Sequence[str] = ()) -> tuple[str, ...]:
        """Return what the new model loses beyond a limit, a sentence each.

        Args:
            max_drop: What it may lose of top-1 and of macro recall, in percentage points.
            classes: Classes whose recall may not fall by more than `max_drop` either.

        Raises:
            ConfigError: One of `classes` has no pictures that both models know.
        """
        by_label = {change.label: change for change in self.classes}
        strange = [label for label in classes if label not in by_label]
        if strange:
            known = ", ".join(sorted(by_label)[:MOST_LISTED])
            raise ConfigError(f"class {strange[0]!r} has no pictures that both models know; expected one of {known}")
        lost = losses(self.new.report.gates, self.old.report.gates, max_drop)
        failures = [f"{self.new.name} {lost}"] if lost else []
        for label in dict.fromkeys(classes):
            drop = 100 * (by_label[label].old - by_label[label].new)
            if drop > max_drop + 1e-9:
                failures.append(f"{self.new.name} loses {drop:.2f} points of the recall of {label}, at most {max_drop:g}")
        return tuple(failures)

    def rows(self) -> tuple[Row, ...]:
        """Return the quantities that the models are compared by, formatted."""
        old, new = self.old.report, self.new.report
        low, high = self.interval
        top1 = f"{_points(old.top1, new.top1)} (95 %: {100 * low:+.2f} to {100 * high:+.2f})"
        shares = [
            Row("top-1", f"{old.top1:.2%}", f"{new.top1:.2%}", top1),
            *(
                Row(name, f"{before:.2%}", f"{after:.2%}", _points(before, after))
                for name, before, after in (
                    ("macro recall", old.macro_recall, new.macro_recall),
                    ("worst class", old.worst_recall, new.worst_recall),
                    ("get a label", old.coverage, new.coverage),
                    ("wrong labels", old.risk, new.risk),
                    ("foreign unknown", self.old.foreign_unknown, self.new.foreign_unknown),
                )
                if before is not None and after is not None
            ),
        ]
        errors = old.calibration_error, new.calibration_error
        sizes = self.old.classifier.bytes, self.new.classifier.bytes
        return (
            *shares,
            Row("calibration error", f"{errors[0]:.4f}", f"{errors[1]:.4f}", f"{errors[1] - errors[0]:+.4f}"),
            Row("bytes", f"{sizes[0]:,}", f"{sizes[1]:,}", f"x {sizes[1] / sizes[0]:.2f}"),
            Row("ms per picture", f"{self.old.ms:.3f}", f"{self.new.ms:.3f}", f"x {self.new.ms / self.old.ms:.2f}"),
        )

    def broken_pictures(self) -> list[int]:
        """Return the indices of the pictures that only the old model gets right, the most confident mistakes first."""
        lost = np.flatnonzero(self.old.report.right & ~self.new.report.right)
        order = np.argsort(-self.new.report.scores[lost], kind="stable")
        return [int(i) for i in lost[order]]


def _points(old: float, new: float) -> str:
    """Format the change of a share in percentage points."""
    return f"{100 * (new - old):+.2f} points"
