"""Tests of sinks in their own thread."""

from __future__ import annotations

import json
import threading
import time

import pytest

from edgecls import SinkError, StateChange
from edgecls.frame import Box
from edgecls.sink import Background, ClipSink, CutSettings, ListSink, Sink
from edgecls.sink.delivery import background as module
from edgecls.source import ReadingSettings, open_source
from edgecls.source.pyav import PyAVSource
from tests.run.footage import KEEP, event, play, told, write_footage
from tests.run.world import assert_only_main_thread, frame, result


class Held(ListSink):
    """A sink that blocks until it is released, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.go = threading.Event()
        self.calls: list[object] = []
        self._fails = error
        self.threads: set[str] = set()

    def _take(self, what: object) -> None:
        self.go.wait(20)
        self.threads.add(threading.current_thread().name)
        if self._fails is not None:
            raise self._fails
        self.calls.append(what)

    def write(self, one) -> None:
        self._take(one.frame.index)

    def write_state(self, change) -> None:
        self._take(change.state)

    def write_event(self, one) -> None:
        self._take(one.id)

    def close(self) -> None:
        self.threads.add(threading.current_thread().name)
        super().close()


def test_everything_comes_in_order_from_one_thread():
    """Results, states and events reach the sink in the order they were written, all from its own thread."""
    inner = Held()
    inner.go.set()
    with Background(inner, name="list") as sink:
        for i in range(5):
            sink.write(result(frame(i)))
            sink.write_event(event(i))
            sink.write_state(StateChange("gate", "live", "", 0.0))
    assert inner.calls == [what for i in range(5) for what in (i, event(i).id, "live")]
    assert inner.closed == 1
    assert inner.threads == {"record list"}
    assert sink.dropped == 0


def test_a_sink_that_hangs_does_not_hold_up_the_run():
    """While it hangs, writes return at once; the newest few results with pictures wait, and every event."""
    inner = Held()
    sink = Background(inner, name="list")
    began = time.monotonic()
    for i in range(200):
        sink.write(result(frame(i)))
        sink.write_event(event(i))
    assert time.monotonic() - began < 2.0
    inner.go.set()
    sink.close()
    assert {event(i).id for i in range(200)} <= set(inner.calls)
    indices = [call for call in inner.calls if isinstance(call, int)]
    assert indices[-module.MOST_PICTURES :] == list(range(200 - module.MOST_PICTURES, 200))
    assert len(indices) + sink.dropped == 200


def test_the_queue_is_limited(monkeypatch):
    """When it is full, the oldest results are dropped first, then the oldest items of any kind."""
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    inner = Held()
    sink = Background(inner, name="list")
    sink.write(result(frame(0)))
    while sink._queue:
        time.sleep(0.001)
    for i in range(1, 4):
        sink.write(result(frame(i)))
    for i in range(12):
        sink.write_event(event(i))
    inner.go.set()
    sink.close()
    assert inner.calls == [0, *(event(i).id for i in range(2, 12))]
    assert sink.dropped == 5


def test_results_with_packets_wait_without_their_pictures(tmp_path):
    """Queued results hold no picture, because it would no longer be available."""
    inner = ListSink()
    with (
        Background(inner, name="list") as sink,
        open_source(f"gate={write_footage(tmp_path / 'v.mp4', 30)}", reading=KEEP) as source,
    ):
        for one in source:
            sink.write(result(one))
            assert one.bgr() is not None
    assert [one.frame.index for one in inner.results] == list(range(30))
    with pytest.raises(TypeError, match=r"this frame was made without its picture by bare\(\)"):
        inner.results[0].frame.bgr()
    assert inner.results[0].frame.part(Box(0, 0, 4, 4), (4, 4), "gray", "area") is None


def test_a_file_waits_for_a_slow_sink(tmp_path):
    """Nothing of a file is dropped: its reader waits."""

    class Slow(ListSink):
        def write(self, one) -> None:
            time.sleep(0.002)
            super().write(one)

    inner = Slow()
    sink = Background(inner, name="slow")
    play(write_footage(tmp_path / "v.mp4", 200), sink, {})
    assert [one.frame.index for one in inner.results] == list(range(200))
    assert sink.dropped == 0


@pytest.mark.parametrize("hangs_s", [0.4])
def test_a_disk_that_hangs_costs_no_packet_that_is_kept(tmp_path, monkeypatch, hangs_s):
    """While the clip of a live camera cannot be written, no frame waits for it; afterwards the clip is complete."""
    folder = tmp_path / "clips"
    folder.mkdir()
    source = PyAVSource.video(str(write_footage(tmp_path / "v.mp4")), "gate", ReadingSettings(keep_s=15.0))
    source.live = source._packets.live = True
    extend = ClipSink._extend
    hung: list[float] = []

    def hang(sink: Sink, camera: str, time_s: float) -> None:
        if sink._open and not hung:
            hung.append(hangs_s)
            time.sleep(hangs_s)
        extend(sink, camera, time_s)

    monkeypatch.setattr(ClipSink, "_extend", hang)
    slowest = 0.0
    with Background(ClipSink(folder, CutSettings(1.0, 1.0)), name="clips") as sink, source:
        for _ in range(250):
            one = source.read()
            began = time.monotonic()
            told(sink, one, {110: [event(100)], 140: [event(100, 130)]})
            slowest = max(slowest, time.monotonic() - began)
    assert hung
    assert slowest < hangs_s / 2
    (sidecar,) = folder.glob("*.json")
    said = json.loads(sidecar.read_text())["clip"]
    assert (said["packets"], said["missing_packets"], said["cut_short"]) == (81, 0, None)


def test_an_error_is_raised_by_the_next_write():
    """Once; then the thread has ended and closed the sink."""
    inner = Held(SinkError("broken"))
    inner.go.set()
    sink = Background(inner, name="list")
    sink.write(result(frame(0)))
    sink._thread.join(10)
    with pytest.raises(SinkError, match="broken"):
        sink.write(result(frame(1)))
    sink.write(result(frame(2)))
    sink.close()
    sink.close()
    assert inner.closed == 1
    assert_only_main_thread()


def test_an_error_is_raised_by_close():
    """If no write has raised it before."""
    inner = Held(SinkError("broken"))
    inner.go.set()
    sink = Background(inner, name="list")
    sink.write(result(frame(0)))
    with pytest.raises(SinkError, match="broken"):
        sink.close()
    sink.close()
    assert_only_main_thread()


def test_leaving_early_writes_what_waits():
    """After an error in the block, everything queued before it reaches the sink, which is closed."""
    inner = Held()
    inner.go.set()

    def fail():
        with Background(inner, name="list") as sink:
            sink.write(result(frame(0)))
            raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        fail()
    assert (inner.calls, inner.closed) == ([0], 1)
    assert_only_main_thread()


def test_a_disk_that_hangs_for_ever_does_not_hold_up_the_end(monkeypatch):
    """The run ends without it after a while, with one message."""
    monkeypatch.setattr(module, "CLOSE_WAIT_S", 0.1)
    lines: list[str] = []
    inner = Held()
    sink = Background(inner, name="clip:here", say=lines.append)
    sink.write(result(frame(0)))
    sink.close()
    assert lines == ["clip:here: still not finished after 0.1 s; incomplete files are lost"]
    inner.go.set()
    sink._thread.join(10)
