"""Opening of a sink as in a run, to check that this works, without side effects.

Two steps are left out. The spool is not opened, because the sink would deliver the events that wait there; so nothing is sent.
And no old rows of a database are deleted.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from edgecls.errors import SinkError
from edgecls.sink.kinds import SINKS, SinkSettings

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.log import Say


def dry_run(out: SinkSettings, spool_folder: Path, say: Say) -> None:
    """Open and close a sink. Raises what opening it in a run would raise: SinkError, ConfigError or MissingExtraError."""
    row = SINKS[out.kind]
    if row.queue == "disk":
        _check_spool(spool_folder)
    made = [path for path in row.files(out, ()) if not path.exists()]
    try:
        if row.check is not None:
            row.check(out, say)
        else:
            with closing(row.open(out, say)):
                pass
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def _check_spool(folder: Path) -> None:
    """Raise SinkError if the spool folder cannot be created or written to."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SinkError(f"{folder}: the folder for waiting events is not writable; set another one in EDGECLS_SPOOL")
