"""Read the labelled pictures of a store (`edgecls.store`). What belongs together stays on one side of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.dataset.class_names import class_name, ordered
from edgecls.dataset.items import Item, Roi
from edgecls.errors import DataError
from edgecls.store import Store, copies_among, merged_groups

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.dataset.listing import Skipped
    from edgecls.store import Entry

GONE = "pictures of the store that were deleted by hand, left out"
UNLABELLED = "pictures of the store without a label, left out"
UNUSABLE = "pictures of the store marked as unusable, left out"
GROUP_RULE = "pictures of one event, of one camera and minute, and near copies"


def read(root: Path, skipped: Skipped) -> tuple[list[str], list[Item]]:
    """Return the class names and the items of a store, with their groups. `skipped` collects what was left out.

    Raises:
        DataError: It cannot be read, no picture has a label, or a label cannot be a class.
    """
    with Store(root, create=False) as store:
        entries = list(store.entries())
    labelled = []
    for entry in entries:
        kind = UNUSABLE if entry.is_unusable else UNLABELLED if not entry.label else GONE if not entry.path.is_file() else ""
        if kind:
            skipped.add(kind, entry.path.relative_to(root).as_posix())
        else:
            labelled.append(entry)
    if not labelled:
        raise DataError(
            f"{root}: is a store of {len(entries)} pictures, none of which has a label and a file; label some first"
        )
    names = ordered({class_name(entry.label, f"{root}, picture {entry.id}") for entry in labelled})
    ids = {name: i for i, name in enumerate(names)}
    items = [
        Item(
            entry.path.relative_to(root).as_posix(), ids[class_name(entry.label, "")], group, file=entry.path, roi=_seen(entry)
        )
        for entry, group in zip(labelled, merged_groups(labelled, copies_among(labelled)), strict=True)
    ]
    return names, items


def _seen(entry: Entry) -> Roi | None:
    """Return what a run classifies of a picture, without the margin around it."""
    if entry.origin.box is None:
        return None
    (left, top, right, bottom), (height, width) = entry.origin.box, entry.size_hw
    return Roi(left, top, right, bottom, width, height)
