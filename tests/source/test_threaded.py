"""Tests of sources that read in a thread: files lose no frame, live sources give their newest one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from edgecls import SourceError
from edgecls.source import FakeSource, Merged, OpenCVSource, Threaded, threaded
from edgecls.source.source import Source
from edgecls.source.threaded import AHEAD_FRAMES, TOGETHER_FRAMES
from tests.drawn import gray_levels
from tests.run.world import FakeCapture, assert_only_main_thread

SHORT_S = 0.02


class Stepped(Source):
    """A live source that gives a frame when the test allows it; `given` is set when the reader waits for the next."""

    live = True

    def __init__(self, pictures) -> None:
        self.name = "stepped"
        self._inner = FakeSource(pictures)
        self._go = threading.Semaphore(0)
        self.waiting = threading.Semaphore(0)
        self.closed_by = ""

    def read(self):
        self.waiting.release()
        self._go.acquire()
        return self._inner.read()

    def close(self) -> None:
        self.closed_by = threading.current_thread().name

    def step(self) -> None:
        """Allow one read."""
        self._go.release()


def fake(live: bool, **options) -> FakeSource:
    return FakeSource(gray_levels([0, 50, 100]), live=live, fps=500.0, **options)


def test_a_slow_caller_loses_nothing_of_a_file():
    """A caller slower than the decoder gets every frame of a file, in order."""
    with Threaded(FakeSource(gray_levels(range(40)))) as source:
        indices = []
        for one in source:
            time.sleep(0.002)
            indices.append(one.index)
    assert indices == list(range(40))
    assert source.skipped == 0


def test_a_file_is_read_only_a_few_frames_ahead():
    """If no frames are taken, the reader decodes a limited number and then waits."""
    inner = FakeSource(gray_levels(range(100)))
    with Threaded(inner) as source:
        until = time.monotonic() + 10
        while inner._index <= AHEAD_FRAMES and time.monotonic() < until:
            time.sleep(SHORT_S)
        time.sleep(5 * SHORT_S)
        assert inner._index == AHEAD_FRAMES + 1  # the reader holds the last one
        assert [one.index for one in source] == list(range(100))


class SteppedFile(Stepped):
    """The same of a file."""

    live = False


@pytest.mark.parametrize("wrap", [Threaded, lambda source: Merged([source], say=pytest.fail)], ids=["threaded", "merged"])
def test_frames_of_a_file_are_taken_together_but_the_first_alone(monkeypatch, wrap):
    """The first is given at once. Then as many are waited for as are wanted, at most a few; at the end, what is left comes."""
    monkeypatch.setattr(threaded, "TOGETHER_S", 60.0)
    found: list[list[int]] = []
    inner = SteppedFile(gray_levels(range(1 + TOGETHER_FRAMES + 2 + 1)))
    with wrap(inner) as source:
        for most, steps in ((8, 1), (8, TOGETHER_FRAMES), (2, 2), (8, 2)):  # the last step is the end of the file
            taken: list[list[int]] = []
            taker = threading.Thread(target=lambda most=most, to=taken: to.append([f.index for f in source.take(most)]))
            taker.start()
            for _ in range(steps - 1):
                inner.step()
            taker.join(3 * SHORT_S)
            assert taken == []
            inner.step()
            taker.join(10)
            found.append(taken[0])
    assert found == [[0], list(range(1, 1 + TOGETHER_FRAMES)), [5, 6], [7]]


def test_frames_of_a_slow_file_are_not_waited_for_long():
    """What there is, is given after a moment."""
    inner = SteppedFile(gray_levels(range(3)))
    with Threaded(inner) as source:
        for _ in range(2):
            inner.step()
            assert len(source.take(8)) == 1
        for _ in range(2):
            inner.step()
        assert [[one.index for one in source.take(8)], source.take(8)] == [[2], []]


def test_a_live_source_gives_the_newest_frame_and_counts_the_others():
    """Five frames arrive while the caller sleeps: it gets the fifth, four are skipped, then it gets the sixth."""
    inner = Stepped(gray_levels(range(6)))
    with Threaded(inner) as source:
        for _ in range(5):
            inner.waiting.acquire()
            inner.step()
        inner.waiting.acquire()
        assert source.read().index == 4
        assert source.skipped == 4
        inner.step()
        assert source.read().index == 5
        inner.step()
        assert source.read() is None
        assert source.skipped == 4


def test_a_slow_caller_of_a_live_source_accounts_for_every_frame():
    """Given and skipped frames add up to the captured ones, and some were skipped."""
    inner = FakeSource(gray_levels(range(60)), live=True, fps=500.0)
    given = 0
    with Threaded(inner) as source:
        for _ in source:
            given += 1
            time.sleep(SHORT_S)
        assert source.skipped > 0
        assert given + source.skipped == 60


def test_leaving_a_live_source_accounts_for_every_frame():
    """A frame that was ready when the caller left counts as skipped."""
    capture = FakeCapture(gray_levels(list(range(250)) * 100), wait_s=0.001)
    with Threaded(OpenCVSource(capture, "cam", "camera 0", live=True)) as source:
        for _ in range(3):
            assert source.read() is not None
            time.sleep(SHORT_S)
    assert source.skipped == capture.captured - 3


@pytest.mark.parametrize("live", [False, True])
def test_the_end_leaves_only_the_main_thread(live):
    """After the last frame, the reader has ended and closed its source once."""
    inner = fake(live)
    source = Threaded(inner)
    frames = list(source)
    assert frames[-1].index == 2
    source.close()
    assert inner.closed == 1
    assert_only_main_thread()


@pytest.mark.parametrize("live", [False, True])
def test_an_error_inside_comes_up_after_the_last_frame_and_once(live):
    """Frames before an error are given, then the error is raised unchanged once, then the source has ended."""
    error = SourceError("cam: unplugged")
    inner = fake(live, error=error)
    frames = []
    with Threaded(inner) as source:
        with pytest.raises(SourceError) as caught:
            frames.extend(source)
        assert caught.value is error
        assert frames[-1].index == 2
        assert source.read() is None
        assert source.take(2) == []
    assert inner.closed == 1
    assert_only_main_thread()


@pytest.mark.parametrize("live", [False, True])
def test_leaving_early_leaves_only_the_main_thread(live):
    """A caller that closes midway gets no more frames and no error, and no thread is left."""
    inner = FakeSource(gray_levels(range(250)), live=live, fps=500.0, error=SourceError("never seen"))
    source = Threaded(inner)
    assert source.read() is not None
    source.close()
    assert source.read() is None
    assert inner.closed == 1
    assert_only_main_thread()


@pytest.mark.parametrize("live", [False, True])
def test_closing_twice_is_closing_once(live):
    """A second close does nothing, both before and after the end."""
    inner = fake(live)
    source = Threaded(inner)
    source.close()
    source.close()
    assert inner.closed == 1
    assert_only_main_thread()


@pytest.mark.parametrize("live", [False, True])
def test_even_what_is_no_error_of_ours_comes_up(live):
    """Any error in the reader is raised in the caller, not lost in the thread."""

    class Odd(FakeSource):
        def read(self):
            raise KeyError("odd")

    with Threaded(Odd([], live=live)) as source, pytest.raises(KeyError, match="odd"):
        source.read()


@pytest.mark.parametrize("live", [False, True])
def test_who_reads_the_device_closes_it(live):
    """Only the reader's thread, named after the camera, reads and releases the capture."""
    capture = FakeCapture(gray_levels(range(250)), wait_s=0.001)
    with Threaded(OpenCVSource(capture, "gate", "camera 0", live=live)) as source:
        source.read()
    assert capture.read_by == {"read gate"}
    assert capture.released_by == ["read gate"]


