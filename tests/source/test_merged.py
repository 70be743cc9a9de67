"""Tests of several sources as one."""

from __future__ import annotations

import threading
import time

import pytest

from edgecls import AccessError, SourceError
from edgecls.source import FakeSource, Merged, PyAVSource, open_source
from edgecls.source.source import Source
from tests.drawn import gray_levels, write_video
from tests.run.world import assert_only_main_thread, cut_in_half, noise


def fakes(*counts: int, **options) -> list[FakeSource]:
    return [FakeSource(gray_levels(range(n)), name=f"cam{i}", **options) for i, n in enumerate(counts)]


def long_fakes(*names: str) -> list[FakeSource]:
    return [FakeSource(gray_levels([128]) * 4000, name=name) for name in names]


def by_camera(frames) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for frame in frames:
        found.setdefault(frame.camera, []).append(frame.index)
    return found


@pytest.mark.parametrize("most", [1, 2, 8])
def test_each_source_is_complete_and_in_order(most):
    """Files of 30, 7 and 0 frames give that many, each from 0 upwards, however many are taken at once."""
    frames = []
    with Merged(fakes(30, 7, 0), say=pytest.fail) as source:
        while taken := source.take(most):
            assert len(taken) <= most
            frames += taken
    assert by_camera(frames) == {"cam0": list(range(30)), "cam1": list(range(7))}
    assert_only_main_thread()


def test_sources_take_turns():
    """With both cameras ready, a take of 4 returns two of each, and none twice."""
    with Merged(fakes(50, 50), say=pytest.fail) as source:
        with source._condition:
            source._condition.wait_for(lambda: all(len(s._queue) == 4 for s in source.sources), timeout=20)
        assert by_camera(source.take(4)) == {"cam0": [0, 1], "cam1": [0, 1]}


def test_no_source_waits_long():
    """With single takes from three sources that are always ready, none waits for more than a few rounds."""
    with Merged(fakes(60, 60, 60), say=pytest.fail) as source:
        frames = []
        for _ in range(30):
            with source._condition:
                source._condition.wait_for(lambda: all(s._queue for s in source.sources), timeout=20)
            frames += source.take(1)
    assert {name: len(indices) for name, indices in by_camera(frames).items()} == {"cam0": 10, "cam1": 10, "cam2": 10}


def test_one_that_fails_does_not_stop_the_others():
    """The failure is reported at once; the other source is complete; then the failure is raised, once."""
    told: list[str] = []
    bad = FakeSource(gray_levels(range(3)), name="bad", error=SourceError("bad: unplugged"))
    good = FakeSource(gray_levels(range(20)), name="good")
    frames = []
    with Merged([bad, good], say=told.append) as source:
        with pytest.raises(SourceError, match="bad: unplugged"):
            frames.extend(source)
        assert source.read() is None
    assert by_camera(frames) == {"bad": [0, 1, 2], "good": list(range(20))}
    assert told == ["bad: unplugged"]
    assert bad.closed == good.closed == 1
    assert_only_main_thread()


def test_each_failure_is_reported_and_the_first_raised():
    """Two failed sources are two lines; the error at the end counts them and shows the first."""
    told: list[str] = []
    sources = [FakeSource([], name=n, error=SourceError(f"{n}: unplugged")) for n in ("a", "b")]
    with Merged(sources, say=told.append) as source, pytest.raises(SourceError) as caught:
        source.read()
    assert sorted(told) == ["a: unplugged", "b: unplugged"]
    assert str(caught.value) == f"2 of 2 sources failed, the first: {told[0]}"


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_refusal_among_failures_is_the_kind_of_the_error(order):
    """Whoever starts again after failures must know that a camera refused the password, wherever it stands."""
    errors = {"a": SourceError("a: unplugged"), "b": AccessError("b: refused")}
    sources = [FakeSource([], name=name, error=errors[name]) for name in order]
    with Merged(sources, say=lambda _: None) as source, pytest.raises(AccessError, match="2 of 2 sources failed"):
        list(source)


def test_an_unexpected_error_is_raised_at_once():
    """An error other than SourceError is a bug, and is not kept for the end."""
    broken = FakeSource([], name="broken", error=ZeroDivisionError("a mistake"))
    endless = FakeSource(gray_levels([0] * 10_000), name="endless", live=True)
    with Merged([endless, broken], say=pytest.fail) as source, pytest.raises(ZeroDivisionError, match="a mistake"):
        for _ in source:
            pass
    assert_only_main_thread()


def test_leaving_early_and_closing_twice():
    """Closing in the middle stops and closes every source, once."""
    inner = fakes(250, 250, live=True)
    source = Merged(inner, say=pytest.fail)
    assert source.read() is not None
    source.close()
    source.close()
    assert source.read() is None
    assert [one.closed for one in inner] == [1, 1]
    assert_only_main_thread()


def test_a_source_that_waits_does_not_hold_up_the_others():
    """While one camera is silent, every frame of the other arrives."""

    class Silent(Source):
        name, live = "silent", True

        def __init__(self) -> None:
            self.go = threading.Event()

        def read(self):
            self.go.wait()

        def close(self) -> None:
            pass

    silent = Silent()
    with Merged([silent, *fakes(20)], say=pytest.fail) as source:
        frames = [source.read() for _ in range(20)]
        silent.go.set()
        assert source.read() is None
    assert by_camera(frames) == {"cam0": list(range(20))}


