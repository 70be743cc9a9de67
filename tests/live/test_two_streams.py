"""A camera with two streams: the small one is watched, the main one decoded on request. All pictures tell their numbers."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edgecls import ReadingSettings, open_source
from edgecls.regions.geometry import Polygon
from edgecls.regions.sharp import is_ready
from edgecls.source import kept_decoder, two_streams
from tests.live.rtsp import rtsp_server, write_units
from tests.run.world import assert_only_main_thread
from tests.source.two import MAIN_HW, SUB_HW, in_a_scene, number_of, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.frame import Frame

FPS, SUB_FPS, COUNT = 20, 10, 240
"""The main stream has two pictures for one of the substream, and a key frame each two seconds."""


@pytest.fixture(scope="module")
def units(tmp_path_factory) -> Path:
    """Twelve seconds of the main stream."""
    folder = tmp_path_factory.mktemp("two")
    return write_units(folder / "main.units", [numbered(i, MAIN_HW) for i in range(COUNT)], fps=FPS, gop=2 * FPS)


@pytest.fixture(scope="module")
def camera(units):
    """A camera with both streams; pictures of the same moment have the same number."""
    small = [numbered(i, SUB_HW) for i in range(0, COUNT, FPS // SUB_FPS)]
    sub = write_units(units.with_name("sub.units"), small, fps=SUB_FPS, gop=SUB_FPS)
    more = ["--gop", str(2 * FPS), "--sub", str(sub), "--sub-fps", str(SUB_FPS), "--sub-gop", str(SUB_FPS)]
    with rtsp_server(units, fps=FPS, more=more) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert_only_main_thread()


def until(source, wanted, *, most_s: float = 15.0, asks: bool = True) -> Frame:
    """Read, and ask for each main frame unless told otherwise, until a frame is as wanted: `wanted(frame, ready)`."""
    end_s = time.monotonic() + most_s
    while time.monotonic() < end_s:
        frame = source.read()
        if wanted(frame, is_ready(frame) if asks else False):
            return frame
    raise AssertionError("it did not happen")


def apart(frame) -> int:
    """Return by how many pictures of the main stream its frame is off."""
    off = number_of(frame.sharp) - number_of(frame)
    return (off + COUNT // 2) % COUNT - COUNT // 2


def test_main_frames_are_of_the_same_moment(camera, monkeypatch):
    """Nothing of the main stream is decoded until it is asked for; from then on, after its last group was caught up with, each
    frame has the main frame of its moment, to within one frame of the substream.
    """
    decoded = []
    decode = kept_decoder.KeptDecoder._decoded
    monkeypatch.setattr(kept_decoder.KeptDecoder, "_decoded", lambda self, p: decoded.append(p) or decode(self, p))
    said: list[str] = []
    reading = ReadingSettings(substream=camera.sub_url, keep_s=3.0)
    with open_source(f"gate={camera.url}", reading=reading, say=said.append, on_state=lambda _: None) as source:
        until(source, lambda frame, _: frame.packets is not None and frame.packets.apart_s, asks=False)
        quiet = [source.read() for _ in range(SUB_FPS)]
        assert decoded == []
        until(source, lambda frame, _: frame.sharp is not None)
        sharp = [frame for frame in (until(source, lambda *_: True) for _ in range(2 * SUB_FPS)) if frame.sharp is not None]
    assert [frame.sharp for frame in quiet if frame.sharp] == []
    assert len(sharp) >= SUB_FPS
    assert max(abs(apart(frame)) for frame in sharp) < FPS // SUB_FPS
    assert quiet[-1].packets.since(quiet[-1].time_s)[0].is_key
    assert said == []


def test_a_main_stream_that_comes_late(tmp_path):
    """As behind a relay that buffers: one line, and from then on main frames are of the same moment again."""
    late_s = 0.6
    pictures = [in_a_scene((i - round(late_s * FPS)) % COUNT, MAIN_HW) for i in range(COUNT)]
    units = write_units(tmp_path / "late.units", pictures, fps=FPS, gop=2 * FPS)
    small = [in_a_scene(i, SUB_HW) for i in range(0, COUNT, FPS // SUB_FPS)]
    sub = write_units(tmp_path / "sub.units", small, fps=SUB_FPS, gop=SUB_FPS)
    more = ["--gop", str(2 * FPS), "--sub", str(sub), "--sub-fps", str(SUB_FPS), "--sub-gop", str(SUB_FPS)]
    said: list[str] = []
    with rtsp_server(units, fps=FPS, more=more) as late:
        reading = ReadingSettings(substream=late.sub_url, keep_s=3.0)
        with open_source(f"gate={late.url}", reading=reading, say=said.append, on_state=lambda _: None) as source:
            before = until(source, lambda frame, _: frame.sharp is not None)
            assert abs(apart(before) + late_s * FPS) < FPS // SUB_FPS
            until(source, lambda *_: bool(said), most_s=30)
            after = [until(source, lambda frame, _: frame.sharp is not None) for _ in range(SUB_FPS)]
    assert max(abs(apart(frame)) for frame in after) < FPS // SUB_FPS
    assert len(said) == 1
    assert said[0].startswith("gate: source shows things 0.")
    assert "later than substream; they are brought together" in said[0]


def test_a_main_stream_that_is_lost_and_comes_back(units, tmp_path, monkeypatch):
    """Killed: one line, and frames can be classified at once as they are; started again: one line, and main frames come.

    Stopped, so that it is connected and says nothing: one line, after a while frames can be classified, and then it goes on.
    """
    monkeypatch.setattr(two_streams, "LATE_S", 2.0)
    sub = write_units(tmp_path / "sub.units", [numbered(0, SUB_HW)] * 20, fps=SUB_FPS, gop=SUB_FPS)
    said: list[str] = []
    with rtsp_server(units, fps=FPS) as main, rtsp_server(sub, fps=SUB_FPS) as small:
        reading = ReadingSettings(substream=small.url, keep_s=3.0)
        with open_source(f"gate={main.url}", reading=reading, say=said.append, on_state=lambda _: None) as source:
            of_main = until(source, lambda frame, _: frame.sharp is not None).packets
            main.stop()
            until(source, lambda frame, ready: ready and frame.sharp is None)
            main.go_on()
            until(source, lambda frame, _: frame.sharp is not None)
            assert [line.partition(",")[0] for line in said] == [
                "gate: no picture of the main stream for 2 s",
                "gate: the main stream can be decoded again",
            ]
            said.clear()
            main.kill()
            lost = until(source, lambda frame, ready: ready and frame.sharp is None)
            assert lost.packets is not of_main
            assert lost.packets.since(lost.time_s)[0].size < of_main.since(0.0)[0].size  # clips are of the substream now
            main.start()
            until(source, lambda frame, _: frame.sharp is not None)
    assert [line.partition(" (")[0] for line in said] == ["gate: main stream lost", "gate: the main stream is back"]


def test_a_wrong_password_of_the_main_stream(units, tmp_path):
    """It is refused in one line that does not show it, and not tried again; the substream is classified."""
    sub = write_units(tmp_path / "sub.units", [numbered(0, SUB_HW)] * 20, fps=SUB_FPS, gop=SUB_FPS)
    said: list[str] = []
    with rtsp_server(units, fps=FPS, user="boss", password="secret") as main, rtsp_server(sub, fps=SUB_FPS) as small:  # noqa: S106
        url = main.url.replace("rtsp://", "rtsp://boss:wrongword@")
        with open_source(
            f"gate={url}", reading=ReadingSettings(substream=small.url), say=said.append, on_state=print
        ) as source:
            assert until(source, lambda _, ready: ready).sharp is None
    assert len(said) == 1
    assert "user and password are refused" in said[0]
    assert "wrongword" not in said[0]


def test_the_main_stream_is_watched_while_the_substream_is_lost(units, tmp_path):
    """Killed: one line, and frames go on, in the size and by the clock of the substream, each with its main frame and black
    where it is private; started again: one line. The camera is lost only when both are.
    """
    sub = write_units(tmp_path / "sub.units", [numbered(170, SUB_HW)] * 20, fps=SUB_FPS, gop=SUB_FPS)
    said: list[str] = []
    states: list[str] = []
    with rtsp_server(units, fps=FPS) as main, rtsp_server(sub, fps=SUB_FPS) as small:
        private = (Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 0.2), (0.0, 0.2))),)
        reading = ReadingSettings(substream=small.url, keep_s=3.0, fps=SUB_FPS, private=private)
        with open_source(
            f"gate={main.url}", reading=reading, say=said.append, on_state=lambda change: states.append(change.state)
        ) as source:
            before = until(source, lambda frame, _: frame.packets is not None and frame.packets.apart_s, asks=False)
            small.kill()
            instead = until(source, lambda *_: bool(said), asks=False)
            more = [instead, *(source.read() for _ in range(2 * SUB_FPS))]
            assert {frame.size_hw for frame in more} == {SUB_HW}
            assert {frame.sharp.size_hw for frame in more} == {MAIN_HW}
            assert all(is_ready(frame) for frame in more)
            numbers = [number_of(frame) for frame in more]
            steps = [(after - number) % COUNT for number, after in pairwise(numbers)]
            assert set(steps) <= {1, 2, 3}
            assert [number_of(frame.sharp) for frame in more] == numbers
            assert not any(frame.luma()[: frame.size_hw[0] // 6].any() for frame in (*more, more[0].sharp, more[-1].sharp))
            assert all(frame.public_packets is None and frame.packets is not None for frame in more)
            small.start()
            back = until(source, lambda frame, _: frame.sharp is None, asks=False)
            frames = [before, *more, back, source.read()]
            assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
            assert [frame.time_s for frame in frames] == sorted({frame.time_s for frame in frames})
            assert [frame.at_s for frame in frames] == sorted(frame.at_s for frame in frames)
            assert back.time_s - before.time_s == pytest.approx(back.at_s - before.at_s, abs=0.6)
            assert states == ["connecting", "live"]
            assert [line.partition(" (")[0] for line in said] == ["gate: substream lost", "gate: the substream is back"]
            main.kill()
            small.kill()
            main.start()
            until(source, lambda frame, _: frame.sharp is not None and len(states) > 3, asks=False, most_s=30)
    assert states == ["connecting", "live", "lost", "live"]


def test_a_substream_that_was_never_there(units):
    """The main stream is watched from the start, in its own size, from time 0 on, and said so once."""
    said: list[str] = []
    with rtsp_server(units, fps=FPS) as main:
        gone = main.url.replace("/cam", "/nothing")
        reading = ReadingSettings(substream=gone)
        with open_source(f"gate={main.url}", reading=reading, say=said.append, on_state=lambda _: None) as source:
            frames = [source.read() for _ in range(FPS)]
    assert {frame.size_hw for frame in frames} == {MAIN_HW}
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    assert 0 <= frames[0].time_s < 1
    assert frames[-1].time_s - frames[0].time_s == pytest.approx(1.0, abs=0.5)
    assert [line.partition(" (")[0] for line in said] == ["gate: substream lost"]
