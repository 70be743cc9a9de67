"""The database of a store, `store.sqlite`, which `sqlite3` can read.

pictures   a row for each picture with its origin and its present label
labels     every label that was ever given, in order, so that each step can be undone and its author found

The database uses a write-ahead log, so several programs may use a store at once. A label is on the disk before it counts as
given (`synchronous=FULL`): it is the work of a person.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgecls.errors import DataError
from edgecls.files import make_private_folder, open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE, PICTURES = "store.sqlite", "pictures"
APPLICATION_ID = 0x65637374
"""`ecst`, in the head of the file, so that no other program's database is written to."""
BUSY_WAIT_S = 10.0
MIGRATIONS = (
    """
    CREATE TABLE pictures (
        id INTEGER PRIMARY KEY AUTOINCREMENT, file TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, height INTEGER NOT NULL,
        width INTEGER NOT NULL, camera TEXT NOT NULL, region TEXT NOT NULL, at_s REAL, time_s REAL, recording TEXT NOT NULL,
        event TEXT NOT NULL, track INTEGER, reason TEXT NOT NULL, model TEXT NOT NULL, prediction TEXT NOT NULL, score REAL,
        embedding BLOB, embedded_by TEXT NOT NULL, hash INTEGER, label TEXT NOT NULL DEFAULT '',
        unusable INTEGER NOT NULL DEFAULT 0, author TEXT NOT NULL DEFAULT '', labelled_at_s REAL, stored_at_s REAL NOT NULL
    );
    CREATE INDEX pictures_by_label ON pictures (label, unusable);
    CREATE INDEX pictures_by_event ON pictures (event);
    CREATE INDEX pictures_by_time ON pictures (at_s);
    CREATE TABLE labels (
        n INTEGER PRIMARY KEY AUTOINCREMENT, stroke INTEGER NOT NULL, picture INTEGER NOT NULL, label TEXT NOT NULL,
        unusable INTEGER NOT NULL, author TEXT NOT NULL, at_s REAL NOT NULL, before_label TEXT NOT NULL,
        before_unusable INTEGER NOT NULL, before_author TEXT NOT NULL, before_at_s REAL, undone INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX labels_by_stroke ON labels (stroke);
    CREATE INDEX labels_by_picture ON labels (picture);
    """,
    "ALTER TABLE pictures ADD COLUMN box TEXT",
)
"""Scripts that create each version of the schema from the previous one. `user_version` is the number of scripts applied."""


def is_store(folder: Path) -> bool:
    """Whether a folder is a store: it contains the database."""
    return (folder / DATABASE).is_file()


def connect(folder: Path, *, create: bool) -> sqlite3.Connection:
    """Open the database of a store.

    Args:
        folder: The store.
        create: Whether to create what does not exist yet.

    Raises:
        DataError: It is no store, a damaged one, or one of a newer version.
        OSError, sqlite3.Error: The disk fails.
    """
    path = folder / DATABASE
    if not path.exists():
        if not create:
            raise DataError(f"{folder}: expected a store of pictures, found no {DATABASE} in it; `edgecls.Store` creates one")
        make_private_folder(folder)
        os.close(open_private(path, os.O_RDWR))  # SQLite gives its log the same mode
    db = sqlite3.connect(path, timeout=BUSY_WAIT_S, check_same_thread=False)
    try:
        _prepare(db, folder)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            raise DataError(f"{path}: is damaged or no database ({error}); restore it from a copy, or try: "
                            f"sqlite3 {DATABASE} .recover") from error  # fmt: skip
        raise
    return db


def _prepare(db: sqlite3.Connection, folder: Path) -> None:
    db.row_factory = sqlite3.Row
    version, application = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    tables = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise DataError(f"{folder / DATABASE}: is the database of another program; choose another folder")
    if version > len(MIGRATIONS):
        raise DataError(
            f"{folder}: is a store of version {version}, this edgecls knows {len(MIGRATIONS)}; update edgecls, or name another"
        )
    db.execute("PRAGMA synchronous=FULL")
    if version == len(MIGRATIONS):
        return
    db.execute("PRAGMA journal_mode=WAL")
    with db:
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another program may have been faster
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Raise DataError for a failure of the disk or of the database."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, DataError):
            raise
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{folder}: the store cannot be used ({why}); check its disk and its permissions") from error
