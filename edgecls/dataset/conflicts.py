"""Find pictures that are in two classes, or have two rows with different labels; one of the two must be wrong."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from edgecls.dataset.listing import some
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from edgecls.dataset.items import Dataset, Item

MOST_NAMED = 3


def in_two_classes(dataset: Dataset, keys: Mapping[Item, Hashable], *, strict: bool = False) -> str:
    """Return a line about pictures that are in more than one class; "" if there are none.

    Args:
        dataset: The labelled pictures.
        keys: The identity of each item to check: the hash of its content, or its path. Different regions of one picture count
            as different pictures.
        strict: Raise DataError instead of returning a line.
    """
    groups: dict[Hashable, list[Item]] = defaultdict(list)
    for item, key in keys.items():
        groups[key, item.roi].append(item)
    conflicts = [group for group in groups.values() if len({item.class_id for item in group}) > 1]
    if not conflicts:
        return ""
    named = some([_describe(dataset, group) for group in conflicts], MOST_NAMED)
    twice, fix = ("have rows with different labels", "row") if dataset.multi_label else ("are in more than one class", "class")
    line = f"pictures that {twice}: {len(conflicts)} ({named})"
    if strict:
        raise DataError(f"{dataset.where}: {line}; keep each in one {fix}")
    return line


def _describe(dataset: Dataset, group: Sequence[Item]) -> str:
    first = {item.class_id: item for item in reversed(group)}
    named = [f"{item.name} as {dataset.shown(item)!r}" for _, item in sorted(first.items())]
    return " and ".join(named[:2])
