"""A queue on disk that delivers records in order and at least once, even if the process is killed.

It is one SQLite table. A file format of our own would need segments, checksums, a read position and recovery; SQLite's
write-ahead log has all of that and is far better tested. Appending a record takes about 15 us.

Durability: when `append` returns, the record has been handed to the operating system, so `kill -9` loses nothing. It has not
been flushed, because the caller would have to wait for the disk. The delivering thread calls `sync` once a second while records
wait, so a power cut loses what came after the last `sync`. A record that was delivered but not yet marked when the process was
killed is delivered again.

If the spool is full, the oldest record is dropped: newer ones matter more, and the end of an event repeats its beginning. If
the disk is full or fails, up to `MOST_IN_MEMORY` records wait in memory and are written later. The newest records on disk are
also kept in memory, so a failing disk loses nothing while records are being delivered. `lost` counts dropped records.

A disk that is nearly full alternately accepts and refuses records. So the failure is reported once, and the recovery once,
after the disk has accepted all records for `RECOVERED_AFTER_S` seconds.

Only one process can use a spool. SQLite's exclusive lock ensures that, and the system releases it when the process ends.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import deque
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import SinkError
from edgecls.sink.delivery.spool_table import Record, SpoolTable, code_of, is_damage, move_aside
from edgecls.text import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_BYTES = 64_000_000
"""About 200,000 events."""
MOST_IN_MEMORY = 1000
LARGEST_LOG = 4_000_000
"""Size of the write-ahead log, in bytes, at which it is merged into the table."""
AT_ONCE = 20
"""Records per transaction after a failure: small, so that a failed attempt costs little."""
REOPEN_EVERY_S = 5.0
RECOVERED_AFTER_S = 30.0
_FAILURES = (OSError, sqlite3.Error)
_STILL_OPEN = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
"""After these errors the database stays usable; after all others it is reopened."""


class Spool:
    """A queue of records in the SQLite file `path`, whose folder is created.

    One thread may append while another delivers. `say` is called with a one-line message when the disk fails or recovers, and
    when records are dropped.
    """

    def __init__(self, path: str | Path, *, most_bytes: int = MOST_BYTES, say: Callable[[str], None] = lambda _: None) -> None:
        """Open the spool, which may hold records of earlier runs. Raises SinkError if it is in use or cannot be opened."""
        self.path = Path(path)
        self.lost = 0
        self._most_bytes = most_bytes
        self._say = say
        self._lock = threading.RLock()
        self._memory: deque[Record] = deque()  # records that are not on disk
        self._copies: dict[int, Record] = {}  # the newest records on disk, in order
        self._trouble = ""  # the reported problem of the disk
        self._fails = False  # whether the last attempt failed
        self._failed_at = 0.0
        self._reopen_at = 0.0
        self._is_full = False
        self._is_closed = False
        try:
            table = SpoolTable(self.path, say=say)
        except _FAILURES as error:
            raise SinkError(f"{self.path}: {_why(error)}") from error
        self._table: SpoolTable | None = table
        self.waiting, self._bytes, self._last = table.count, table.bytes, table.last
        self._taken: Record | None = None  # the record returned by `peek`
        self._is_from_table = False
        self._done = 0  # records of the table up to this number are delivered
        self._deleted = 0  # records up to this number are deleted from the table
        self._ahead: set[int] = set()  # delivered before earlier records, which could not be read
        self._synced = True

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a record. Never raises: a record that cannot be written waits in memory."""
        text = _as_text(record)
        with self._lock:
            self._last += 1
            self._memory.append(Record(self._last, text))
            self.waiting += 1
            self._bytes += len(text)
            self._update_table()
            while self._bytes > self._most_bytes and self._drop_oldest():
                pass
            while len(self._memory) > MOST_IN_MEMORY:
                at = 1 if self._memory[0] is self._taken else 0  # it is being delivered
                self._forget(self._memory[at])
                del self._memory[at]

    def peek(self) -> dict[str, Any] | None:
        """Return the first record that is not done, or None. If the disk cannot be read, return the first one in memory."""
        while True:
            with self._lock:
                found = self._taken = self._first(self._done)
            if found is None:
                return None
            try:
                record = strict_json.loads(found.text)
                if isinstance(record, dict):
                    return record
                why = "not a record"
            except ValueError as error:
                why = str(error)
            with self._lock:
                self.lost += 1
                self._say(f"{self.path}: an event was lost because it is damaged ({why[:80]})")
                self.done()

    def done(self) -> None:
        """Remove the record that `peek` returned."""
        with self._lock:
            taken, self._taken = self._taken, None
            if taken is None:
                return
            self.waiting -= 1
            self._bytes -= len(taken.text)
            self._is_full = self._is_full and self.waiting > 0
            if self._memory and self._memory[0].n == taken.n:
                self._memory.popleft()
            elif self._is_from_table:
                self._done = taken.n
            else:
                self._ahead.add(taken.n)
            self._copies.pop(taken.n, None)
            self._update_table()

    def sync(self) -> None:
        """Flush waiting records to disk, without blocking `append`, and keep the log short."""
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            if self.waiting and not self._synced:
                self._synced = True
                with log.open("rb+") as file:
                    os.fsync(file.fileno())
            if log.stat().st_size > LARGEST_LOG or self._trouble:  # on a full disk merging the log frees space
                with self._lock:
                    if self._table is not None:
                        self._table.shorten_log()
        except FileNotFoundError:
            pass  # nothing has been written yet
        except _FAILURES as error:
            with self._lock:
                self._fail(error)
        with self._lock:
            self._update_table()

    def close(self) -> None:
        """Close the file, in which waiting records remain. May be called twice."""
        with self._lock:
            if self._is_closed:
                return
            self._reopen_at = 0.0
            self._update_table()
            self._is_closed = True
            self._report_recovery(after_s=0.0)
            if self._memory:
                self.lost += len(self._memory)
                self._say(f"{self.path}: {len(self._memory)} events could not be written and are lost")
                self._memory.clear()
            if self._table is not None:
                self._table.close()
                self._table = None

    def _update_table(self) -> None:
        """Update the table: delete delivered records, and insert those that wait in memory."""
        try:
            table = self._open_table()
            if table is None:
                return
            if self._deleted < self._done:
                table.remove_up_to(self._done)
                self._deleted = self._done
            if self._ahead:
                table.remove(self._ahead)
                self._ahead.clear()
            while self._memory:
                some = list(islice(self._memory, AT_ONCE))
                table.add(some)
                self._synced = self._fails = False
                for record in some:
                    self._memory.popleft()
                    self._copies[record.n] = record
            while len(self._copies) > MOST_IN_MEMORY:
                del self._copies[next(iter(self._copies))]
        except _FAILURES as error:
            self._fail(error)
        else:
            self._report_recovery(after_s=RECOVERED_AFTER_S)

    def _first(self, after: int) -> Record | None:
        """Return the first record that is not done and has a number above `after`."""
        n = after
        try:
            table = self._open_table()
            while table is not None and (found := table.first_after(n)) is not None:
                if found.n not in self._ahead:
                    self._is_from_table = True
                    return found
                n = found.n
        except _FAILURES as error:
            self._fail(error, while_reading=True)
            table = None
        self._is_from_table = False
        kept = self._memory if table is not None else (*self._copies.values(), *self._memory)
        return next((record for record in kept if record.n > after), None)

    def _drop_oldest(self) -> bool:
        """Drop the oldest record that is not being delivered. Returns False if there is none."""
        is_from_table = self._is_from_table
        oldest = self._first(self._done if self._taken is None else max(self._done, self._taken.n))
        self._is_from_table = is_from_table
        if oldest is None:
            return False
        if oldest in self._memory:
            self._memory.remove(oldest)
        else:
            self._ahead.add(oldest.n)
            self._copies.pop(oldest.n, None)
            self._update_table()
        self._forget(oldest)
        if not self._is_full:
            self._is_full = True
            self._say(f"{self.path}: is full ({self._most_bytes:,} bytes); the oldest events are dropped")
        return True

    def _forget(self, record: Record) -> None:
        self.lost += 1
        self.waiting -= 1
        self._bytes -= len(record.text)

    def _open_table(self) -> SpoolTable | None:
        """Return the table, or None until the next attempt to reopen it. Raises OSError or sqlite3.Error."""
        if self._table is not None or self._is_closed or time.monotonic() < self._reopen_at:
            return self._table
        self._reopen_at = time.monotonic() + REOPEN_EVERY_S
        table = SpoolTable(self.path, say=self._say)
        try:
            there = table.numbers()
        except BaseException:
            table.close()
            raise
        self._table = table
        gone = [record for n, record in self._copies.items() if n not in there]
        self._memory.extendleft(reversed(gone))
        self._copies = {n: record for n, record in self._copies.items() if n in there}
        waiting = len(self._memory) + sum(1 for n in there if n > self._done and n not in self._ahead)
        self.lost += max(0, self.waiting - waiting)
        self.waiting, self._bytes = waiting, table.bytes + sum(len(record.text) for record in self._memory)
        self._last = max(self._last, table.last)
        return table

    def _fail(self, error: BaseException, *, while_reading: bool = False) -> None:
        """Record a failure of the disk, report it once, and close the database if reopening may help."""
        self._fails, self._failed_at = True, time.monotonic()
        if self._table is not None and (while_reading or code_of(error) not in _STILL_OPEN):
            self._table.close()
            self._table = None
            if is_damage(error):
                self._move_aside(error)
        if not self._trouble:
            self._trouble = getattr(error, "strerror", None) or str(error)
            how = "read" if while_reading else "written"
            self._say(
                f"{self.path}: cannot be {how} ({self._trouble}); up to {MOST_IN_MEMORY} events are kept in memory meanwhile"
            )

    def _move_aside(self, error: BaseException) -> None:
        try:
            self._say(f"{self.path}: is damaged ({error}); moved to {move_aside(self.path).name}, and a new one created")
            self._reopen_at = 0.0
        except OSError:  # opening it again will move it
            return

    def _report_recovery(self, *, after_s: float) -> None:
        """Report once that the disk works again, if the last failure was `after_s` seconds ago or more."""
        if self._trouble and not self._fails and time.monotonic() - self._failed_at >= after_s:
            self._trouble = ""
            self._say(f"{self.path}: can be written again; {self.lost} events were lost")


def _as_text(record: Mapping[str, Any]) -> str:
    try:
        return json.dumps(record, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(strict_json.dumps(record)))


def _why(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return "is in use by another run; give this run its own folder: EDGECLS_SPOOL=FOLDER"
    return f"cannot be opened ({error})"
