"""Split a dataset into training and validation pictures by group.

Near-identical pictures on both sides inflate the score: the frames of one GTSRB track differ by a pixel. So whole groups are
held out, and identical files always stay on one side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls.dataset import leaks
from edgecls.dataset.conflicts import in_two_classes
from edgecls.dataset.listing import some
from edgecls.errors import DataError
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.dataset.items import Dataset, Item


FEW_PICTURES = 10
"""A class with fewer training pictures gets a warning."""


@dataclass(frozen=True, slots=True)
class Split:
    """The two sides of a split.

    Attributes:
        train: The training pictures.
        val: The validation pictures.
        rule: How they were chosen, in words for the card.
        unvalidated: The labels without a validation picture.
        warnings: Lines that the user should see.
    """

    train: tuple[Item, ...]
    val: tuple[Item, ...]
    rule: str
    unvalidated: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def split(dataset: Dataset, *, fraction: float = 0.15, seed: int = 0, strict: bool = False) -> Split:
    """Split a dataset into training and validation pictures, by class and by group.

    With several labels, the pictures with each label and those without it are held out in proportion (iterative
    stratification, Sechidis et al. 2011, with groups).

    Data with its own train and val parts keeps them, except for training pictures that leak into val or test, see
    `edgecls.dataset.leaks`. Pictures of a test part are in neither. The same arguments give the same split.

    Args:
        dataset: What `scan` returned.
        fraction: The share of each class to hold out, 0..1.
        seed: Chooses the groups.
        strict: Raise instead of warning about leaks and pictures in two classes.

    Raises:
        DataError: A class has a single picture or none to train with, or nothing can be held out.

    Example:
        sides = split(scan("data/signs"), fraction=0.2)
        print(len(sides.train), len(sides.val), sides.rule)
    """
    train, val, left_out = leaks.parted(dataset, strict=strict)
    digest_of = dict(zip(dataset.items, dataset.hashes, strict=True))
    if conflict := in_two_classes(dataset, {item: digest_of[item] for item in (*train, *val)}, strict=strict):
        left_out = (*left_out, conflict)
    named = [item for item in train if item.split == "train"]
    _check_labels(dataset, train)
    if named and val:
        _check_trained(dataset, named)
        left = len(dataset.of_split("train", "val")) - len(named) - len(val)
        rule = f"as the data says: {len(named)} train, {len(val)} val{f' ({left} left out)' if left else ''}"
        return _warned(dataset, Split(tuple(named), val, rule, _missing(dataset, named, val), left_out), "no picture in val")
    pool = train
    if not pool:
        raise DataError(
            f"{dataset.where}: has no training pictures, only those of {' and '.join(sorted({i.split for i in dataset.items}))}"
        )
    _check_pairs(dataset, pool)
    groups = merged_groups(dataset, pool)
    held = _hold_out(pool, groups, fraction, seed)
    train = tuple(item for i, item in enumerate(pool) if i not in held)
    val = tuple(item for i, item in enumerate(pool) if i in held)
    if not val:
        raise DataError(f"{dataset.where}: every class has a single group, so nothing can be held out; check `group`")
    rule = f"{len(train)} train, {len(val)} val in {len(groups)} groups ({dataset.group_rule}), seed {seed}"
    return _warned(dataset, Split(train, val, rule, _missing(dataset, pool, val), left_out), "a single group")


def _missing(dataset: Dataset, trained: Sequence[Item], val: Sequence[Item]) -> tuple[str, ...]:
    missing = {stratum for item in trained for stratum in item.strata} - {stratum for item in val for stratum in item.strata}
    return tuple(dataset.strata[s] for s in sorted(missing))


def _warned(dataset: Dataset, sides: Split, why: str) -> Split:
    """Add warnings about classes that are small or not validated; `why` says why they are not."""
    warnings = list(sides.warnings)
    if sides.unvalidated:
        warnings.append(f"{len(sides.unvalidated)} class(es) have {why} and are not validated: {some(sides.unvalidated, 5)}")
    counts = Counter(stratum for item in sides.train for stratum in item.strata)
    few = [f"{dataset.strata[s]} ({n})" for s, n in sorted(counts.items()) if n < FEW_PICTURES]
    if few:
        warnings.append(f"{len(few)} class(es) have fewer than {FEW_PICTURES} training pictures: {some(few, 5)}; add some")
    return replace(sides, warnings=tuple(warnings))


def _check_labels(dataset: Dataset, train: Sequence[Item]) -> None:
    """Raise DataError if one of several labels is on no training picture, or on every one: nothing can be learned about it."""
    if not (dataset.multi_label and train):
        return
    found = {stratum for item in train for stratum in item.strata}
    for i, label in enumerate(dataset.labels):
        for stratum, how in ((2 * i + 1, "on no training picture"), (2 * i, "on every training picture that is marked")):
            if stratum not in found:
                raise DataError(
                    f"{dataset.where}: label {label!r} is {how}, so it cannot be learned; add pictures, or remove it"
                )


def _check_trained(dataset: Dataset, train: Sequence[Item]) -> None:
    trained = {stratum for item in train for stratum in item.strata}
    missing = [name for s, name in enumerate(dataset.strata) if s not in trained]
    if missing:
        raise DataError(f"{dataset.where}: class {missing[0]!r} has no picture in train; {len(missing)} such class(es): add "
                        "pictures or remove them")  # fmt: skip


def _check_pairs(dataset: Dataset, pool: Sequence[Item]) -> None:
    counts = Counter(stratum for item in pool for stratum in item.strata)
    single = [name for s, name in enumerate(dataset.strata) if counts[s] < 2]
    if single:
        found = counted(counts[dataset.strata.index(single[0])], "picture")
        raise DataError(
            f"{dataset.where}: class {single[0]!r} has {found}, expected at least "
            f"2 so that one can validate; {len(single)} such class(es): add pictures or remove them"
        )


def merged_groups(dataset: Dataset, pool: Sequence[Item]) -> list[list[int]]:
    """Return the groups as indices into `pool`, merged by group name and equal content, ordered by their first picture.

    Pictures of one group belong on one side of any split.
    """
    digest_of = dict(zip(map(id, dataset.items), dataset.hashes, strict=True))
    parent = list(range(len(pool)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, item in enumerate(pool):
        for key in ("group " + item.group, "bytes " + digest_of[id(item)]):
            parent[root(i)] = root(first.setdefault(key, i))
    joined: dict[int, list[int]] = defaultdict(list)
    for i in range(len(pool)):
        joined[root(i)].append(i)
    return sorted(joined.values())


def _hold_out(pool: Sequence[Item], groups: Sequence[Sequence[int]], fraction: float, seed: int) -> set[int]:
    """Choose groups, rarest class first, until each class has about its fraction; each class keeps a training group."""
    counts = [Counter(stratum for i in group for stratum in pool[i].strata) for group in groups]
    total: Counter[int] = sum(counts, Counter())
    left: Counter[int] = Counter(c for count in counts for c in count)  # groups of a class still on the training side
    held: set[int] = set()
    held_of: Counter[int] = Counter()
    groups_of: dict[int, list[int]] = defaultdict(list)
    for g in np.random.default_rng(seed).permutation(len(groups)).tolist():
        for class_id in counts[g]:
            groups_of[class_id].append(g)
    for class_id in sorted(total, key=lambda c: (total[c], c)):
        for g in groups_of[class_id]:
            if g in held or any(left[c] < 2 for c in counts[g]):
                continue
            if held_of[class_id] and held_of[class_id] + counts[g][class_id] / 2 > fraction * total[class_id]:
                break
            others = counts[g] if pool[0].marks else ()
            if held_of[class_id] and any(held_of[c] and held_of[c] + counts[g][c] / 2 > fraction * total[c] for c in others):
                continue  # a rarer label would be held out too often
            held.add(g)
            held_of += counts[g]
            left -= Counter(dict.fromkeys(counts[g], 1))
    return {i for g in held for i in groups[g]}
