"""Pictures that stand on both sides of data that names its own train, val and test parts.

A picture of training that is in val or test too, by equal bytes or by its group, makes the score a lie. Real data often have a
few: those are left out of the earlier part, so that val and test stay as they were given, and named. Parts that share more
than `MOST_LEFT_OUT` were not parted by groups at all; leaving so many out would train on another dataset, so that is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls.errors import DataError

if TYPE_CHECKING:
    from edgecls.dataset.items import Dataset, Item

MOST_LEFT_OUT = 0.1
"""The largest share of a part that may be in a later one too."""
MOST_NAMED = 5


class Parted(NamedTuple):
    """The parts without what a later one has too, and one line for each part that lost pictures."""

    train: tuple[Item, ...]
    val: tuple[Item, ...]
    left_out: tuple[str, ...]


def parted(dataset: Dataset, *, strict: bool) -> Parted:
    """Take the training pictures (those of no part among them) and the val ones; nothing is left out of test.

    Raises DataError where a part shares too much with a later one, or anything if `strict`.
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
            lines.append(_said(dataset, name, shared, len(items), digests, strict=strict))
        kept[name] = tuple(item for item, twin in twins if twin is None)
        for item in kept[name]:
            later |= dict.fromkeys(keys[id(item)], item)
    return Parted(kept["train"], kept["val"], tuple(lines))


def _said(
    dataset: Dataset, part: str, shared: list[tuple[Item, Item]], of: int, digests: dict[int, str], *, strict: bool
) -> str:
    """The line that names them. Raises DataError where they are too many."""
    pairs = [
        f"{item.name} has the {'bytes' if digests[id(item)] == digests[id(twin)] else 'group'} of {twin.name}"
        for item, twin in shared[:MOST_NAMED]
    ]
    named = "; ".join(pairs) + (f"; and {len(shared) - MOST_NAMED} more" if len(shared) > MOST_NAMED else "")
    said = f"{len(shared)} of {of} pictures of {part} are in a later part too: {named}"
    if strict or len(shared) > MOST_LEFT_OUT * of:
        raise DataError(
            f"{dataset.where}: {said}; a score on them would lie: part the data by groups ({dataset.group_rule}), or give it "
            "without parts so that edgecls does, or say what belongs together by --group"
        )
    return f"{said}; left out of {part}"
