"""Events in a file of SQLite: the way to keep them where no server is, to ask about them, and to forget them in time.

The log is written ahead (WAL), so others may read while this writes. Each event is flushed to the disk before it counts as
written (`synchronous=FULL`): what was taken out of the spool must not be lost to a power cut, and it is the buffer's thread
that waits for the disk, not the run. So `kill -9` leaves whole events only, and needs no repair.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, SinkError
from edgecls.run.sink.contract import Sink
from edgecls.run.wire import in_utf8

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

APPLICATION_ID = 0x65636C73
"""`ecls`, in the head of the file, so that no other program's database is written to."""
MIGRATIONS = (
    """
    CREATE TABLE events (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, camera TEXT NOT NULL, region TEXT NOT NULL, label TEXT NOT NULL,
        score REAL NOT NULL, start REAL NOT NULL, "end" REAL, duration_s REAL, track_id INTEGER, direction TEXT NOT NULL,
        counts TEXT NOT NULL, model TEXT NOT NULL, start_frame INTEGER NOT NULL, start_time_s REAL NOT NULL, end_frame INTEGER,
        end_time_s REAL, written_at REAL NOT NULL
    );
    CREATE INDEX events_by_camera ON events (camera, start);
    CREATE INDEX events_by_label ON events (label, start);
    CREATE INDEX events_by_age ON events (written_at);
    CREATE TABLE states (
        camera TEXT NOT NULL, at_s REAL NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (camera, at_s, state)
    );
    CREATE INDEX states_by_age ON states (at_s);
    """,
    """
    ALTER TABLE events ADD COLUMN occupancy REAL;
    ALTER TABLE events ADD COLUMN file TEXT NOT NULL DEFAULT '';
    """,
)
"""What makes each version of the schema of the one before it; `user_version` says how many were done."""
COLUMNS = (
    *("id", "kind", "camera", "region", "label", "score", "start", '"end"', "duration_s", "track_id", "direction"),
    *("counts", "model", "start_frame", "start_time_s", "end_frame", "end_time_s", "written_at"),
    *("occupancy", "file"),
)
_UPDATED = ("label", "score", '"end"', "duration_s", "direction", "counts", "end_frame", "end_time_s", "occupancy")
UPSERT = f"""
    INSERT INTO events ({", ".join(COLUMNS)}) VALUES ({", ".join("?" * len(COLUMNS))})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _UPDATED)} WHERE events."end" IS NULL
"""  # noqa: S608 - made of the constants above
BUSY_WAIT_S = 5.0
PRUNE_EVERY_S = 3600.0
DAY_S = 86_400.0


class SqliteSink(Sink):
    """A row of `events` for each event, made when it begins and completed when it has ended; what comes twice changes nothing.

    `start` and `end` are seconds since 1970 (UTC) where the camera is live, else media time; `counts` is JSON, and `file` the
    one that the first frame is from. The table `states` has the changes of the cameras' states. `keep_days` is after how many
    days rows are deleted (None: never), an hour late at most; their room in the file is used again.
    """

    def __init__(self, path: str | Path, *, keep_days: float | None = None) -> None:
        """Open it, make it, or bring it up to this version. Raises SinkError for another program's file or a newer
        version's.
        """
        self._path = Path(path)
        self._keep_days = keep_days
        self._pruned_at = -PRUNE_EVERY_S
        if keep_days is not None and not keep_days > 0:
            raise ConfigError(f"sqlite:{path}: keep_days must be more than 0, not {keep_days:g}")
        folder = self._path.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):  # the log lies beside the file
            raise SinkError(f"{path}: the folder {folder} does not exist or cannot be written to")
        try:
            self._db = sqlite3.connect(self._path, timeout=BUSY_WAIT_S, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._error(error) from error
        try:
            _prepare(self._db, self._path)
            self._prune()
        except sqlite3.Error as error:
            self._db.close()
            raise self._error(error) from error
        except SinkError:
            self._db.close()
            raise

    def write(self, result: Result) -> None:
        """Nothing: labels of single frames go to `jsonl`."""

    def write_event(self, event: Event) -> None:
        """Insert an event that begins, or complete it."""
        self._execute(UPSERT, _row(event))
        if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
            self._prune()

    def write_state(self, change: StateChange) -> None:
        """Insert a change of a camera's state."""
        values = (in_utf8(change.camera), change.at_s, change.state, in_utf8(change.why))
        self._execute("INSERT OR IGNORE INTO states (camera, at_s, state, why) VALUES (?, ?, ?, ?)", values)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _prune(self) -> None:
        self._pruned_at = time.monotonic()
        if self._keep_days is not None:
            before = time.time() - self._keep_days * DAY_S
            self._execute("DELETE FROM events WHERE written_at < ?", (before,))
            self._execute("DELETE FROM states WHERE at_s < ?", (before,))

    def _execute(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            with self._db:
                self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> SinkError:
        return SinkError(f"{self._path}: cannot be written ({error})")


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise SinkError(f"{path}: is another program's database; name another file")
    if version > len(MIGRATIONS):
        raise SinkError(
            f"{path}: was written by a newer edgecls (schema {version}, expected {len(MIGRATIONS)} or less); "
            "update edgecls, or name another file"
        )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        db.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number}; COMMIT"
        )


def _row(event: Event) -> tuple[Any, ...]:
    start, end = event.start, event.end
    return (
        *(event.id, event.kind, in_utf8(event.camera), in_utf8(event.region), in_utf8(event.label), event.score),
        start.time_s if start.at_s is None else start.at_s,
        None if end is None else end.time_s if end.at_s is None else end.at_s,
        *(event.duration_s, event.track_id, in_utf8(event.direction), json.dumps(dict(event.counts)), in_utf8(event.model)),
        *(start.frame, start.time_s, None if end is None else end.frame, None if end is None else end.time_s),
        *(time.time(), event.occupancy, in_utf8(start.file)),
    )