def test_closing_does_not_wait_for_a_device_that_does_not_answer(monkeypatch):
    """A device that hangs in a read is left to its thread, which releases it when the read returns."""
    monkeypatch.setattr(sys.modules[Threaded.__module__], "CLOSE_WAIT_S", SHORT_S)
    inner = Stepped(gray_levels([0, 50]))
    source = Threaded(inner)
    inner.waiting.acquire()
    source.close()
    assert inner.closed_by == ""
    inner.step()
    source._thread.join(10)
    assert inner.closed_by == "read stepped"
    assert source.read() is None
    assert_only_main_thread()


def test_a_reader_that_waits_for_room_hears_the_close():
    """Closing wakes a reader that waits because no frames are taken."""
    inner = FakeSource(gray_levels(range(250)))
    source = Threaded(inner)
    time.sleep(SHORT_S)
    source.close()
    assert inner.closed == 1
    assert_only_main_thread()


STUCK = """
import time
from edgecls.source import FakeSource, Threaded

class Stuck(FakeSource):
    def read(self):
        time.sleep(3.5)
    def close(self):
        print("released", flush=True)

Threaded(Stuck([], live=True)).close()
print("closed", flush=True)
"""


def test_a_program_does_not_end_under_a_reader():
    """A read that cannot be interrupted outlasts close(); the program waits for it at exit, and the device is released."""
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["closed", "released"]
    assert done.returncode == 0
