"""A sink that stores events in a SQLite file, where they can be queried and are deleted after some time.

It uses a write-ahead log (WAL), so other programs may read at the same time. Each event is flushed to disk before it counts as
delivered (`synchronous=FULL`), because it is then removed from the spool and must survive a power cut. The thread of the spool
waits for the disk, not the run.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError, SinkError
from edgecls.files import open_file, open_private
from edgecls.files.advice import of_no_folder
from edgecls.log import Say, log_warning
from edgecls.settings import check_limits, limited
from edgecls.sink.delivery.spool_table import code_of, is_damage, move_aside
from edgecls.sink.sink import Sink, SinkKind
from edgecls.text.redaction import public_text
from edgecls.text.strict_json import dumps, in_utf8

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
    """
    CREATE INDEX events_by_start ON events (start, id);
    CREATE INDEX events_by_group ON events (camera, kind, label, region, start, id);
    CREATE TABLE event_groups (
        camera TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL, region TEXT NOT NULL,
        PRIMARY KEY (camera, kind, label, region)
    ) WITHOUT ROWID;
    INSERT INTO event_groups SELECT DISTINCT camera, kind, label, region FROM events;
    CREATE TRIGGER event_began AFTER INSERT ON events BEGIN
        INSERT INTO event_groups SELECT new.camera, new.kind, new.label, new.region EXCEPT SELECT * FROM event_groups
        WHERE camera = new.camera AND kind = new.kind AND label = new.label AND region = new.region;
    END;
    CREATE TRIGGER event_renamed AFTER UPDATE OF label ON events BEGIN
        INSERT INTO event_groups SELECT new.camera, new.kind, new.label, new.region EXCEPT SELECT * FROM event_groups
        WHERE camera = new.camera AND kind = new.kind AND label = new.label AND region = new.region;
    END;
    """,
)
"""Scripts that create each version of the schema from the previous one. `user_version` is the number of scripts applied."""
COLUMNS = (
    *("id", "kind", "camera", "region", "label", "score", "start", '"end"', "duration_s", "track_id", "direction"),
    *("counts", "model", "start_frame", "start_time_s", "end_frame", "end_time_s", "written_at"),
    *("occupancy", "file"),
)
GROUP = ("camera", "kind", "label", "region")
"""What the table `event_groups` holds: each combination once, so that readers find the latest events of any filter quickly."""
_UPDATED = ("label", "score", '"end"', "duration_s", "direction", "counts", "end_frame", "end_time_s", "occupancy")
UPSERT = f"""
    INSERT INTO events ({", ".join(COLUMNS)}) VALUES ({", ".join("?" * len(COLUMNS))})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _UPDATED)} WHERE events."end" IS NULL
"""  # noqa: S608 - only the constants above are inserted
EMPTY_GROUPS = f"""
    DELETE FROM event_groups WHERE NOT EXISTS (
        SELECT 1 FROM events WHERE {" AND ".join(f"events.{name} = event_groups.{name}" for name in GROUP)}
    )
