"""Tests of live sources that are lost and come back."""

from __future__ import annotations

import random
import sys
import threading
import time
from itertools import pairwise

import pytest

from edgecls import AccessError, SourceError, StalledError
from edgecls.source import FakeSource, Merged, Reconnecting, Threaded
from edgecls.source.reconnecting import OutageError
from tests.drawn import gray_levels
from tests.run.world import assert_only_main_thread


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Use waits of milliseconds."""
    module = sys.modules[Reconnecting.__module__]
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.04)


class World:
    """At each opening, raises or returns the next entry of a script: a SourceError or a source."""

    def __init__(self, *openings) -> None:
        self._openings = list(openings)
        self.opened_at: list[float] = []

    def __call__(self):
        self.opened_at.append(time.monotonic())
        opening = self._openings.pop(0) if self._openings else SourceError("gone")
        if isinstance(opening, Exception):
            raise opening
        return opening


def pictures(count: int, error: Exception | None = None, *, live: bool = True) -> FakeSource:
    return FakeSource(gray_levels(range(count)), name="cam", fps=500.0, live=live, error=error)


def read_all(source, changes: list) -> list:
    """Read until the end or an error; state changes and frames are appended to `changes` in order."""
    source.on_state(lambda change: changes.append(change.state))
    frames = []
    try:
        for frame in source:
            changes.append(frame.index)
            frames.append(frame)
    except SourceError as error:
        changes.append(str(error))
    return frames


def test_it_goes_on_where_the_last_connection_stopped():
    """Two connections of three frames: indices 0..5, rising times, and the state changes in the right places."""
    world = World(pictures(3, SourceError("cut")), SourceError("refused"), pictures(3, SourceError("cut again")))
    changes: list = []
    with Reconnecting("cam", world, give_up_after_s=0.2) as source:
        frames = read_all(source, changes)
    assert changes[:10] == ["connecting", "live", 0, 1, 2, "lost", "lost", "live", 3, 4]
    assert changes[10:13] == [5, "lost", "lost"]
    assert changes[-2] == "ended"
    assert changes[-1].startswith("camera cam: given up, no picture for 0.2 s; last error: gone")
    assert all(before.time_s < after.time_s for before, after in pairwise(frames))
    assert frames[3].time_s == pytest.approx(frames[3].captured_at - frames[0].captured_at)


def test_a_silent_camera_is_stalled_not_lost():
    """No picture within the read timeout is a different state from a broken connection."""
    world = World(pictures(1, StalledError("silent")), pictures(1, SourceError("cut")))
    changes: list = []
    with Reconnecting("cam", world, give_up_after_s=0.1) as source:
        read_all(source, changes)
    assert changes[:6] == ["connecting", "live", 0, "stalled", "live", 1]


def test_the_same_reason_is_told_once():
    """A camera that is refused ten times in a row is reported as lost once."""
    changes: list = []
    with Reconnecting("cam", World(*[SourceError("refused")] * 10, pictures(1)), give_up_after_s=5) as source:
        source.on_state(lambda change: changes.append((change.state, change.why)))
        assert source.read().index == 0
    assert changes == [("connecting", ""), ("lost", "refused"), ("live", "")]


def test_waits_double_up_to_the_longest():
    """The waits are random between half and all of 10, 20, 40, 40 ms ..."""
    world = World(*[SourceError("refused")] * 6, pictures(1))
    with Reconnecting("cam", world, rng=random.Random(1)) as source:  # noqa: S311 - a wait is no secret
        source.read()
    waits = [after - before for before, after in pairwise(world.opened_at)]
    for wait_s, whole_s in zip(waits, (0.01, 0.02, 0.04, 0.04, 0.04, 0.04), strict=True):
        assert wait_s >= whole_s / 2


@pytest.mark.parametrize("give_up_after_s", [None, 30.0])
def test_a_wrong_password_is_not_tried_again(give_up_after_s):
    """If user and password are refused at the start, it stops at once: many cameras lock an account after a few tries."""
    world = World(AccessError("user and password are refused"), pictures(1))
    changes: list = []
    with Reconnecting("cam", world, give_up_after_s=give_up_after_s) as source:
        read_all(source, changes)
    assert changes == ["connecting", "ended", "user and password are refused"]
    assert len(world.opened_at) == 1


def test_a_password_that_was_right_once_is_tried_again():
    """After a connection, a refused password is retried: a restarting camera may refuse everyone for a moment."""
    world = World(pictures(1, SourceError("cut")), AccessError("refused"), pictures(1, SourceError("cut")))
    changes: list = []
    with Reconnecting("cam", world, give_up_after_s=0.1) as source:
        read_all(source, changes)
    assert changes[:7] == ["connecting", "live", 0, "lost", "lost", "live", 1]


def test_giving_up_at_once_is_the_error_itself():
    """With `give_up_after_s` 0, the first failure is raised unchanged."""
    world = World(SourceError("refused"))
    with Reconnecting("cam", world, give_up_after_s=0) as source, pytest.raises(SourceError, match=r"^refused$"):
        source.read()


def test_an_address_that_is_a_file_has_an_end():
    """A stream that turns out to be a file is not live, skips nothing, ends, and is not reopened."""
    world = World(pictures(40, live=False))
    changes: list = []
    with Threaded(Reconnecting("cam", world)) as source:
        frames = read_all(source, changes)
        assert not source.live
    assert [f.index for f in frames] == list(range(40))
    assert changes[:2] == ["connecting", "live"]
    assert changes[-1] == "ended"
    assert len(world.opened_at) == 1


def test_a_broken_file_is_not_opened_again():
    """A truncated file behind an address is an error, once."""
    world = World(pictures(3, SourceError("cut off"), live=False))
    changes: list = []
    with Reconnecting("cam", world) as source:
        read_all(source, changes)
    assert changes[-2:] == ["ended", "cut off"]
    assert len(world.opened_at) == 1


def test_an_error_that_is_no_loss_comes_up():
    """An error that reconnecting cannot fix, such as a missing package, is raised at once."""

    def broken():
        raise KeyError("no such thing")

    with Threaded(Reconnecting("cam", broken)) as source, pytest.raises(KeyError, match="no such thing"):
        source.read()


def test_closing_ends_the_wait(monkeypatch):
    """A camera that waits a minute for its next try closes at once, without leaving a thread."""
    monkeypatch.setattr(sys.modules[Reconnecting.__module__], "FIRST_WAIT_S", 60.0)
    world = World(SourceError("refused"))
    began = time.monotonic()
    with Threaded(Reconnecting("cam", world)):
        while not world.opened_at:
            time.sleep(0.001)
    assert time.monotonic() - began < 20
    assert_only_main_thread()


def test_changes_are_told_in_the_thread_that_takes():
    """State changes are reported in the thread that takes frames, so a callback needs no lock and may close the source."""
    heard_in = set()

    def hear(change) -> None:
        heard_in.add(threading.current_thread().name)
        if change.state == "lost":
            source.close()

    source = Threaded(Reconnecting("cam", World(pictures(2, SourceError("cut")))))
    source.on_state(hear)
    list(source)
    assert heard_in == {threading.current_thread().name}
    assert_only_main_thread()


def test_a_dead_camera_beside_a_live_one():
    """A camera that is always offline does not delay the other one, whose frames all arrive."""
    changes: list = []
    dead = Reconnecting("dead", World(), give_up_after_s=0.3)
    good = FakeSource(gray_levels(range(50)), name="good", fps=500.0)
    told: list[str] = []
    with Merged([dead, good], say=told.append) as source:
        source.on_state(lambda change: changes.append((change.camera, change.state)))
        frames = []
        with pytest.raises(SourceError, match="1 of 2 sources failed, the first: camera dead: given up"):
            frames.extend(source)
    assert [f.index for f in frames] == list(range(50))
    assert changes == [("dead", "connecting"), ("dead", "lost"), ("dead", "ended")]
    assert len(told) == 1
    assert_only_main_thread()


def test_frames_and_changes_keep_their_order_in_a_thread():
    """If the caller is slower than the camera, a loss is reported after the last frame before it."""
    world = World(pictures(2, SourceError("cut")), pictures(2, SourceError("cut")))
    changes: list = []
    with Threaded(Reconnecting("cam", world, give_up_after_s=0.1)) as source:
        time.sleep(0.05)
        read_all(source, changes)
    assert changes[0] == "connecting"
    assert changes.index("lost") < changes.index(3)
    assert [item for item in changes if isinstance(item, int)] == sorted(i for i in changes if isinstance(i, int))


def test_one_that_does_not_wait():
    """Each failure is raised at once, and the next read waits and tries again; a final error is raised as it is."""
    world = World(pictures(1, error=SourceError("lost")), SourceError("still gone"), pictures(1), AccessError("no"))
    states = []
    source = Reconnecting("cam", world, waits=False)
    source.on_state(lambda change: states.append((change.state, change.why)))
    assert source.read().index == 0
    for why in ("lost", "still gone"):
        with pytest.raises(OutageError, match=f"^{why}$"):
            source.read()
    assert source.read().index == 1
    source.close()
    assert states == [("connecting", ""), ("live", ""), ("lost", "lost"), ("lost", "still gone"), ("live", "")]
    assert world.opened_at[1] - world.opened_at[0] >= 0.005
    refused = Reconnecting("cam", World(AccessError("no")), waits=False)
    with pytest.raises(AccessError):
        refused.read()
