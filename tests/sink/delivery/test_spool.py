"""Tests of the queue on disk after a kill, on a full disk, and with a damaged file."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edgecls import SinkError
from edgecls.sink.delivery import spool as spool_module
from edgecls.sink.delivery import spool_table
from edgecls.sink.delivery.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.sink.delivery.spool_table import SpoolTable

FILLER = """
import sys
from edgecls.sink.delivery.spool import Spool
spool = Spool(sys.argv[1], say=print)
for number in range(1_000_000):
    spool.append({"number": number, "text": "x" * 200})
    print(number, flush=True)
"""


def drained(spool: Spool, most: int = 1_000_000) -> list[int]:
    """Take the numbers of the waiting records."""
    numbers = []
    while len(numbers) < most and (record := spool.peek()) is not None:
        numbers.append(record["number"])
        spool.done()
    return numbers


def fill(spool: Spool, numbers: range, text: str = "") -> None:
    """Append a record for each number."""
    for number in numbers:
        spool.append({"number": number, "text": text})


@pytest.fixture
def path(tmp_path) -> Path:
    """Return the path of the spool, in a folder that does not exist yet."""
    return tmp_path / "folder" / "of.spool"


def test_records_come_out_in_order(path):
    """`peek` returns the same record until it is done."""
    spool = Spool(path)
    fill(spool, range(3))
    assert spool.peek() == spool.peek() == {"number": 0, "text": ""}
    assert spool.waiting == 3
    assert drained(spool) == [0, 1, 2]
    assert (spool.peek(), spool.waiting, spool.lost) == (None, 0, 0)
    spool.close()


def test_done_without_a_record_removes_none(path):
    """Only a record that `peek` returned can be done, and only once."""
    spool = Spool(path)
    fill(spool, range(2))
    spool.done()
    spool.peek()
    spool.done()
    spool.done()
    assert drained(spool) == [1]
    spool.close()


def test_remaining_records_are_there_the_next_time(path):
    """A reopened spool continues with the first record that is not done; new ones follow."""
    with_rest = Spool(path)
    fill(with_rest, range(5))
    drained(with_rest, 2)
    with_rest.close()
    with_rest.close()
    again = Spool(path)
    assert again.waiting == 3
    fill(again, range(5, 7))
    assert drained(again) == [2, 3, 4, 5, 6]
    fill(again, range(7, 9))  # after it was empty
    assert drained(again) == [7, 8]
    again.close()


def test_any_text_comes_back(path):
    """Text that is not Unicode, and line breaks, are returned unchanged."""
    spool = Spool(path)
    record = {"camera": "caf\udce9 \n\0 停", "score": 0.1234567, "at": None}
    spool.append(record)
    assert spool.peek() == record
    spool.close()


def test_a_kill_costs_nothing_that_was_appended(path):
    """After kill -9 under load, every record whose append had returned is there, complete and in order."""
    with subprocess.Popen([sys.executable, "-c", FILLER, path], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) >= 2000:
                break
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
    returned = max([2000, *(int(line) for line in rest if line.endswith("\n"))])
    spool = Spool(path)
    numbers = drained(spool)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > returned
    spool.close()


def test_a_log_that_was_torn_by_a_power_cut_gives_its_whole_records(path):
    """If the end of the log was not written, earlier records are there, and new ones can be added."""
    spool = Spool(path)
    fill(spool, range(50), "x" * 300)
    log = path.with_name("of.spool-wal").read_bytes()
    table = path.read_bytes()
    spool.close()
    path.write_bytes(table)
    path.with_name("of.spool-wal").write_bytes(log[: len(log) * 2 // 3])
    torn = Spool(path)
    assert 0 < torn.waiting < 50
    fill(torn, range(90, 92))
    numbers = drained(torn)
    assert numbers == [*range(len(numbers) - 2), 90, 91]
    torn.close()


def test_one_run_has_it_at_a_time(path, monkeypatch):
    """A second run gets an error that says what to do; after the first has ended, it may use the spool."""
    monkeypatch.setattr(spool_table, "LOCK_WAIT_S", 0.05)
    first = Spool(path)
    with pytest.raises(SinkError, match=r"of\.spool: is in use by another run; .* its own folder: EDGECLS_SPOOL=FOLDER"):
        Spool(path)
    fill(first, range(1))
    first.close()
    second = Spool(path)
    assert drained(second) == [0]
    second.close()


def database(path: Path, *statements: str) -> None:
    """Create a SQLite file."""
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


OF_A_SPOOL = "CREATE TABLE waiting (n INTEGER PRIMARY KEY, record TEXT NOT NULL)"


@pytest.mark.parametrize(
    "what", ["a text", "zeros", "another table", "more tables", "a trigger", "a damaged page", "a damaged head"]
)
def test_a_damaged_file_is_moved_aside(path, what):
    """Any such file is renamed and reported in one line; the spool starts empty and works."""
    path.parent.mkdir()
    if what == "a text":
        path.write_text("this is a text, and a long one at that\n" * 100)
    elif what == "zeros":
        path.write_bytes(bytes(8192))
    elif what == "another table":
        database(path, "CREATE TABLE waiting (a)")
    elif what == "more tables":
        database(path, OF_A_SPOOL, "CREATE TABLE b (a)")
    elif what == "a trigger":
        database(path, OF_A_SPOOL, "CREATE TRIGGER t AFTER INSERT ON waiting BEGIN DELETE FROM waiting; END")
    else:
        spool = Spool(path)
        fill(spool, range(50), "x" * 300)
        spool.close()
        content = bytearray(path.read_bytes())
        content[1024 * (what == "a damaged page") : 8192] = b"\xff" * (8192 - 1024 * (what == "a damaged page"))
        path.write_bytes(content)
    before = path.read_bytes()
    told: list[str] = []
    spool = Spool(path, say=told.append)
    fill(spool, range(3))
    assert drained(spool)[-3:] == [0, 1, 2]
    spool.close()
    (aside,) = path.parent.glob("of.spool.damaged-*")
    assert aside.read_bytes() == before
    assert len([line for line in told if f"moved to {aside.name}" in line]) == 1
    assert all(str(path) in line for line in told)


ROWS = {
    "the largest number": "INSERT INTO waiting VALUES (9223372036854775807, '{\"number\": 1}')",
    "the smallest number": "INSERT INTO waiting VALUES (-9223372036854775808, '{\"number\": 1}')",
    "zero": "INSERT INTO waiting VALUES (0, '{\"number\": 1}')",
    "bytes": "INSERT INTO waiting VALUES (1, x'00ff')",
    "a large one": "INSERT INTO waiting VALUES (1, PRINTF('%05000000d', 1))",
}
RECORDS = {
    "no JSON": "'{'",
    "a list": "'[1]'",
    "a number": "'1'",
    "not a number": "'{\"number\": NaN}'",
    "infinite": "'{\"number\": 1e999}'",
    "deep": "'" + "[" * 100_000 + "'",
    "not UTF-8": "CAST(x'7bff' AS TEXT)",
    "empty": "''",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_that_no_run_wrote_is_removed(path, row):
    """The removal is reported; appended records get valid numbers and come out in order."""
    path.parent.mkdir()
    database(path, OF_A_SPOOL, row)
    told: list[str] = []
    spool = Spool(path, say=told.append)
    assert spool.waiting == 0
    fill(spool, range(3))
    assert drained(spool) == [0, 1, 2]
    spool.close()
    assert told == [f"{path}: 1 records that edgecls did not write were removed"]


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_that_cannot_be_read_is_lost_alone(path, record):
    """It is counted and reported; those before and after it are delivered."""
    path.parent.mkdir()
    database(path, OF_A_SPOOL, "INSERT INTO waiting VALUES (1, '{\"number\": 7}')", f"INSERT INTO waiting VALUES (2, {record})")  # noqa: S608
    told: list[str] = []
    spool = Spool(path, say=told.append)
    fill(spool, range(2))
    assert drained(spool) == [7, 0, 1]
    assert (spool.lost, spool.waiting) == (1, 0)
    assert len(told) == 1
    assert f"{path}: an event was lost because it is damaged" in told[0]
    spool.close()


def test_only_the_owner_may_read_it(path, monkeypatch):
    """Its folder, file and log, unless EDGECLS_MODE is set."""
    for mode, file, folder in ((None, 0o600, 0o700), ("0640", 0o640, 0o750)):
        if mode:
            monkeypatch.setenv("EDGECLS_MODE", mode)
        spool = Spool(path.parent / str(mode) / path.name)
        fill(spool, range(3))
        found = {one.name: stat.S_IMODE(one.stat().st_mode) for one in spool.path.parent.iterdir()}
        assert found == {"of.spool": file, "of.spool-wal": file}
        assert stat.S_IMODE(spool.path.parent.stat().st_mode) == folder
        spool.close()


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    """If a file has the folder's name, the error shows the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"of\.spool: cannot be opened"):
        Spool(tmp_path / "file" / "of.spool")


