"""The SQLite table of a spool.

The file cannot be trusted: others may be able to write to the folder, and disks fail. A damaged file, or one that is not a
spool, is renamed and replaced with a new one; records that edgecls cannot have written are removed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from edgecls.files import make_private_folder, open_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgecls.log import Say

LOCK_WAIT_S = 1.0
LARGEST_NUMBER = 1 << 62
"""Leaves room for further numbers: SQLite's integers end at 2^63 - 1."""
LARGEST_RECORD = 4_000_000
SCHEMA = "CREATE TABLE waiting (n INTEGER PRIMARY KEY, record TEXT NOT NULL)"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Record(NamedTuple):
    """A record and its number. Numbers increase."""

    n: int
    text: str


class _ForeignError(sqlite3.DatabaseError):
    """A database that is not a spool."""


def is_damage(error: BaseException) -> bool:
    """Return whether an error comes from the content of the file, not from the disk, the system or another process."""
    return code_of(error) in _DAMAGE or isinstance(error, _ForeignError)


def code_of(error: BaseException) -> int:
    """Return SQLite's primary result code of an error; 0 if it has none."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def move_aside(path: Path) -> Path:
    """Rename a database and its log, and return the new name. Raises OSError."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    os.replace(path, aside)  # noqa: PTH105 - as in `edgecls.files.writing`
    for ending in ("-wal", "-shm"):
        with suppress(OSError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")  # noqa: PTH105
    return aside


class SpoolTable:
    """The table at `path`, for this process only. All methods raise sqlite3.Error or OSError if the disk fails."""

    def __init__(self, path: Path, *, say: Say) -> None:
        """Open the table, create it, or replace a damaged one."""
        make_private_folder(path.parent)
        try:
            self._db = _open(path)
            self._remove_foreign(path, say)
        except sqlite3.Error as error:
            if hasattr(self, "_db"):
                self._db.close()
            if not is_damage(error):
                raise
            say(f"{path}: is damaged or not a spool ({error}); moved to {move_aside(path).name}, and a new one created")
            self._db = _open(path)
        self.count, self.bytes, self.last = self._db.execute(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(record)), 0), COALESCE(MAX(n), 0) FROM waiting"
        ).fetchone()

    def first_after(self, n: int) -> Record | None:
        """Return the first record with a number above `n`, or None."""
        row = self._db.execute("SELECT n, record FROM waiting WHERE n > ? ORDER BY n LIMIT 1", (n,)).fetchone()
        return None if row is None else Record(row[0], row[1].decode("utf-8", "replace"))

    def numbers(self) -> set[int]:
        """Return the numbers of all records."""
        return {n for (n,) in self._db.execute("SELECT n FROM waiting")}

    def add(self, records: Iterable[Record]) -> None:
        """Insert all records or none. Existing ones are kept."""
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO waiting VALUES (?, ?)", records)

    def remove_up_to(self, n: int) -> None:
        """Delete the records with numbers up to `n`."""
        with self._db:
            self._db.execute("DELETE FROM waiting WHERE n <= ?", (n,))

    def remove(self, numbers: Iterable[int]) -> None:
        """Delete the records with these numbers."""
        with self._db:
            self._db.executemany("DELETE FROM waiting WHERE n = ?", [(n,) for n in numbers])

    def shorten_log(self) -> None:
        """Merge the write-ahead log into the table."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file and ignore errors."""
        with suppress(sqlite3.Error):
            self._db.close()

    def _remove_foreign(self, path: Path, say: Say) -> None:
        """Delete records that edgecls cannot have written. As a write, this also acquires the lock."""
        with self._db:
            removed = self._db.execute(
                "DELETE FROM waiting WHERE n < 1 OR n > ? OR TYPEOF(record) != 'text' OR LENGTH(record) > ?",
                (LARGEST_NUMBER, LARGEST_RECORD),
            ).rowcount
        if removed:
            say(f"{path}: {removed} records that edgecls did not write were removed")


def _open(path: Path) -> sqlite3.Connection:
    if not os.path.lexists(path):
        os.close(open_private(path, os.O_RDWR))  # the log gets the same mode
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, check_same_thread=False)
    try:
        db.text_factory = bytes  # invalid UTF-8 would make the query fail
        tables = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master")]
        if tables not in ([], [SCHEMA.encode()]):
            raise _ForeignError("its tables are not those of a spool")
        db.execute("PRAGMA page_size=1024")  # a commit writes whole pages, and records are small
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")  # flush only when the log restarts, not at every commit
        db.execute("PRAGMA wal_autocheckpoint=0")  # done by `Spool.sync` in the other thread
        with db:
            if not tables:
                db.execute(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