def test_skipped_is_the_sum():
    """Skipped and returned frames of all cameras add up to all frames."""
    with Merged(fakes(40, 40, live=True, fps=2000.0), say=pytest.fail) as source:
        given = 0
        for _ in source:
            given += 1
            threading.Event().wait(0.01)
        assert source.skipped == sum(one.skipped for one in source.sources) > 0
        assert given + source.skipped == 80


def test_two_files_of_which_one_is_cut_off(tmp_path):
    """All good frames of both arrive in order; the truncated file is named at the end."""
    whole = write_video(tmp_path / "whole.avi", gray_levels(range(50)))
    cut = cut_in_half(write_video(tmp_path / "cut.avi", noise(40)))
    told: list[str] = []
    frames = []
    source = open_source(cut, whole, say=told.append)
    with source, pytest.raises(SourceError, match=r"cut\.avi: ended after \d+ of 40 frames; the file is cut off"):
        frames.extend(source)
    found = by_camera(frames)
    assert found["whole"] == list(range(50))
    assert found["cut"] == list(range(len(found["cut"])))
    assert 10 <= len(found["cut"]) < 30
    assert len(told) == 1


def test_a_source_that_cannot_be_opened_closes_the_others(tmp_path, monkeypatch):
    """If the second cannot be opened, the first is closed and no thread was started."""
    closed: list[str] = []
    real_close = PyAVSource.close
    monkeypatch.setattr(PyAVSource, "close", lambda self: (closed.append(self.name), real_close(self)))
    video = write_video(tmp_path / "a.avi", gray_levels(range(5)))
    with pytest.raises(SourceError, match="no such file or folder"):
        open_source(video, tmp_path / "missing.mp4")
    assert closed == ["a"]
    assert_only_main_thread()


def test_an_only_source_fails_with_its_own_error():
    """It is not reported before, and the frames before it arrive first, also in one batch."""
    with Merged([FakeSource(gray_levels([1, 2]), name="a", error=AccessError("a: refused"))], say=pytest.fail) as source:
        with source._condition:
            source._condition.wait_for(lambda: source.sources[0].released, timeout=20)
        assert [frame.index for frame in source.take(8)] == [0, 1]
        with pytest.raises(AccessError, match=r"^a: refused$"):
            source.take(8)


def test_sources_come_and_go_under_load():
    """One of three is read throughout; the others are removed and added 20 times, and restart each time."""
    with Merged(long_fakes("cam0", "cam1", "cam2"), say=pytest.fail) as source:
        kept: list[int] = []
        for _ in range(20):
            source.change(["cam1", "cam2"], long_fakes("cam1", "cam2"))
            taken = by_camera(source.read() for _ in range(60))
            kept += taken.pop("cam0", [])
            assert all(indices == list(range(len(indices))) for indices in taken.values())
        assert kept == list(range(len(kept)))
        assert len(kept) > 100
        assert len(source._leaving) < 40  # sources that were released are forgotten
    assert_only_main_thread()


def test_a_device_is_released_before_it_is_opened_again():
    """The reader of the new source starts when the old one has closed its own, however long that takes."""
    order: list[str] = []

    class Slow(FakeSource):
        def close(self):
            time.sleep(0.3)
            order.append("closed")
            super().close()

    class Next(FakeSource):
        def read(self):
            order.append("read")
            return super().read()

    with Merged([Slow(gray_levels(range(9)), name="a"), *fakes(50)], say=pytest.fail) as source:
        source.read()
        began = time.monotonic()
        source.change(["a"], [Next(gray_levels([1, 2]), name="a")])
        assert time.monotonic() - began < 0.2  # this thread does not wait for it
        found = by_camera(source)
    assert found["a"][-2:] == [0, 1]
    assert order[:2] == ["closed", "read"]


def test_skipped_frames_of_removed_sources_still_count():
    """Of a camera that skipped frames and was removed."""
    live = FakeSource(gray_levels([1] * 60), name="live", live=True, fps=1000)
    with Merged([live, *fakes(5)], say=pytest.fail) as source:
        with source._condition:
            source._condition.wait_for(lambda: source.sources[0].released, timeout=20)
        skipped = source.skipped
        assert skipped == 59
        source.change(["live"], [])
        source.change([], [])
        assert source.skipped == 60
        assert len(list(source)) == 5


def test_the_failure_of_a_removed_source_is_forgotten():
    """The others end normally."""
    told: list[str] = []
    bad = FakeSource([], name="bad", error=SourceError("bad: unplugged"))
    with Merged([bad, *fakes(20, 20)], say=told.append) as source:
        while not told:
            assert source.read() is not None
        source.change(["bad"], [])
        assert source.take(100)
        while source.read() is not None:
            pass
    assert told == ["bad: unplugged"]


def test_calls_from_another_thread_come_between_frames():
    """In the thread that takes frames, in order, also while it waits and after the last frame."""
    calls: list[str] = []
    with Merged(fakes(3), say=pytest.fail) as source:
        thread = threading.Thread(
            target=lambda: [
                source.between(lambda i=i: calls.append(f"{i} {threading.current_thread().name}")) for i in range(3)
            ]
        )
        thread.start()
        thread.join()
        assert calls == []
        assert len(list(source)) == 3
        assert calls == [f"{i} MainThread" for i in range(3)]
        source.between(lambda: calls.append("last"))
        assert source.read() is None
    assert calls[-1] == "last"
