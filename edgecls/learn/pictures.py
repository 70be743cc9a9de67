"""From labelled pictures to normalized embeddings: choose the pictures, embed them, and report what is wrong with them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.dataset import in_two_classes, leaks, merged_groups
from edgecls.dataset.listing import some
from edgecls.errors import ConfigError, DataError
from edgecls.learn.embeddings import embed
from edgecls.learn.head import Views, normalized
from edgecls.text.words import counted
from edgecls.train.augment import mirrored_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Dataset, Item
    from edgecls.input_spec import InputSpec
    from edgecls.learn.backbone import Backbone
    from edgecls.log import Progress, Say

SMALL_PX = 32
"""Pictures with a shorter side get a warning. What it says was measured on the sets of docs/learn.md."""
MOST_NAMED = 5
BEGUN, EMBEDDED = 0.05, 0.8
"""The shares of the work of learning that are done before the first and after the last picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The labelled pictures that a head is learned from.

    Attributes:
        items: The N pictures.
        views: Their embeddings.
        groups: The indices of the pictures in each group.
        group_of: The group of each picture, (N,).
        broken: One line for each picture that could not be read.
        computed: How many embeddings were not in the cache.
    """

    items: tuple[Item, ...]
    views: Views
    groups: Sequence[Sequence[int]]
    group_of: NDArray[np.int64]
    broken: tuple[str, ...]
    computed: int


def known_pictures(
    dataset: Dataset, spec: InputSpec, backbone: Backbone, *, mirror: Sequence[str], strict: bool, say: Say, progress: Progress
) -> Known:
    """Embed all labelled pictures except those of a test part, and those whose label cannot be right.

    Args:
        dataset: The labelled pictures.
        spec: How they are fitted to the input of the backbone.
        backbone: Computes the embeddings.
        mirror: The classes whose pictures may be flipped left to right: labels, or "all".
        strict: Raise for a picture that is broken, in two classes, or in two parts of the data.
        say: Called with each warning.
        progress: Called as the pictures are embedded.

    Raises:
        DataError: A class has no picture, or see `strict`.
        ConfigError: `mirror` names an unknown label.
    """
    flips = _may_flip(dataset.labels, mirror)
    items = _consistent(dataset, strict=strict, say=say)
    _check_classes(dataset, items, "has no picture to learn from")
    digest_of = dict(zip(map(id, dataset.items), dataset.hashes, strict=True))
    embedded = embed(
        items, [digest_of[id(i)] for i in items], spec, backbone, mirror=[flips[i.class_id] for i in items], strict=strict,
        progress=lambda share: progress("embedding the pictures", BEGUN + share * (EMBEDDED - BEGUN)),
    )  # fmt: skip
    for line in embedded.broken:
        say(f"left out: {line}")
    for line in embedded.notes:
        say(f"note: {line}")
    _check_classes(dataset, embedded.items, "has no picture that can be read", embedded.broken)
    if small := _small(embedded.items, embedded.size_hw):
        say(f"warning: {small}")
    groups = merged_groups(dataset, embedded.items)
    group_of = np.zeros(len(embedded.items), np.int64)
    for g, members in enumerate(groups):
        group_of[members] = g
    class_ids = np.array([item.class_id for item in embedded.items], np.int64)
    views = Views(normalized(embedded.views), class_ids, len(dataset.labels))
    return Known(embedded.items, views, groups, group_of, embedded.broken, embedded.computed)


def _may_flip(labels: Sequence[str], mirror: Sequence[str]) -> list[bool]:
    """Return for each class whether a mirrored picture of it is of the same class."""
    mirrored = mirrored_classes(labels, mirror)
    swapped = [labels[i] for i, other in enumerate(mirrored.tolist()) if other not in (-1, i)]
    if swapped:
        raise ConfigError(f"mirror: {swapped[0]!r} becomes another class when mirrored; give only labels that stay the same")
    found: list[bool] = (mirrored >= 0).tolist()
    return found


def _consistent(dataset: Dataset, *, strict: bool, say: Say) -> list[Item]:
    """Return the pictures that may be learned from, without those that are in two classes."""
    parts = leaks.parted(dataset, strict=strict)
    for line in parts.left_out:
        say(f"warning: {line}")
    items = [*parts.train, *parts.val]
    if tests := len(dataset.of_split("test")):
        say(f"note: {counted(tests, 'test picture')} left aside; measure the model on them with: edgecls eval")
    digest_of = dict(zip(map(id, dataset.items), dataset.hashes, strict=True))
    keys = {item: digest_of[id(item)] for item in items}
    conflict = in_two_classes(dataset, keys, strict=strict)
    if not conflict:
        return items
    say(f"warning: {conflict}; left out of learning: keep each in one class")
    classes: dict[tuple[str, object], set[int]] = defaultdict(set)
    for item in items:
        classes[keys[item], item.roi].add(item.class_id)
    return [item for item in items if len(classes[keys[item], item.roi]) == 1]


def _check_classes(dataset: Dataset, items: Sequence[Item], why: str, broken: Sequence[str] = ()) -> None:
    """Raise DataError if a class has no picture."""
    there = {item.class_id for item in items}
    missing = [label for class_id, label in enumerate(dataset.labels) if class_id not in there]
    if missing:
        first = f" (the first broken one: {broken[0]})" if broken else ""
        raise DataError(f"{dataset.where}: class {missing[0]!r} {why}{first}; {counted(len(missing), 'such class')}: add "
                        "pictures or remove the class")  # fmt: skip


def _small(items: Sequence[Item], size_hw: NDArray[np.int64]) -> str:
    """Return a warning about small pictures, or ""."""
    small = np.flatnonzero(size_hw.min(axis=1) < SMALL_PX).tolist()
    if not small:
        return ""
    named = some([f"{items[i].name}, {size_hw[i][1]}x{size_hw[i][0]}" for i in small], MOST_NAMED)
    return (
        f"{counted(len(small), 'picture')} of {len(items)} smaller than {SMALL_PX} pixels ({named}), the backbone has learned "
        "from larger ones: of faces shrunk to 32 pixels, 4 in 100 fewer were right, of landscapes 17; at 16, 12 and 31. Crop "
        "from the original at full resolution if there is one"
    )
