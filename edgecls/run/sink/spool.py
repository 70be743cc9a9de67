"""A queue on the disk: what goes in comes out in order, at least once, whatever happens to the process meanwhile.

It is one table of SQLite. Own files would need segments, lengths, checksums, a read position and a recovery; SQLite has all of
that in its write-ahead log, which it has been tested for more than we could.
A record costs whoever brings it some 15 us.

What it survives. A record is on its way to the disk when `append` returns: `kill -9` costs nothing. It is not flushed there, as
that would have the caller wait for the disk; `sync` does it, which the thread that empties the spool calls once a second while
something waits: a power cut costs what came after the last `sync`. A record that was delivered when the process was killed, and
not yet marked, is delivered again.

When it is full, the oldest record is given up, as the end of an event tells all that its beginning told, and what is new is
worth more than what is old. When the disk is full or broken, records wait in memory, `MOST_IN_MEMORY` of them, and go to the
disk when that is possible again; so a full disk costs nothing as long as they are delivered. What is given up is counted in
`lost`.

One process has a spool at a time: SQLite's exclusive lock says so, which the system lets go when the process ends, however it
ends.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import deque
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_BYTES = 64_000_000
"""Some 200,000 events."""
MOST_IN_MEMORY = 1000
LARGEST_LOG = 4_000_000
"""Bytes of the write-ahead log after which it is brought into the table."""
AT_ONCE = 20
"""Records that go to the disk in one piece when there is room again: so a try that fails costs little."""
LOCK_WAIT_S = 1.0


class _Record(NamedTuple):
    n: int
    text: str


class Spool:
    """Records that wait at `path`, a file of SQLite. May be filled and emptied by two threads; its folder is made.

    `say` hears, in one line, when the disk takes no more and when it does again, and when records are given up.
    """

    def __init__(self, path: str | Path, *, most_bytes: int = MOST_BYTES, say: Callable[[str], None] = lambda _: None) -> None:
        """Open it, with what was left in it. Raises SinkError when another process has it, or it cannot be opened."""
        self.path = Path(path)
        self.lost = 0
        self._most_bytes = most_bytes
        self._say = say
        self._lock = threading.RLock()
        self._memory: deque[_Record] = deque()
        self._trouble = ""
        self._is_full = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db, (self.waiting, self._bytes, self._last) = _open(self.path)
        except (OSError, sqlite3.Error) as error:
            raise SinkError(f"{self.path}: {_why(error)}") from error
        self._taken: _Record | None = None  # what `peek` gave
        self._done = 0  # the number of the last record that was delivered
        self._deleted = 0  # up to which number the table was cleared
        self._synced = True

    def append(self, record: Mapping[str, Any]) -> None:
        """Put a record at the end. Never raises: what the disk does not take waits in memory."""
        text = json.dumps(record)
        with self._lock:
            self._last += 1
            self._memory.append(_Record(self._last, text))
            self.waiting += 1
            self._bytes += len(text)
            self._settle()
            while self._bytes > self._most_bytes and self._give_up_oldest():
                pass
            while len(self._memory) > MOST_IN_MEMORY:
                at = 1 if self._memory[0] is self._taken else 0  # that one is just being delivered
                self._forget(self._memory[at])
                del self._memory[at]

    def peek(self) -> dict[str, Any] | None:
        """Return the first record that is not done, None where nothing waits. Raises SinkError when it cannot be read."""
        with self._lock:
            try:
                found = self._first_after(self._done)
            except sqlite3.Error as error:
                raise SinkError(f"{self.path}: cannot be read ({error})") from error
            self._taken = found
        if found is None:
            return None
        record: dict[str, Any] = json.loads(found.text)
        return record

    def done(self) -> None:
        """Take the record that `peek` gave away."""
        with self._lock:
            if self._taken is None:
                return
            self._done = self._taken.n
            self.waiting -= 1
            self._bytes -= len(self._taken.text)
            self._taken = None
            self._is_full = self._is_full and self.waiting > 0
            if self._memory and self._memory[0].n <= self._done:
                self._memory.popleft()
            self._settle()

    def sync(self) -> None:
        """Flush to the disk what waits, without holding up `append`; and keep the log short."""
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            if self.waiting and not self._synced:
                self._synced = True
                with log.open("rb+") as file:
                    os.fsync(file.fileno())
            if log.stat().st_size > LARGEST_LOG or self._trouble:  # on a full disk the log has room to give
                with self._lock:
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except FileNotFoundError:
            return  # nothing was written yet
        except (OSError, sqlite3.Error) as error:
            self._tell(str(error))

    def close(self) -> None:
        """Close the file; what waits stays in it. May be called twice."""
        with self._lock:
            self._settle()
            if self._memory:
                self.lost += len(self._memory)
                self._say(f"{self.path}: {len(self._memory)} events are lost, as the disk did not take them")
                self._memory.clear()
            self._db.close()

    def _settle(self) -> None:
        """Bring the table up to date: out with what is done, in with what waits in memory."""
        try:
            if self._deleted < self._done:
                with self._db:
                    self._db.execute("DELETE FROM waiting WHERE n <= ?", (self._done,))
                self._deleted = self._done
            while self._memory:
                some = list(islice(self._memory, AT_ONCE))
                with self._db:
                    self._db.executemany("INSERT INTO waiting VALUES (?, ?)", some)
                self._synced = False
                for _ in some:
                    self._memory.popleft()
        except sqlite3.ProgrammingError:
            return  # it is closed
        except sqlite3.Error as error:
            self._tell(str(error))
        else:
            self._tell("")

    def _first_after(self, n: int) -> _Record | None:
        row = self._db.execute("SELECT n, record FROM waiting WHERE n > ? ORDER BY n LIMIT 1", (n,)).fetchone()
        if row is not None:
            return _Record(*row)
        return next((record for record in self._memory if record.n > n), None)

    def _give_up_oldest(self) -> bool:
        """Give up the first record that is not just being delivered; False where there is none, or it cannot be done."""
        try:
            oldest = self._first_after(self._done if self._taken is None else self._taken.n)
            if oldest is None:
                return False
            with self._db:
                self._db.execute("DELETE FROM waiting WHERE n = ?", (oldest.n,))
        except sqlite3.Error as error:
            self._tell(str(error))
            return False
        if oldest in self._memory:
            self._memory.remove(oldest)
        self._forget(oldest)
        if not self._is_full:
            self._is_full = True
            self._say(f"{self.path}: is full ({self._most_bytes:,} bytes); the oldest events are given up")
        return True

    def _forget(self, record: _Record) -> None:
        self.lost += 1
        self.waiting -= 1
        self._bytes -= len(record.text)

    def _tell(self, trouble: str) -> None:
        """Say once that the disk takes nothing, and once that it does again."""
        if trouble and not self._trouble:
            self._say(f"{self.path}: cannot be written ({trouble}); up to {MOST_IN_MEMORY} events are kept in memory meanwhile")
        elif self._trouble and not trouble:
            self._say(f"{self.path}: can be written again; {self.lost} events were lost")
        self._trouble = trouble


def _open(path: Path) -> tuple[sqlite3.Connection, tuple[int, int, int]]:
    """Return the open file, and what is in it: records, their bytes, the number of the last one."""
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, check_same_thread=False)
    try:
        db.execute("PRAGMA page_size=1024")  # each commit writes whole pages, and a record is small
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")  # no flush at a commit, but for one when the log begins anew
        db.execute("PRAGMA wal_autocheckpoint=0")  # `sync` does it, in the other thread
        with db:
            db.execute("CREATE TABLE IF NOT EXISTS waiting (n INTEGER PRIMARY KEY, record TEXT NOT NULL)")
            db.execute("DELETE FROM waiting WHERE n < 0")  # a write, to have the lock now
        found = db.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(record)), 0), COALESCE(MAX(n), 0) FROM waiting").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db, found


def _why(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return "another run writes through it; give this one a folder of its own: EDGECLS_SPOOL=FOLDER"
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return f"is damaged or no spool ({error}); move it away to begin with an empty one"
    return f"cannot be opened ({error})"
