"""What stretches add up to."""

from __future__ import annotations

import time

import pytest

from edgecls.event import Moment
from edgecls.labels.stretches import Shown, Stretch, clock, of_stream


def at(time_s, live_from=None):
    """The frame of this time at 10 frames a second."""
    return Moment(round(time_s * 10), time_s, None if live_from is None else live_from + time_s)


def shown(*stretches, seconds=100.0):
    """A region that showed (label, start, end, score) in so many seconds."""
    made = tuple(Stretch(label, at(start), at(end), score) for label, start, end, score in stretches)
    return Shown("gate", "bar", at(0.0), at(seconds), 1000, seconds, made)


@pytest.fixture
def utc(monkeypatch):
    """The machine is in Greenwich, and `utc("NAME")` moves it."""

    def move(zone="UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    move()
    yield move
    monkeypatch.undo()
    time.tzset()


def test_totals_are_of_all_stretches_of_a_label():
    """The one that was there longest comes first; the score is weighed by length."""
    open_, shut = shown(("shut", 0, 10, 0.9), ("open", 10, 40, 0.8), ("shut", 40, 50, 0.7), ("open", 50, 60, 0.6)).totals
    assert (open_.label, open_.seconds, open_.share, open_.stretches, open_.longest_s) == ("open", 40, 0.4, 2, 30)
    assert (open_.first.time_s, open_.last.time_s, open_.score) == (10, 60, pytest.approx(0.75))
    assert (shut.label, shut.share, shut.score) == ("shut", 0.2, pytest.approx(0.8))


def test_time_in_which_several_were_there_counts_once():
    """Two cars, one of them within the time of the other, and a third later; the last to leave is the first one."""
    (cars,) = shown(("car", 0, 20, 0.9), ("car", 5, 10, 0.9), ("car", 15, 30, 0.9), ("car", 40, 45, 0.9)).totals
    assert (cars.seconds, cars.stretches, cars.longest_s, cars.last.time_s) == (35, 4, 20, 45)


def test_a_recording_of_no_length_has_no_shares():
    """Nothing is divided by nothing, and a stretch of one frame has a score."""
    (total,) = shown(("stop", 3, 3, 0.5), seconds=0.0).totals
    assert (total.share, total.seconds, total.score) == (0.0, 0.0, 0.5)


def test_a_record_has_times_of_day_for_live_cameras_alone():
    """Beside the media times."""
    record = shown(("stop", 1, 2, 0.5)).to_record()
    assert record["stretches"] == [{"label": "stop", "start_s": 1, "end_s": 2, "score": 0.5}]
    live = Shown("gate", "bar", at(0, 1e9), at(9, 1e9), 9, 9.0, (Stretch("stop", at(1, 1e9), at(2, 1e9), 0.5),)).to_record()
    assert live["stretches"] == [
        {"label": "stop", "start_s": 1, "end_s": 2, "start_at_s": 1e9 + 1, "end_at_s": 1e9 + 2, "score": 0.5}
    ]
    assert (live["last_at_s"], live["labels"][0]["first_at_s"]) == (1e9 + 9, 1e9 + 1)


def test_clocks(utc):
    """h:mm:ss.t of a file; the time of day, where this machine is, of a live camera."""
    assert [of_stream(s) for s in (0, 59.96, 3599.94, 90_061.5)] == ["0:00:00.0", "0:01:00.0", "0:59:59.9", "25:01:01.5"]
    assert of_stream(59.6, tenths=False) == "0:01:00"
    moment = Moment(0, 5.0, 1_763_823_787.4)
    assert (clock(moment), clock(moment, dated=True)) == ("15:03:07", "2025-11-22 15:03:07")
    utc("Asia/Tokyo")
    assert clock(moment, dated=True) == "2025-11-23 00:03:07"
    assert clock(Moment(0, 5.04)) == "0:00:05.0"
