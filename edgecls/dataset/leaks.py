"""Find leaks between the train, val and test parts of data that comes with its own parts.

A training picture that is also in val or test, by equal bytes or by its group, inflates the score. Real data often has a few.
They are left out of the earlier part, so that val and test stay as given, and reported. Parts that share more than
`MOST_LEFT_OUT` were not split by group at all; leaving so many out would train on a different dataset, so that is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls.errors import DataError

if TYPE_CHECKING:
    from edgecls.dataset.items import Dataset, Item

MOST_LEFT_OUT = 0.1
"""The largest share of a part that may also be in a later part."""
MOST_NAMED = 5


class Parted(NamedTuple):
    """The parts without leaked pictures, and one line for each part that lost some."""

    train: tuple[Item, ...]
    val: tuple[Item, ...]
    left_out: tuple[str, ...]


def parted(dataset: Dataset, *, strict: bool) -> Parted:
    """Return the training and validation pictures without leaks. Pictures of no part count as training.

    Raises:
        DataError: A part shares too many pictures with a later one, or any if `strict`.
    """
    digests = dict(zip(map(id, dataset.items), dataset.hashes, strict=True))
    later: dict[str, Item] = {}
    kept: dict[str, tuple[Item, ...]] = {}
    lines: list[str] = []
    for name, parts in (("test", ("test",)), ("val", ("val",)), ("train", ("", "train"))):
        items = dataset.of_split(*parts)
        keys = {id(item): (f"bytes {digests[id(item)]}", f"group {item.group}") for item in items}
        twins = [(item, next((later[key] for key in keys[id(item)] if key in later), None)) for item in items]
        shared = [(item, twin) for item, twin in twins if twin is not None]
        if shared:
            lines.append(_describe(dataset, name, shared, len(items), digests, strict=strict))
        kept[name] = tuple(item for item, twin in twins if twin is None)
        for item in kept[name]:
            later |= dict.fromkeys(keys[id(item)], item)
    return Parted(kept["train"], kept["val"], tuple(lines))


def _describe(
    dataset: Dataset, part: str, shared: list[tuple[Item, Item]], of: int, digests: dict[int, str], *, strict: bool
) -> str:
    """Return a line that names the leaked pictures. Raises DataError if there are too many."""
    pairs = [
        f"{item.name} has the {'bytes' if digests[id(item)] == digests[id(twin)] else 'group'} of {twin.name}"
        for item, twin in shared[:MOST_NAMED]
    ]
    named = "; ".join(pairs) + (f"; and {len(shared) - MOST_NAMED} more" if len(shared) > MOST_NAMED else "")
    line = f"{len(shared)} of {of} pictures of {part} are also in a later part: {named}"
    if strict or len(shared) > MOST_LEFT_OUT * of:
        raise DataError(
            f"{dataset.where}: {line}; a score on them would be too high: split the data by groups ({dataset.group_rule}), or "
            "give it without parts so that edgecls splits it, or group what belongs together with `group`"
        )
    return f"{line}; left out of {part}"
