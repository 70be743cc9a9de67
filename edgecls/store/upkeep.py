"""Keep the files and the rows of a store in step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from edgecls.files import unlink_quietly
from edgecls.store.schema import PICTURES

if TYPE_CHECKING:
    from edgecls.store.entry import Entry
    from edgecls.store.store import Store

ORPHAN_AGE_S = 3600.0
"""A file without a row that is older than this was left by a killed program; a younger one may be about to get its row."""


class Swept(NamedTuple):
    """What was out of step: the pictures whose files were deleted by hand, which stay listed, and the number of files without a
    row, which were removed.
    """

    gone: tuple[Entry, ...]
    removed: int


def sweep(store: Store) -> Swept:
    """Compare the files of a store with its rows, and remove what a killed program has left."""
    entries = list(store.entries())
    known = {entry.path for entry in entries}
    removed = 0
    for file in sorted((store.folder / PICTURES).glob("*/*")):
        if file not in known and time.time() - file.stat().st_mtime > ORPHAN_AGE_S:
            unlink_quietly(file)
            removed += 1
    return Swept(tuple(entry for entry in entries if not entry.path.is_file()), removed)
