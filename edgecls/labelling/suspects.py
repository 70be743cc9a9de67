"""Labels that are probably wrong: heads that have not seen a picture contradict its label (Northcutt, Jiang, Chuang 2021)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.errors import DataError
from edgecls.labelling.positions import positions
from edgecls.learn.backbone import DEFAULT
from edgecls.learn.cross_validation import scores
from edgecls.learn.folds import NEVER, folds
from edgecls.learn.head import FEW_PICTURES, MEANS, Views, softmax
from edgecls.log import log_progress
from edgecls.store import copies_among, merged_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.log import Say
    from edgecls.store import Entry, Store

STRENGTH = 1e-3
"""The weight decay of the heads, stronger than is best for new pictures: a head that can remember a wrong label believes it."""


ALIKE = 0.95
"""Near copies by their hashes also look alike to the network if their inner product is at least this: signs of 100 and 120 do
not.
"""
FEWEST_MATES = 3
"""Fewer other pictures of an event say nothing about the label of one."""


class _Mates(NamedTuple):
    """Other pictures that show the same thing as one, by their indices: all of them, and the near copies among them."""

    all: frozenset[int]
    copies: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A labelled picture whose label may be wrong.

    Attributes:
        entry: The picture.
        suspicion: How much more probable another label is than its own, -1..1; above 0 the other one is more probable.
        other: That label.
        why: The reason in words.
    """

    entry: Entry
    suspicion: float
    other: str
    why: str


def suspects(store: Store, *, backbone: str = DEFAULT, seed: int = 0, say: Say = log_progress) -> list[Suspect]:
    """Return the labelled pictures, the most suspect first, without those whose labels somebody has confirmed.

    Every picture is scored by a head that has not seen it, nor its near copies, nor other pictures of its event. Where there
    are three or more of those, their labels count as much as the head. Near copies with different labels come first, as one of
    the labels is most probably wrong, except those whose own label most copies and pictures of the event have.

    Args:
        store: The store.
        backbone: The network that embeds the pictures. Where its package is not installed, thumbnails do.
        seed: Shuffles the folds.
        say: Called with a line about missing packages, and about each picture that cannot be read.

    Raises:
        DataError: There are fewer than two labels, or pictures.

    Example:
        with edgecls.Store("gate-pictures") as store:
            for suspect in edgecls.suspects(store)[:20]:
                print(suspect.entry.path, suspect.entry.label, suspect.other, suspect.why)
    """
    entries, found = positions(store, list(store.entries("labelled")), backbone=backbone, say=say)
    labels = sorted({entry.label for entry in entries})
    if len(labels) < 2:
        raise DataError(f"{store.folder}: expected pictures of two labels or more, found {len(labels)}; label some first")
    class_ids = np.array([labels.index(entry.label) for entry in entries], np.int64)
    copies = copies_among(entries)
    probabilities, scored = _probabilities(found, class_ids, _members(merged_groups(entries, copies)), len(labels), seed)
    own = probabilities[np.arange(len(entries)), class_ids]
    others = probabilities.copy()
    others[np.arange(len(entries)), class_ids] = -1
    best = others.argmax(axis=1)
    suspicion = np.where(scored, others.max(axis=1) - own, -1.0)
    other = [labels[i] for i in best.tolist()]
    why = [f"others like it are {label}" for label in other]
    for i, mates in _mates(entries, copies).items():
        votes = Counter(entries[mate].label for mate in mates.all)
        (first, most), *_ = [one for one in votes.most_common(2) if one[0] != entries[i].label] or [("", 0)]
        lead = (most - votes[entries[i].label]) / len(mates.all)
        twins = (mate for mate in mates.copies if class_ids[mate] != class_ids[i] and found[mate] @ found[i] >= ALIKE)
        twin = next(twins, None)
        if twin is not None and lead >= 0:
            suspicion[i], other[i] = 1.0, entries[twin].label
            why[i] = f"its near copy, picture {entries[twin].id}, is {other[i]}"
        elif len(mates.all) >= FEWEST_MATES:
            suspicion[i] = (suspicion[i] + lead) / 2 if scored[i] else lead
            if lead > 0:
                other[i], why[i] = first, f"{most} of {len(mates.all)} other pictures of its event are {first}"
    order = np.argsort(-suspicion, kind="stable").tolist()
    confirmed = {entry.id for entry in store.entries("confirmed")}
    found_ones = (Suspect(entries[i], float(suspicion[i]), other[i], why[i]) for i in order)
    return [one for one in found_ones if one.entry.id not in confirmed]


def _probabilities(
    found: NDArray[np.float32], class_ids: NDArray[np.int64], groups: Sequence[Sequence[int]], classes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the probabilities of each picture by a head that has not seen its group, and whether there is one."""
    views = Views(found[:, None, :], class_ids, classes)
    fold_of = folds(class_ids, groups, seed=seed)
    few = int(np.bincount(class_ids, minlength=classes).min()) < FEW_PICTURES
    logits = scores(views, fold_of, MEANS if few else STRENGTH).logits
    return softmax(logits), fold_of != NEVER


def _mates(entries: Sequence[Entry], copies: Sequence[tuple[int, int]]) -> dict[int, _Mates]:
    """Return the near copies of each picture, and all that show the same thing: these, and the pictures of its event."""
    twins: dict[int, set[int]] = {}
    for one, other in copies:
        twins.setdefault(one, set()).add(other)
        twins.setdefault(other, set()).add(one)
    events: dict[str, set[int]] = {}
    for i, entry in enumerate(entries):
        if entry.origin.event:
            events.setdefault(entry.origin.event, set()).add(i)
    found = {}
    for i, entry in enumerate(entries):
        everything = (events.get(entry.origin.event, set()) | twins.get(i, set())) - {i}
        if everything:
            found[i] = _Mates(frozenset(everything), frozenset(twins.get(i, ())))
    return found


def _members(groups: Sequence[str]) -> list[list[int]]:
    """Return the indices of the pictures of each group."""
    found: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        found.setdefault(group, []).append(i)
    return list(found.values())