def test_when_it_is_full_the_oldest_records_are_dropped(path):
    """They are counted, and reported once. A record that is being delivered is kept."""
    told: list[str] = []
    spool = Spool(path, most_bytes=10_000, say=told.append)
    fill(spool, range(20), "x" * 100)
    assert spool.peek()["number"] == 0
    fill(spool, range(20, 400), "x" * 100)
    assert told == [f"{path}: is full (10,000 bytes); the oldest events are dropped"]
    waiting, lost = spool.waiting, spool.lost
    assert waiting + lost == 400
    assert 70 < waiting < 85
    numbers = drained(spool)
    assert numbers == [0, *range(400 - waiting + 1, 400)]
    fill(spool, range(400, 800), "x" * 100)
    assert len(told) == 2  # it had been empty in between
    spool.close()


@pytest.fixture
def small_disk(tmp_path):
    """Return a disk of 400 kB with nothing else on it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here ({done.stderr.strip() or 'mount failed'})")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_loses_nothing_that_is_delivered(small_disk, monkeypatch):
    """Meanwhile, records wait in memory and are delivered in order; failure and recovery are reported once each."""
    monkeypatch.setattr(spool_module, "RECOVERED_AFTER_S", 0.0)
    told: list[str] = []
    (small_disk / "other").write_bytes(b"\0" * 250_000)
    spool = Spool(small_disk / "of.spool", say=told.append)
    fill(spool, range(800), "x" * 200)
    assert len(told) == 1
    assert "cannot be written (database or disk is full)" in told[0] or "disk I/O error" in told[0]
    assert drained(spool, 500) == list(range(500))
    (small_disk / "other").unlink()
    spool.sync()
    fill(spool, range(800, 850), "x" * 200)
    assert told[1:] == [f"{small_disk / 'of.spool'}: can be written again; 0 events were lost"]
    assert drained(spool) == list(range(500, 850))
    spool.close()


def test_losses_on_a_full_disk_are_counted(small_disk):
    """If nothing is delivered while the disk is full, the oldest records in memory are dropped; those on disk are kept."""
    told: list[str] = []
    (small_disk / "other").write_bytes(b"\0" * 250_000)
    spool = Spool(small_disk / "of.spool", say=told.append)
    fill(spool, range(3000), "x" * 200)
    assert spool.waiting + spool.lost == 3000
    assert spool.lost > 1000
    in_memory = spool.waiting
    spool.close()
    assert "1000 events could not be written and are lost" in told[-1]
    (small_disk / "other").unlink()
    again = Spool(small_disk / "of.spool")
    assert again.waiting == in_memory - 1000
    assert drained(again) == list(range(in_memory - 1000))
    again.close()


def test_the_log_does_not_grow_for_ever(path, monkeypatch):
    """`sync` merges a long log into the table, whose space is reused: a million events need no more than a few."""
    monkeypatch.setattr(spool_module, "LARGEST_LOG", 200_000)
    spool = Spool(path)
    for _ in range(10):
        fill(spool, range(200), "x" * 200)
        assert len(drained(spool)) == 200
        spool.sync()
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 600_000
    spool.close()


def test_it_can_be_filled_while_it_is_emptied(path):
    """Two threads, one at each end, neither lose nor reorder records."""
    spool = Spool(path)
    filler = threading.Thread(target=fill, args=(spool, range(2000)))
    filler.start()
    numbers: list[int] = []
    end = time.monotonic() + 60
    while len(numbers) < 2000 and time.monotonic() < end:
        numbers += drained(spool, 100)
        spool.sync()
    filler.join()
    assert numbers == list(range(2000))
    spool.close()


def test_records_are_flushed_once(path, monkeypatch):
    """`sync` flushes waiting records, and does nothing if none are new or none wait."""
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    spool = Spool(path)
    spool.sync()
    fill(spool, range(3))
    spool.sync()
    spool.sync()
    assert len(flushed) == 1
    fill(spool, range(3))
    drained(spool)
    spool.sync()
    assert len(flushed) == 1
    spool.close()


class Broken:
    """Replaces a table whose disk fails, for everything or only for writes."""

    def __init__(self, table: SpoolTable, error: Exception, *fails: str) -> None:
        self._table, self._error, self._fails = table, error, fails

    def __getattr__(self, name: str):
        def fail(*_: object) -> None:
            raise self._error

        return fail if name in self._fails else getattr(self._table, name)


READS, WRITES = ("first_after", "numbers"), ("add", "remove", "remove_up_to", "shorten_log")


@pytest.fixture
def broken_disk(monkeypatch):
    """Return a function: its first call makes the disk of a spool fail, and the second lets it work again."""
    opened = spool_module.SpoolTable
    monkeypatch.setattr(spool_module, "REOPEN_EVERY_S", 0.0)
    monkeypatch.setattr(spool_module, "RECOVERED_AFTER_S", 0.0)

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def switch(spool: Spool, *, fails: bool) -> None:
        monkeypatch.setattr(spool_module, "SpoolTable", fail if fails else opened)
        if fails:
            spool._table = Broken(spool._table, sqlite3.OperationalError("disk I/O error"), *READS, *WRITES)

    return switch


def test_a_disk_that_fails_costs_no_event(path, broken_disk):
    """Records on disk and new ones are delivered from memory, in order; delivered ones are not delivered again."""
    told: list[str] = []
    spool = Spool(path, say=told.append)
    fill(spool, range(10))
    assert drained(spool, 2) == [0, 1]
    broken_disk(spool, fails=True)
    fill(spool, range(10, 20))
    assert drained(spool, 13) == list(range(2, 15))
    broken_disk(spool, fails=False)
    fill(spool, range(20, 25))
    assert drained(spool, 2) == [15, 16]
    spool.close()
    again = Spool(path, say=told.append)
    assert drained(again) == list(range(17, 25))
    assert (spool.lost, again.lost) == (0, 0)
    again.close()
    assert [line.partition("(")[0].strip() for line in told] == [
        f"{path}: cannot be written",
        f"{path}: can be written again; 0 events were lost",
    ]


def test_losses_on_a_broken_disk_are_counted(path, broken_disk):
    """Those beyond the limit in memory, and those left when the run ends."""
    told: list[str] = []
    spool = Spool(path, say=told.append)
    broken_disk(spool, fails=True)
    fill(spool, range(1500))
    assert (spool.waiting, spool.lost) == (1000, 500)
    assert drained(spool, 400) == list(range(500, 900))
    spool.close()
    assert spool.lost == 500 + 600
    assert len(told) == 2
    assert "600 events could not be written and are lost" in told[1]


def test_another_disk_in_its_place_gets_what_is_in_memory(path, broken_disk):
    """As when a USB stick is replaced: no waiting record is lost."""
    spool = Spool(path)
    fill(spool, range(10))
    broken_disk(spool, fails=True)
    assert drained(spool, 3) == [0, 1, 2]
    for file in path.parent.iterdir():
        file.unlink()
    broken_disk(spool, fails=False)
    fill(spool, range(10, 12))
    spool.close()
    again = Spool(path)
    assert drained(again) == list(range(3, 12))
    assert spool.lost == 0
    again.close()


def test_an_unstable_disk_is_reported_once(path, monkeypatch):
    """A disk that rejects every second record is reported when this begins, and when it has worked for a while."""
    now = [1000.0]
    monkeypatch.setattr(spool_module.time, "monotonic", lambda: now[0])
    told: list[str] = []
    spool = Spool(path, say=told.append)
    table = spool._table
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    for number in range(100):
        spool._table = Broken(table, full, "add") if number % 2 else table
        fill(spool, range(number, number + 1))
        now[0] += 1
    assert len(told) == 1
    spool._table = table
    for number in range(100, 140):
        fill(spool, range(number, number + 1))
        now[0] += 1
    assert told[1:] == [f"{path}: can be written again; 0 events were lost"]
    assert drained(spool) == list(range(140))
    spool.close()


def test_a_file_that_is_damaged_during_a_run_is_moved_aside(path):
    """Records in memory are delivered, and are written to a new file."""
    told: list[str] = []
    spool = Spool(path, say=told.append)
    fill(spool, range(5))
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    spool._table = Broken(spool._table, error, *READS)
    assert drained(spool, 2) == [0, 1]
    spool.close()
    again = Spool(path)
    assert drained(again) == [2, 3, 4]
    again.close()
    assert len(list(path.parent.glob("of.spool.damaged-*"))) >= 1
    assert "is damaged" in told[0]
