"""Tests of events in a database."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edgecls import ConfigError, SinkError, StateChange
from edgecls.event import Moment
from edgecls.sink import SqliteSink, open_sink, sqlite
from tests.conftest import ROOT
from tests.run.world import event

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path) -> Path:
    """Return the path of the database."""
    return tmp_path / "events.db"


def queried(path: Path, question: str) -> list[tuple[Any, ...]]:
    """Return the result of a query."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(question).fetchall()


def test_an_event_is_inserted_and_then_completed(path):
    """The beginning inserts a row without an end; the end completes the same row."""
    with SqliteSink(path) as sink:
        sink.write_event(event(3, ended=False, label="van", score=0.5))
        assert queried(path, 'SELECT id, label, "end", duration_s FROM events') == [(event(3).id, "van", None, None)]
        sink.write_event(event(3, counts={"car": 2}, occupancy=0.5))
    ((*values, written_at, occupancy, file),) = queried(path, "SELECT * FROM events")
    assert (occupancy, file) == (0.5, "")
    assert values == [
        *(event(3).id, "crossing", "gate", "entry", "car", 0.98, 1763823790.0, 1763823790.5, 0.5, 3, "in"),
        *(json.dumps({"car": 2}), "street", 75, 3.0, 87, 3.5),
    ]
    assert abs(written_at - time.time()) < 60


def test_duplicates_change_nothing(path):
    """A second delivery, even of the beginning after the end, leaves the row unchanged; states likewise."""
    change = StateChange("gate", "lost", "cut", 12.345)
    with SqliteSink(path) as sink:
        for one in (event(0, ended=False), event(0)):
            sink.write_event(one)
        sink.write_state(change)
        before = queried(path, "SELECT * FROM events")
        for one in (event(0, ended=False, label="x"), event(0, label="y"), event(0)):
            sink.write_event(one)
        sink.write_state(change)
    assert queried(path, "SELECT * FROM events") == before
    assert queried(path, "SELECT * FROM states") == [("gate", 12.345, "lost", "cut")]


def test_times_in_a_file_are_media_time(path):
    """Without wall clock times, start and end are seconds from the beginning of the video."""
    one = event(2)
    with SqliteSink(path) as sink:
        sink.write_event(replace(one, start=one.start._replace(at_s=None), end=one.end._replace(at_s=None)))
    assert queried(path, 'SELECT start, "end" FROM events') == [(2.0, 2.5)]


def test_usual_queries_use_an_index(path):
    """By camera and time, by label and time, and by age: none scans the whole table."""
    SqliteSink(path).close()
    for where in ("camera = 'a' AND start > 5", "label = 'a' AND start > 5", "written_at < 5", "id = 'a'"):
        plan = " ".join(row[3] for row in queried(path, f"EXPLAIN QUERY PLAN SELECT * FROM events WHERE {where}"))  # noqa: S608
        assert "USING INDEX" in plan, plan


def test_it_can_be_read_while_it_is_written(path):
    """Another program sees each event at once, without waiting."""
    with SqliteSink(path) as sink, closing(sqlite3.connect(path, timeout=0)) as reader:
        for i in range(5):
            sink.write_event(event(i))
            assert reader.execute("SELECT COUNT(*) FROM events").fetchone() == (i + 1,)
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_it_may_be_used_from_another_thread(path):
    """The thread that writes need not be the one that opened it."""
    sink = SqliteSink(path)
    writer = threading.Thread(target=lambda: (sink.write_event(event()), sink.close()))
    writer.start()
    writer.join()
    assert queried(path, "SELECT COUNT(*) FROM events") == [(1,)]


