"""How far the labels of two models agree that see the same crops: the confusion between the two, by class."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from edgecls.model.confidence import UNKNOWN
from edgecls.prediction import NONE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from edgecls.frame import Detection

FEWEST = 20
"""A class with fewer crops is not judged by itself: one of three that differs says little."""


class ClassAgreement(NamedTuple):
    """One class as the model in use names it: its crops, and how many of them the shadow gives the same label."""

    label: str
    crops: int
    same: int

    @property
    def share(self) -> float:
        """The share of its crops with the same label."""
        return self.same / self.crops


class Agreement:
    """Counts pairs of labels that two models give to the same crops.

    Attributes:
        pairs: How often the model in use gave the first label and the shadow the second.
        frames: The frames with at least one crop that was compared.
        left_out: Crops that were not compared, because one of the models does not have the label.

    Example:
        agreement = edgecls.Agreement()
        for result, _ in run:
            agreement.add(result.detections)
        print(agreement.share, agreement.pairs.most_common(5))
    """

    def __init__(self, common: Collection[str] | None = None) -> None:
        """Start at zero. Only labels in `common` are compared, "unknown" and "none" always. None: all labels."""
        self._common = None if common is None else {*common, UNKNOWN, NONE}
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.frames = self.left_out = 0

    def add(self, detections: Iterable[Detection]) -> None:
        """Add what both models said of one frame; regions that the shadow did not see do not count."""
        compared = 0
        for found in detections:
            if found.shadow is None:
                continue
            pair = _text(found.prediction.names), _text(found.shadow.names)
            if self._common is None or all(name.rpartition("/")[2] in self._common for name in _names(found)):
                self.pairs[pair] += 1
                compared += 1
            else:
                self.left_out += 1
        self.frames += compared > 0

    def copy(self) -> Agreement:
        """Return the counts so far. May be called while another thread adds to them."""
        found = Agreement(self._common)
        found.pairs.update(dict.copy(self.pairs))
        found.frames, found.left_out = self.frames, self.left_out
        return found

    @property
    def crops(self) -> int:
        """How many crops were compared."""
        return self.pairs.total()

    @property
    def share(self) -> float:
        """The share of the crops with the same label, 0..1; 0 without crops."""
        return sum(n for (one, other), n in self.pairs.items() if one == other) / max(1, self.crops)

    def classes(self) -> list[ClassAgreement]:
        """Return each class, the one that agrees least first."""
        crops: Counter[str] = Counter()
        for (one, _), n in self.pairs.items():
            crops[one] += n
        found = [ClassAgreement(label, n, self.pairs[label, label]) for label, n in crops.items()]
        return sorted(found, key=lambda one: (one.share, one.label))

    def worst(self) -> ClassAgreement | None:
        """Return the class that agrees least, among those with 20 crops or more; None if there is none."""
        return next((one for one in self.classes() if one.crops >= FEWEST), None)

    def __str__(self) -> str:
        """Say it in one line."""
        worst = self.worst()
        least = "" if worst is None else f", least for {worst.label} ({worst.share:.1%} of {worst.crops})"
        beside = f"; {self.left_out} with labels that only one model has were left out" if self.left_out else ""
        return f"the same label on {self.share:.1%} of {self.crops} crops{least}{beside}"


def _names(found: Detection) -> tuple[str, ...]:
    return (*found.prediction.names, *(found.shadow.names if found.shadow else ()))


def _text(names: tuple[str, ...]) -> str:
    return ", ".join(sorted(names))
