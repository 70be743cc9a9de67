"""Folds for cross-validation: whole groups are held out together, and every class is spread over the folds.

A group that is all that there is of a class is never held out: without it, the class could not be learned. So its pictures say
nothing about the accuracy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_FOLDS = 10
NEVER = -1
"""The fold of a picture that is never held out."""


def folds(class_ids: NDArray[np.int64], groups: Sequence[Sequence[int]], *, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold in which each picture is held out, (N,) from 0; NEVER for a picture that always trains.

    Every fold holds out about the same share of each class, because a class with fewer training pictures than the others would
    be recognized less often than by the final model. There are as many folds as the class with the most groups has groups, at
    most MOST_FOLDS.

    Args:
        class_ids: (N,).
        groups: The indices of the pictures in each group; each picture is in one.
        seed: Shuffles the groups.
    """
    counts = [Counter(class_ids[list(group)].tolist()) for group in groups]
    groups_of: dict[int, list[int]] = defaultdict(list)
    for g in np.random.default_rng(seed).permutation(len(groups)).tolist():
        for class_id in counts[g]:
            groups_of[class_id].append(g)
    number = min(MOST_FOLDS, max(map(len, groups_of.values())))
    total = sum(counts, Counter())
    held: list[Counter[int]] = [Counter() for _ in range(number)]
    fold_of = {g: NEVER for found in groups_of.values() if len(found) == 1 for g in found}
    for class_id in sorted(groups_of, key=lambda c: (len(groups_of[c]), c)):
        for g in sorted(groups_of[class_id], key=lambda g: -counts[g].total()):
            if g not in fold_of:
                load = [
                    (max((one[c] + n) / total[c] for c, n in counts[g].items()), one.total(), i) for i, one in enumerate(held)
                ]
                fold_of[g] = min(load)[-1]
                held[fold_of[g]] += counts[g]
    found = np.full(len(class_ids), NEVER, np.int64)
    for g, fold in fold_of.items():
        found[list(groups[g])] = fold
    return _keeping_every_class(found, class_ids)


def _keeping_every_class(fold_of: NDArray[np.int64], class_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Dissolve folds that hold out all pictures of a class; this happens if a group has pictures of several classes."""
    for fold in range(int(fold_of.max(initial=NEVER)) + 1):
        trained = class_ids[fold_of != fold]
        if len(np.unique(trained)) < len(np.unique(class_ids)):
            fold_of = np.where(fold_of == fold, NEVER, fold_of)
    return fold_of