def test_old_rows_are_deleted(path, monkeypatch):
    """With `keep_days`, old rows are deleted when it is opened and once per hour; without it, none are."""
    now = time.time()
    monkeypatch.setattr(sqlite.time, "time", lambda: now - 10 * 86_400)
    with SqliteSink(path) as sink:
        sink.write_event(event(0))
        sink.write_state(StateChange("gate", "live", "", now - 10 * 86_400))
    monkeypatch.setattr(sqlite.time, "time", lambda: now)
    with SqliteSink(path) as sink:
        sink.write_event(event(1))
    assert queried(path, "SELECT COUNT(*) FROM events") == [(2,)]
    with SqliteSink(path, keep_days=7) as sink:
        assert queried(path, "SELECT id FROM events") == [(event(1).id,)]
        assert queried(path, "SELECT * FROM states") == []
        monkeypatch.setattr(sqlite.time, "time", lambda: now + 8 * 86_400)
        sink.write_event(event(2))
        assert queried(path, "SELECT COUNT(*) FROM events") == [(2,)]  # not each time
        sink._pruned_at -= 3601
        sink.write_event(event(3))
    assert queried(path, "SELECT id FROM events ORDER BY start") == [(event(2).id,), (event(3).id,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("?keep_days=soon", "keep_days must be a number, not 'soon'"),
        ("?keep_days=0", "keep_days must be more than 0, not 0.0"),
        ("?keep_days=nan", "keep_days must be a finite number, not nan"),
        ("?keep=3", r"unknown setting keep; did you mean keep_days\?"),
    ],
)
def test_a_wrong_option_is_named(path, text, message):
    """The error names the option, what was expected and what was found."""
    with pytest.raises(ConfigError, match=message):
        open_sink(f"sqlite:{path}{text}")


def test_a_newer_schema_is_refused(path):
    """A file of a newer edgecls stays unchanged; the error says what to do."""
    SqliteSink(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=9")
    with pytest.raises(
        SinkError,
        match=r"events\.db: was written by a newer edgecls \(schema 9, expected 3 or less\); update edgecls, or name another",
    ):
        SqliteSink(path)


def test_an_older_schema_is_upgraded(path, monkeypatch):
    """Missing migrations are applied one by one, and the rows are kept."""
    with SqliteSink(path) as sink:
        sink.write_event(event())
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, "ALTER TABLE events ADD COLUMN clip TEXT;"))
    with SqliteSink(path) as sink:
        sink.write_event(event(1))
    assert queried(path, "PRAGMA user_version") == [(4,)]
    assert queried(path, "SELECT clip FROM events") == [(None,), (None,)]


def test_a_file_with_the_first_schema_is_upgraded(path, monkeypatch):
    """Its rows have no file and no occupancy; new ones do."""
    with monkeypatch.context() as before, closing(sqlite3.connect(path)) as db:
        before.setattr(sqlite, "MIGRATIONS", sqlite.MIGRATIONS[:1])
        sqlite._prepare(db, path)
        db.execute(
            "INSERT INTO events VALUES ('a', 'state', 'gate', 'frame', 'open', 1, 0, 1, 1, NULL, '', '{}', 'm', 0, 0, 1, 1, 0)"
        )
        db.commit()
    with SqliteSink(path) as sink:
        sink.write_event(replace(event(1), start=Moment(25, 1.0, file="night.mp4"), occupancy=2.0))
    assert queried(path, "SELECT file, occupancy FROM events ORDER BY written_at") == [("", None), ("night.mp4", 2.0)]


def test_a_migration_that_fails_leaves_the_old_schema(path, monkeypatch):
    """A migration is applied completely or not at all."""
    SqliteSink(path).close()
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, "CREATE TABLE more (a); CREATE TABLE events (a);"))
    with pytest.raises(SinkError, match="table events already exists"):
        SqliteSink(path)
    assert queried(path, "PRAGMA user_version") == [(3,)]
    assert queried(path, "SELECT name FROM sqlite_master WHERE name = 'more'") == []