"""  # noqa: S608 - only the constants above are inserted
BUSY_WAIT_S = 5.0
MAGIC = b"SQLite format 3\0"
_STILL_OPEN = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT)
"""After these errors the connection can still be used."""
PRUNE_EVERY_S = 3600.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """Events and changes of state in the database `path`, for `keep_days` days (None: forever)."""

    path: str
    kind: Literal["sqlite"] = "sqlite"
    keep_days: float | None = limited(None, above=0, expected="more than 0")

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_limits(self)


class SqliteSink(Sink):
    """Stores events in the table `events`: inserts a row when an event begins and completes it when it has ended.

    `start` and `end` are seconds since 1970 (UTC) for live cameras, else media time in seconds. `counts` is JSON, and `file` is
    the file of the first frame. The table `states` contains the changes of the cameras' states. Rows are deleted after
    `keep_days` days (None: never), within an hour; their space in the file is reused. The table `event_groups` has one row for
    each camera, kind, label and region that events have in common.
    """

    def __init__(self, path: str | Path, *, keep_days: float | None = None, say: Say = log_warning) -> None:
        """Open or create the database, and update its schema. A damaged database is renamed, and a new one is created.

        `say` is called with one line if the database is damaged.

        Raises:
            ConfigError: `keep_days` is not above 0.
            SinkError: The file cannot be written, or was written by another program or a newer version of edgecls.
        """
        self._say = say
        self._path = Path(path)
        self._keep_days = keep_days
        self._pruned_at = -PRUNE_EVERY_S
        if keep_days is not None and not keep_days > 0:
            raise ConfigError(f"sqlite:{path}: keep_days must be more than 0, not {keep_days:g}")
        if fault := of_no_folder(self._path.parent):
            raise SinkError(f"{path}: {fault}")
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._is_closed = False
        try:
            self._open()
            self._prune()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise self._error(error) from error

    def write(self, result: Result) -> None:
        """Do nothing: use `jsonl` for the labels of single frames."""

    def write_event(self, event: Event) -> None:
        """Insert a row for an event, or complete it when the event has ended."""
        self._execute(UPSERT, _row(event))
        if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
            self._prune()

    def write_state(self, change: StateChange) -> None:
        """Insert a change of a camera's state."""
        values = (in_utf8(change.camera), change.at_s, change.state, in_utf8(public_text(change.why)))
        self._execute("INSERT OR IGNORE INTO states (camera, at_s, state, why) VALUES (?, ?, ?, ?)", values)

    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        self._disconnect()

    def _prune(self) -> None:
        self._pruned_at = time.monotonic()
        if self._keep_days is not None:
            before = time.time() - self._keep_days * DAY_S
            self._execute("DELETE FROM events WHERE written_at < ?", (before,))
            self._execute(EMPTY_GROUPS, ())
            self._execute("DELETE FROM states WHERE at_s < ?", (before,))

    def _execute(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            db = self._open()
            with db:
                db.execute(statement, values)
        except (OSError, sqlite3.Error) as error:
            if code_of(error) not in _STILL_OPEN:  # open it again for the next try: the disk may have been replaced
                self._disconnect()
            raise self._error(error) from error

    def _open(self) -> sqlite3.Connection:
        """Return the database, and open it if necessary. Raises OSError, SinkError or sqlite3.Error."""
        if self._is_closed:
            raise SinkError(f"{self._path}: is closed")
        if self._db is not None and _identity(self._path) != self._opened:  # removed or renamed: SQLite does not notice
            self._disconnect()
        if self._db is None:
            try:
                self._db = _connect(self._path)
            except sqlite3.Error as error:
                if not (is_damage(error) and _is_database(self._path)):
                    raise
                self._say(f"{self._path}: is damaged ({error}); moved to {move_aside(self._path).name}, and a new one created")
                self._db = _connect(self._path)
            self._opened = _identity(self._path)
        return self._db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _error(self, error: BaseException) -> SinkError:
        if isinstance(error, SinkError):
            return error
        return SinkError(f"{self._path}: cannot be written ({getattr(error, 'strerror', None) or error})")


def _connect(path: Path) -> sqlite3.Connection:
    if not os.path.lexists(path):
        os.close(open_private(path, os.O_RDWR))  # SQLite gives its log the same mode
    db = sqlite3.connect(path, timeout=BUSY_WAIT_S, check_same_thread=False)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file; None if it does not exist or cannot be read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_database(path: Path) -> bool:
    """Return whether a file was an SQLite database: it begins like one, or with zeros. Any other file is not replaced."""
    with open_file(path) as file:
        head = file.read(len(MAGIC))
    return head in (MAGIC, bytes(len(MAGIC)))


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise SinkError(f"{path}: is the database of another program; name another file")
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
        *(event.duration_s, event.track_id, in_utf8(event.direction), dumps(dict(event.counts)), in_utf8(event.model)),
        *(start.frame, start.time_s, None if end is None else end.frame, None if end is None else end.time_s),
        *(time.time(), event.occupancy, in_utf8(start.file)),
    )


KIND = SinkKind(
    SqliteSettings,
    lambda out, say: SqliteSink(out.path, keep_days=out.keep_days, say=say),
    "path",
    "a file after the colon, such as {kind}:events.db",
    queue="disk",
    files=lambda out, _cameras: [Path(out.path)],
    check=lambda out, say: SqliteSink(out.path, say=say).close(),  # with `keep_days` it would delete rows
)
