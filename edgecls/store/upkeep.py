"""Keep the files and the rows of a store in step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgecls.files import unlink_quietly
from edgecls.store.schema import PICTURES

if TYPE_CHECKING:
    from edgecls.store.store import Store

ORPHAN_AGE_S = 3600.0
"""A file without a row that is older than this was left by a killed program; a younger one may be about to get its row."""


def sweep(store: Store) -> int:
    """Remove the files of a store that have no row, which a killed program has left. Returns their number."""
    known = {entry.path for entry in store.entries()}
    removed = 0
    for file in sorted((store.folder / PICTURES).glob("*/*")):
        if file not in known and time.time() - file.stat().st_mtime > ORPHAN_AGE_S:
            unlink_quietly(file)
            removed += 1
    return removed
