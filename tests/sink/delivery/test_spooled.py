"""Tests of the buffer before a sink: it never delays the run, loses nothing, and ends properly."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edgecls import BusyError, RefusedError, SinkError, StateChange
from edgecls.sink import Backlog, ListSink, Spool, Spooled
from edgecls.sink.delivery import spooled
from tests.conftest import ROOT
from tests.run.world import assert_only_main_thread, event, frame, result
from tests.sink.fakes import Blocking, Rough

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.sink import Sink

DOWN = SinkError("nobody answers")


@pytest.fixture
def told() -> list[str]:
    """Return the list of messages."""
    return []


@pytest.fixture
def behind(tmp_path, told, monkeypatch) -> Callable[..., object]:
    """Put a buffer before a sink, for a `with` block; the first wait after a failure is 10 ms."""
    monkeypatch.setattr(spooled, "FIRST_WAIT_S", 0.01)

    @contextmanager
    def make(sink: Sink, **options: object) -> Iterator[Spooled]:
        with Spooled(sink, Spool(tmp_path / "of.spool", say=told.append), name="x", say=told.append, **options) as buffer:
            yield buffer

    return make


def soon(true: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.002)


def test_everything_arrives_in_order_from_one_thread(behind):
    """States and events reach the sink in order, written and closed by one named thread."""
    sink = Rough()
    change = StateChange("gate", "lost", "cut", 12.345)
    with behind(sink) as buffer:
        for i in range(20):
            buffer.write_event(event(i, ended=False))
            buffer.write_event(event(i))
        buffer.write_state(change)
        soon(lambda: len(sink.changes) == 1)
    assert sink.events == [event(i, ended=ended) for i in range(20) for ended in (False, True)]
    assert sink.changes == [change]
    assert sink.written_by == {"write x"}
    assert sink.closed_by == ["write x"]
    assert buffer.backlog == Backlog(0, 0, 0)


def test_a_sink_that_blocks_does_not_delay_the_run(behind):
    """While it blocks, writes take almost no time, however many there are."""
    sink = Blocking()
    results, slowest_s = [result(frame(i)) for i in range(50)], 0.0
    with behind(sink) as buffer:
        buffer.write_event(event())
        assert sink.entered.wait(10)
        for i, one in enumerate(results):
            began = time.perf_counter()
            buffer.write(one)
            buffer.write_event(event(i))
            slowest_s = max(slowest_s, time.perf_counter() - began)
        sink.go.set()
        soon(lambda: len(sink.events) == 51)
    assert slowest_s < 0.2  # for a busy machine; the median is some 20 us
    assert buffer.backlog == Backlog(0, 0, 0)


def test_while_a_sink_blocks_all_events_wait(behind):
    """The backlog counts the one being delivered and those after it; later they are delivered in order."""
    sink = Blocking()
    with behind(sink) as buffer:
        buffer.write_event(event(0))
        assert sink.entered.wait(10)
        for i in range(1, 10):
            buffer.write_event(event(i))
        assert buffer.backlog == Backlog(waiting=10)
        sink.go.set()
        soon(lambda: len(sink.events) == 10)
    assert sink.events == [event(i) for i in range(10)]


def test_results_are_not_for_such_sinks(behind):
    """Results are ignored and not counted as lost."""
    sink = ListSink()
    with behind(sink) as buffer:
        buffer.write(result(frame()))
    assert sink.results == []
    assert buffer.backlog == Backlog(0, 0, 0)


def test_a_failure_and_the_recovery_are_reported_once(behind, told, tmp_path):
    """An event is retried until it is delivered. The same failure is reported once, and so is the recovery."""
    sink = Rough(*[DOWN] * 5)
    with behind(sink) as buffer:
        for i in range(3):
            buffer.write_event(event(i))
        soon(lambda: len(sink.events) == 3)
    assert sink.events == [event(i) for i in range(3)]
    assert sink.tries == 8
    assert told == [
        f"nobody answers; events are kept in {tmp_path / 'of.spool'} and tried again",
        "x: works again, 2 events waiting, 0 lost",
    ]


def test_why_nothing_is_delivered_can_be_asked(behind):
    """The latest reason while it lasts, and nothing before and after."""
    sink = Rough(*[DOWN] * 8)
    with behind(sink) as buffer:
        assert buffer.trouble == ""
        buffer.write_event(event())
        soon(lambda: buffer.trouble == "nobody answers")
        soon(lambda: sink.events != [])
        soon(lambda: buffer.trouble == "")


def test_another_failure_is_reported_too(behind, told):
    """When the reason changes, the new one is reported."""
    sink = Rough(DOWN, DOWN, SinkError("wrong password"), SinkError("wrong password"))
    with behind(sink) as buffer:
        buffer.write_event(event())
        soon(lambda: sink.events != [])
    assert [line.split(";")[0] for line in told] == [
        "nobody answers",
        "wrong password",
        "x: works again, 0 events waiting, 0 lost",
    ]


def test_waits_double_up_to_the_longest(monkeypatch, tmp_path):
    """From the first to the longest, each reduced at random by up to a half; a success resets them."""
    monkeypatch.setattr(spooled, "FIRST_WAIT_S", 0.5)
    rng = random.Random(1)  # noqa: S311 - it keeps no secret
    with Spooled(ListSink(), Spool(tmp_path / "of.spool"), name="x", rng=rng) as buffer:
        waits = []
        for _ in range(10):
            buffer._fail("down")
            waits.append(buffer._retry_at - time.monotonic())
        for i, wait_s in enumerate(waits):
            full_s = min(0.5 * 2**i, spooled.LONGEST_WAIT_S)
            assert full_s / 2 - 0.1 <= wait_s <= full_s
        buffer._recover()
        buffer._fail("down")
        assert buffer._retry_at - time.monotonic() <= 0.5


def test_a_wait_that_the_sink_asks_for_is_kept(behind):
    """A BusyError sets the wait if it is longer than the usual one; `close` does not retry before it is over."""
    sink = Rough(BusyError("later", 0.3))
    with behind(sink) as buffer:
        began = time.monotonic()
        buffer.write_event(event())
        soon(lambda: sink.events != [])
        assert time.monotonic() - began >= 0.3
    sink = Rough(BusyError("later", 60))
    with behind(sink) as buffer:
        buffer.write_event(event())
        soon(lambda: sink.tries == 1)
    assert sink.tries == 1
    assert buffer.backlog.waiting == 1


@pytest.mark.parametrize("error", [RefusedError("410 Gone"), ValueError("a fault")])
def test_events_that_cannot_be_delivered_are_discarded(behind, told, error):
    """If the sink refuses an event for good, or has a bug, the event is counted, reported and not retried."""
    sink = Rough(error)
    with behind(sink) as buffer:
        buffer.write_event(event(0))
        buffer.write_event(event(1))
        soon(lambda: sink.events != [])
    assert sink.events == [event(1)]
    assert buffer.lost == 1
    why = "410 Gone" if isinstance(error, RefusedError) else "x: ValueError: a fault"
    assert told[0] == f"{why}; discarded: 1 event"


def test_an_unreadable_record_does_not_block_others(behind, tmp_path, told):
    """A record of another version that cannot be read is discarded, and those after it are delivered."""
    spool = Spool(tmp_path / "of.spool")
    spool.append({"event": "from the future"})
    spool.close()
    sink = ListSink()
    with behind(sink) as buffer:
        buffer.write_event(event())
        soon(lambda: sink.events != [])
    assert buffer.lost == 1
    assert told[0].startswith("x: KeyError: 'kind'; discarded: 1 event")


def test_what_was_not_delivered_is_delivered_by_the_next_run(behind, told):
    """With a dead sink, `close` ends at once and reports how many events wait; the next buffer on that spool delivers them
    first.
    """
    with behind(Rough(then=DOWN)) as buffer:
        for i in range(4):
            buffer.write_event(event(i))
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert "x: 4 events not delivered yet; the next run with this sink delivers what waits in" in told[-1]
    sink = ListSink()
    with behind(sink) as buffer:
        buffer.write_event(event(4))
        soon(lambda: len(sink.events) == 5)
    assert sink.events == [event(i) for i in range(5)]


def test_two_alternating_reasons_are_reported_once_each(behind, told):
    """SQLite has several reasons for one failing disk."""
    sink = Rough(*[SinkError("e.db: disk I/O error"), SinkError("e.db: unable to open")] * 3)
    with behind(sink) as buffered:
        buffered.write_event(event())
        soon(lambda: sink.events != [])
    assert [line.partition(";")[0] for line in told[:2]] == ["e.db: disk I/O error", "e.db: unable to open"]
    assert len(told) == 3


def test_waiting_events_are_retried_once_at_close(behind):
    """A sink that works again just before the end gets them, even if the wait was not over."""
    sink = Rough(*[DOWN] * 3)
    with behind(sink) as buffer:
        buffer.write_event(event())
        buffer.write_event(event(1))
        soon(lambda: sink.tries == 3)
    assert sink.events == [event(), event(1)]


def test_close_delivers_for_a_limited_time(behind, told):
    """A slow sink gets what fits into the time; the rest stays."""

    class Slow(ListSink):
        def write_event(self, one) -> None:
            time.sleep(0.05)
            super().write_event(one)

    sink = Slow()
    with behind(sink, close_wait_s=0.5) as buffer:
        for i in range(100):
            buffer.write_event(event(i))
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert 1 <= len(sink.events) < 30
    assert buffer.backlog.waiting == 100 - len(sink.events)
    assert sink.closed == 1


def test_four_endings_the_end(behind):
    """At the end everything is delivered, the sink is closed, and only the main thread is left."""
    sink = ListSink()
    with behind(sink) as buffer:
        buffer.write_event(event())
    assert (sink.events, sink.closed) == ([event()], 1)
    assert_only_main_thread()


def test_four_endings_an_error_inside(behind, told):
    """If a sink fails even when it is closed, this is reported, not raised."""

    class Broken(Rough):
        def close(self) -> None:
            raise SinkError("cannot be closed either")

    with behind(Broken(then=DOWN)) as buffer:
        buffer.write_event(event())
    assert "x: cannot be closed (cannot be closed either)" in told
    assert_only_main_thread()


def test_four_endings_the_caller_leaves_early(behind):
    """An error in the block is raised unchanged, and a blocked sink is stopped."""
    sink = Blocking()

    def leave():
        with behind(sink, close_wait_s=0.1) as buffer:
            buffer.write_event(event())
            assert sink.entered.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert sink.closed == 1
    assert_only_main_thread()


def test_four_endings_close_twice(behind):
    """The second close does nothing; later writes are errors, because they would be lost."""
    sink = ListSink()
    with behind(sink) as buffer:
        buffer.close()
        buffer.close()
        with pytest.raises(SinkError, match="x: is closed"):
            buffer.write_event(event())
    assert sink.closed == 1
    assert_only_main_thread()


def test_a_sink_that_cannot_be_stopped_does_not_hang_the_run(behind, monkeypatch):
    """`close` returns in time; the thread ends when the sink does, and closes it then."""
    monkeypatch.setattr(spooled, "STOP_WAIT_S", 0.1)
    sink = Blocking(can_stop=False)
    with behind(sink, close_wait_s=0.1) as buffer:
        buffer.write_event(event())
        assert sink.entered.wait(10)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert sink.closed == 0
    sink.go.set()
    soon(lambda: threading.active_count() == 1)
    assert sink.closed == 1


@pytest.mark.parametrize("place", ["_deliver_one", "_sync", "_goes_on"])
def test_a_bug_in_the_thread_is_reported_and_the_sink_goes_on(behind, told, monkeypatch, place):
    """Wherever it is: once, like any other failure; the event waits, and is delivered when it works again."""
    sink, tries = ListSink(), []
    with behind(sink) as buffer:
        right = getattr(buffer, place)

        def wrong():
            tries.append(1)
            return right() if len(tries) > 3 else 1 / 0

        monkeypatch.setattr(buffer, place, wrong)
        buffer.write_event(event())
        soon(lambda: sink.events and len(tries) > 3)
        assert sink.closed == 0
    assert sum("x: ZeroDivisionError: division by zero; events are kept in" in line for line in told) == 1


def test_a_bug_in_the_thread_does_not_hang_the_end(behind, told, monkeypatch):
    """What waits is kept for the next run."""
    sink = ListSink()
    with behind(sink) as buffer:
        monkeypatch.setattr(buffer, "_deliver_one", lambda: 1 / 0)
        buffer.write_event(event())
        soon(lambda: told)
    assert sink.closed == 1
    assert any("1 event not delivered yet" in line for line in told)


CHILD = """
import sys, time
from pathlib import Path
from edgecls.sink import ListSink, Spool, Spooled
from tests.run.world import event

