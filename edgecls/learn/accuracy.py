"""How accurate a head is, and how sure that is: from cross-validation by group, with 95 % intervals.

The pictures say less than their number suggests, for two reasons. Those of one group are alike, see
`edgecls.metrics.effective_pictures`. And the heads of all folds share most of their training pictures, so their errors are not
independent; how much that costs was measured on drawn problems whose true accuracy is known (scripts/intervals.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.learn.folds import NEVER
from edgecls.metrics import Interval, effective_pictures, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.learn.cross_validation import Scored

SHARED_TRAINING = 1.5
"""The variance of a cross-validated accuracy about the true one, as a multiple of that of as many independent pictures."""
FEWER_PICTURES = 0.4
"""The error of a head falls with the number n of its training pictures about as n to the power of minus this. It corrects for
the pictures that the heads of the folds lack."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of right labels.

    Attributes:
        label: The class; "" for all classes.
        pictures: The pictures of the class.
        scored: Those that were held out once; the share is about them.
        right: How many of these are right.
        interval: The values that the true share may well have; None if nothing was held out.
    """

    label: str
    pictures: int
    scored: int
    right: int
    interval: Interval | None

    @property
    def value(self) -> float | None:
        """The share, 0..1; None if nothing was held out."""
        return self.right / self.scored if self.scored else None

    def __str__(self) -> str:
        """Return it as "83.3 % (65.2 to 92.9 %)", or "unknown"."""
        if self.interval is None:
            return "unknown"
        low, high = (f"{100 * value:.1f}" for value in self.interval)
        return f"{100 * self.right / self.scored:.1f} % ({low} to {high} %)"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy of a head by cross-validation.

    Attributes:
        overall: The share of right labels of all pictures.
        classes: The same of the pictures of each class.
        groups: The number of groups that were held out.
        folds: The number of folds.
    """

    overall: Share
    classes: tuple[Share, ...]
    groups: int
    folds: int


def accuracy(scored: Scored, group_of: NDArray[np.int64], labels: Sequence[str]) -> Accuracy:
    """Return the accuracy that the scores of cross-validation show.

    Args:
        scored: The scores.
        group_of: The group of each picture, (N,).
        labels: The names of the classes.
    """
    everything = np.ones(len(group_of), np.bool_)
    held = scored.fold_of != NEVER
    return Accuracy(
        overall=_share(scored, group_of, everything, ""),
        classes=tuple(_share(scored, group_of, scored.truth == i, label) for i, label in enumerate(labels)),
        groups=len(np.unique(group_of[held])),
        folds=len(np.unique(scored.fold_of[held])),
    )


def _share(scored: Scored, group_of: NDArray[np.int64], chosen: NDArray[np.bool_], label: str) -> Share:
    held = chosen & (scored.fold_of != NEVER)
    right = scored.right[held]
    found = None
    if len(right):
        pictures = effective_pictures(right, group_of[held].tolist()) / SHARED_TRAINING
        found = wilson(_with_all_pictures(scored, right), pictures)
    return Share(label, int(chosen.sum()), len(right), int(right.sum()), found)


def _with_all_pictures(scored: Scored, right: NDArray[np.bool_]) -> float:
    """Return the share of right labels to expect of a head that lacks none of the pictures."""
    folds = len(np.unique(scored.fold_of[scored.scored]))
    missing = 1 / folds if folds > 1 else 0.0
    error = 1 - float(right.mean())
    return 1 - error * float((1 - missing) ** FEWER_PICTURES)