def test_another_programs_file_is_left_alone(path, tmp_path):
    """A database of another program, or a file that is no database, is an error and stays unchanged."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE customers (name)")
    with pytest.raises(SinkError, match=r"events\.db: is the database of another program; name another file"):
        SqliteSink(path)
    assert queried(path, "SELECT name FROM sqlite_master") == [("customers",)]
    (tmp_path / "text.db").write_text("no database at all, but long enough to look like one\n" * 50)
    with pytest.raises(SinkError, match=r"text\.db: cannot be written \(file is not a database\)"):
        SqliteSink(tmp_path / "text.db")


def test_a_locked_database_is_an_error_of_the_sink(path, monkeypatch):
    """If another program locks it for longer than the wait, the event is not written; afterwards it is."""
    monkeypatch.setattr(sqlite, "BUSY_WAIT_S", 0.05)
    with SqliteSink(path) as sink:
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(SinkError, match=r"events\.db: cannot be written \(database is locked\)"):
                sink.write_event(event())
        sink.write_event(event())
    assert queried(path, "SELECT COUNT(*) FROM events") == [(1,)]


def write_until_it_fails(sink: SqliteSink) -> None:
    """Write one event after another until that fails."""
    for number in range(1_000_000):
        sink.write_event(event(number))


def test_a_full_disk_leaves_whole_events(path):
    """An event that does not fit is an error and not stored; once there is room, it is."""
    with SqliteSink(path) as sink:
        (pages,) = sink._db.execute("PRAGMA page_count").fetchone()
        sink._db.execute(f"PRAGMA max_page_count={pages + 3}")
        with pytest.raises(SinkError, match=r"cannot be written \(database or disk is full\)"):
            write_until_it_fails(sink)
        ((number,),) = queried(path, "SELECT COUNT(*) FROM events")
        assert number > 0
        sink._db.execute("PRAGMA max_page_count=100000")
        sink.write_event(event(number))
    assert queried(path, "SELECT COUNT(*) FROM events") == [(number + 1,)]
    assert queried(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("name", ["Größe, 停", "caf\udce9", "'; DROP TABLE events; --", ""])
def test_any_name_is_a_value(path, name):
    """Any name is stored; text that is not Unicode is escaped."""
    with SqliteSink(path) as sink:
        sink.write_event(event(camera=name))
    assert queried(path, "SELECT camera FROM events") == [(name.encode("utf-8", "backslashreplace").decode(),)]


CHILD = """
import sys
from edgecls.sink import SqliteSink
from tests.run.world import event
sink = SqliteSink(sys.argv[1])
for i in range(100_000):
    sink.write_event(event(i, ended=False))
    sink.write_event(event(i))
    print(i, flush=True)
"""


def test_a_kill_leaves_whole_events(path):
    """After each of three kill -9 under load, the file is intact and contains every event that was written."""
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", CHILD, path], stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
            for line in child.stdout:
                if int(line) >= 50:
                    break
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().splitlines(keepends=True)
        written = max([50, *(int(line) for line in rest if line.endswith("\n"))])
        assert queried(path, "PRAGMA integrity_check") == [("ok",)]
        ids = {row[0] for row in queried(path, 'SELECT id FROM events WHERE "end" = start + 0.5 AND duration_s = 0.5')}
        assert {event(i).id for i in range(written + 1)} <= ids
        assert queried(path, 'SELECT COUNT(*) FROM events WHERE "end" IS NULL')[0][0] <= 1
    with SqliteSink(path) as sink:
        sink.write_event(event(100_001))


@pytest.mark.parametrize("how", ["a damaged page", "a damaged schema", "zeros"])
def test_a_damaged_database_is_moved_aside(path, how):
    """It is renamed and reported in one line, and the run continues with a new one."""
    with SqliteSink(path) as sink:
        for number in range(50):
            sink.write_event(event(number))
    content = bytearray(path.read_bytes())
    if how == "zeros":
        content[:] = bytes(len(content))
    elif how == "a damaged page":
        content[100:4096] = b"\xff" * 3996
    else:
        content = content.replace(b"CREATE TABLE", b"CREATE TABEL")
    path.write_bytes(content)
    told: list[str] = []
    with SqliteSink(path, say=told.append) as sink:
        sink.write_event(event(1))
    assert queried(path, "SELECT id FROM events") == [(event(1).id,)]
    (aside,) = path.parent.glob("events.db.damaged-*")
    assert len(told) == 1
    assert f"moved to {aside.name}, and a new one created" in told[0]


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_missing_database_is_recreated(path, how):
    """After it is removed or renamed during a run, the next write creates a new one."""
    with SqliteSink(path) as sink:
        sink.write_event(event(0))
        if how == "removed":
            path.unlink()
        else:
            path.rename(path.with_name("old.db"))
        for number in range(1, 4):
            with suppress(SinkError):  # its buffer would try again
                sink.write_event(event(number))
    assert {event(2).id, event(3).id} <= {one for (one,) in queried(path, "SELECT id FROM events")}


def test_only_the_owner_may_read_it(path, monkeypatch):
    """And its log, unless EDGECLS_MODE is set; an existing file keeps its mode."""
    for name, mode, expected in (("a.db", None, 0o600), ("b.db", "0640", 0o640), ("a.db", "0644", 0o600)):
        if mode:
            monkeypatch.setenv("EDGECLS_MODE", mode)
        with SqliteSink(path.with_name(name)) as sink:
            sink.write_event(event(0))
            found = {stat.S_IMODE(one.stat().st_mode) for one in path.parent.glob(f"{name}*")}
        assert found == {expected}