class Slow(ListSink):
    def write_event(self, one):
        time.sleep(0.003)
        with Path(sys.argv[2]).open("a") as file:
            file.write(f"{one.start.frame}\\n")

buffer = Spooled(Slow(), Spool(sys.argv[1]), name="slow")
for i in range(100_000):
    buffer.write_event(event(i))
    print(i, flush=True)
    time.sleep(0.001)
"""


def test_a_kill_loses_no_event(tmp_path):
    """After kill -9 under load, the next run delivers the rest: all in order, and at most one event twice."""
    spool, delivered = tmp_path / "of.spool", tmp_path / "delivered"
    command = [sys.executable, "-c", CHILD, spool, delivered]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        for line in child.stdout:
            if int(line) >= 300:
                break
        child.send_signal(signal.SIGKILL)
        taken = max([300, *(int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n"))])
    first = [int(line) // 25 for line in delivered.read_text().split()]
    sink = ListSink()
    with Spooled(sink, Spool(spool), name="again", close_wait_s=60):
        pass
    second = [one.start.frame // 25 for one in sink.events]
    assert first == list(range(len(first)))
    assert second[0] in (len(first) - 1, len(first))
    assert second == list(range(second[0], second[-1] + 1))
    assert second[-1] >= taken


def test_a_full_disk_does_not_stop_the_run(behind, told, monkeypatch):
    """If the disk is full, events reach the sink through memory, and none is lost."""
    sink = Rough(*[DOWN] * 3)
    with behind(sink) as buffer:
        buffer._spool._table._db.execute("PRAGMA max_page_count=1")
        for i in range(100):
            buffer.write_event(event(i))
        soon(lambda: len(sink.events) == 100)
    assert sink.events == [event(i) for i in range(100)]
    assert buffer.lost == 0
    assert sum("cannot be written (database or disk is full)" in line for line in told) == 1


def test_waiting_events_are_flushed(behind, monkeypatch):
    """While the sink is dead, they are flushed to disk about once a second, not at each event."""
    monkeypatch.setattr(spooled, "SYNC_EVERY_S", 0.05)
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    monkeypatch.setattr(spooled, "FIRST_WAIT_S", 0.4)
    with behind(Rough(then=DOWN)) as buffer:
        for i in range(100):
            buffer.write_event(event(i))
            time.sleep(0.002)
        soon(lambda: len(flushed) >= 2)
    assert len(flushed) < 30


def test_done_is_that_of_the_sink(behind):
    """A sink that is done says so through the buffer."""

    class Enough(ListSink):
        done = True

    with behind(Enough()) as buffer:
        assert buffer.done


def test_a_sink_is_replaced_while_events_come(behind, told):
    """The old one gets the earlier events, the new one the later ones, in order and without loss; one thread closes both."""
    one, other = Rough(), Rough()
    with behind(one) as buffer:
        for i in range(100):
            if i == 50:
                buffer.replace(lambda: other)
            buffer.write_event(event(i))
        soon(lambda: buffer.backlog.waiting == 0)
        assert one.closed_by == ["write x"]
    assert other.closed_by == ["write x"]
    assert one.events + other.events == [event(i) for i in range(100)]
    assert other.events
    assert told == []


def test_a_blocked_sink_is_stopped_for_the_next(behind, told):
    """One that fails and would wait for minutes is replaced at once; the next one gets its waiting events."""
    one, other = Rough(then=BusyError("not now", 600.0)), Rough()
    with behind(one) as buffer:
        buffer.write_event(event(0))
        soon(lambda: bool(told))
        buffer.replace(lambda: other)
        soon(lambda: other.events == [event(0)])
    assert told[-1] == "x: works again, 0 events waiting, 0 lost"


def test_a_sink_that_cannot_be_opened_is_tried_again(behind, told):
    """Whatever the error is, it is reported, and events wait."""
    other, tries = ListSink(), []

    def open_it():
        tries.append(1)
        if len(tries) < 4:
            raise (SinkError, KeyError, OSError)[len(tries) - 1]("the port is taken")
        return other

    with behind(ListSink()) as buffer:
        buffer.replace(open_it)
        buffer.write_event(event(0))
        soon(lambda: other.events == [event(0)])
    assert len(tries) == 4
    assert told[0].startswith("x: the port is taken; events are kept in ")
    assert told[-1] == "x: works again, 0 events waiting, 0 lost"


def test_a_buffer_may_be_closed_before_the_next_sink_is_opened(behind, told):
    """Waiting events stay in the spool, and the thread ends."""
    with behind(ListSink()) as buffer:
        buffer.replace(lambda: (_ for _ in ()).throw(SinkError("away")))
        buffer.write_event(event(0))
    assert "1 event not delivered yet" in told[-1]
