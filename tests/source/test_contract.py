"""Tests of the promises of every source."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edgecls import SourceError
from edgecls.source import (
    FakeSource,
    FolderSource,
    Merged,
    OpenCVSource,
    PyAVSource,
    ReadingSettings,
    Reconnecting,
    Threaded,
)
from edgecls.source.named import Named
from edgecls.source.spans import SpanSource, plan_spans
from tests.drawn import gray_levels, write_video
from tests.run.world import FakeCapture, assert_only_main_thread, web_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.source import Source

LEVELS = list(range(0, 240, 20))
COUNT = len(LEVELS)


@dataclass
class World:
    """What the functions that make sources need."""

    tmp_path: Path
    stack: ExitStack
    monkeypatch: pytest.MonkeyPatch


def camera(world: World, name: str = "cam") -> Source:
    capture = FakeCapture(gray_levels(LEVELS))
    world.monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    return OpenCVSource.camera(0, name)


def stream(world: World) -> Source:
    address = world.stack.enter_context(web_server(gray_levels(LEVELS)))
    return OpenCVSource.stream(f"{address}/camera", "stream")


def video(world: World, name: str = "video") -> Source:
    return OpenCVSource.video(str(write_video(world.tmp_path / f"{name}.avi", gray_levels(LEVELS))), name)


def pyav_stream(world: World) -> Source:
    address = world.stack.enter_context(web_server(gray_levels(LEVELS)))
    return PyAVSource.stream(f"{address}/camera", "stream", ReadingSettings())


def pyav_video(world: World) -> Source:
    return PyAVSource.video(str(write_video(world.tmp_path / "p.avi", gray_levels(LEVELS))), "video", ReadingSettings())


def span(world: World) -> Source:
    path = str(write_video(world.tmp_path / "s.avi", gray_levels(LEVELS * 2)))
    first, _ = plan_spans(path, ReadingSettings(), seconds=len(LEVELS) / 25)
    return SpanSource.open(path, "video", ReadingSettings(), first)


def folder(world: World) -> Source:
    (world.tmp_path / "pictures").mkdir()
    for i, picture in enumerate(gray_levels(LEVELS)):
        cv2.imwrite(str(world.tmp_path / "pictures" / f"{i}.png"), picture)
    return FolderSource(str(world.tmp_path / "pictures"), "folder", say=pytest.fail)


def fake(_world: World, *, live: bool = False) -> Source:
    return FakeSource(gray_levels(LEVELS), name="fake", fps=200.0, live=live)


SOURCES: dict[str, Callable[[World], Source]] = {
    "camera": camera,
    "stream": stream,
    "PyAV stream": pyav_stream,
    "PyAV video": pyav_video,
    "Named": lambda world: Named(pyav_video(world), __file__),
    "span": span,
    "video": video,
    "folder": folder,
    "FakeSource": fake,
    "FakeSource live": lambda world: fake(world, live=True),
    "Threaded": lambda world: Threaded(video(world)),
    "Threaded live": lambda world: Threaded(fake(world, live=True)),
    "Threaded camera": lambda world: Threaded(camera(world)),
    "Reconnecting": lambda world: Reconnecting("cam", lambda: camera(world, "cam"), give_up_after_s=0),
    "Merged": lambda world: Merged([video(world, "a"), folder(world)], say=pytest.fail),
    "Merged live": lambda world: Merged([fake(world, live=True), video(world, "a")], say=pytest.fail),
}
LOSES_AT_ITS_END = {
    "camera",
    "stream",
    "PyAV stream",
    "Threaded camera",
    "Reconnecting",
}  # a device never ends: if it stops, it was lost


@pytest.fixture(params=SOURCES)
def kind(request) -> str:
    """Return each kind of source, by name."""
    return request.param


@pytest.fixture
def opened(kind, tmp_path, monkeypatch) -> Iterator[Source]:
    """Return a source of this kind with the known pictures, and close it after the test."""
    with ExitStack() as stack:
        source = SOURCES[kind](World(tmp_path, stack, monkeypatch))
        stack.callback(source.close)
        yield source
    assert_only_main_thread()


@contextmanager
def known_end(kind: str) -> Iterator[None]:
    """Expect how this kind ends: a lost device raises an error, the others just end."""
    if kind in LOSES_AT_ITS_END:
        with pytest.raises(SourceError, match="no more frames after 12; the camera was lost or stopped sending"):
            yield
    else:
        yield


def all_of(kind: str, source: Source) -> list:
    frames: list = []
    with known_end(kind):
        frames.extend(source)
    return frames


def cameras_of(source: Source) -> set[str]:
    return {each.name for each in getattr(source, "sources", [source])}


def test_frames_come_in_order_and_carry_their_place(kind, opened):
    """Frames have their camera's name, rising indices in 0..n-1, rising times and the right size."""
    began = time.monotonic()
    frames = all_of(kind, opened)
    assert {f.camera for f in frames} == cameras_of(opened)
    for name in cameras_of(opened):
        own = [f for f in frames if f.camera == name]
        indices = [f.index for f in own]
        assert indices == sorted(set(indices))
        assert indices[-1] == COUNT - 1
        assert own[0].time_s >= 0
        assert [f.time_s for f in own] == sorted(f.time_s for f in own)
    for f in frames:
        assert f.size_hw == (48, 64) == f.luma().shape
        assert f.bgr().shape == (48, 64, 3)
        assert began - 60 < f.captured_at <= time.monotonic()


def test_an_index_belongs_to_its_picture(kind, opened):
    """Frame i shows picture i, whatever was skipped before it."""
    for f in all_of(kind, opened):
        assert abs(int(f.bgr().mean()) - LEVELS[f.index]) <= 3  # a JPEG is not exact


def test_nothing_captured_is_unaccounted_for(kind, opened):
    """At the end, returned and skipped frames add up to all frames."""
    frames = all_of(kind, opened)
    assert len(frames) + opened.skipped == COUNT * len(cameras_of(opened))


def test_a_source_that_is_no_device_loses_nothing(kind, opened):
    """Files, folders and lists return every frame and skip none."""
    frames = all_of(kind, opened)
    if opened.live:
        assert frames
    else:
        assert sorted(f.index for f in frames) == sorted(list(range(COUNT)) * len(cameras_of(opened)))
        assert opened.skipped == 0


def test_take_gives_some_but_not_more_than_asked(kind, opened):
    """`take` waits for a frame and returns at most as many as requested; no frames mean the end."""
    sizes = []
    with known_end(kind):
        while frames := opened.take(3):
            sizes.append(len(frames))
    assert sizes
    assert all(1 <= size <= 3 for size in sizes)


def test_after_the_end_comes_nothing(kind, opened):
    """A source that has ended returns None on every call."""
    all_of(kind, opened)
    if kind not in LOSES_AT_ITS_END:
        assert opened.read() is None
        assert opened.read() is None
        assert opened.take(4) == []


def test_leaving_early_and_closing_twice(kind, opened):
    """A caller may stop after one frame and close twice; then there are no frames and no threads."""
    assert opened.read() is not None
    opened.close()
    opened.close()
    assert opened.read() is None
    assert opened.take(4) == []


def test_closing_unread(kind, opened):
    """A source from which nothing was read can be closed."""
    opened.close()
    assert opened.read() is None


def test_with_closes(kind, opened):
    """`with` returns the source itself and closes it, also after an error in the block."""

    def fail():
        with opened as entered:
            assert entered is opened
            raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        fail()
    assert opened.read() is None


def test_frames_are_read_only_and_stay_as_they_are(kind, opened):
    """A frame may be kept: it is read-only, and later frames do not change it."""
    frames, before = [], []
    with known_end(kind):
        for frame in opened:  # a camera in a thread may have only one left
            frames.append(frame)
            before.append(np.array(frame.bgr()))
            with pytest.raises(ValueError, match="read-only"):
                frame.bgr()[0, 0] = 0
            with pytest.raises(ValueError, match="read-only"):
                frame.luma()[0, 0] = 0
    assert frames
    assert all((f.bgr() == picture).all() for f, picture in zip(frames, before, strict=True))


def test_frames_of_a_recording_name_their_file_and_others_none(opened):
    """A video has its path as given, because recorders use the same file names every hour; a picture has its name in the
    folder.
    """
    frame = opened.read()
    assert bool(frame.file) == (frame.camera in {"video", "folder", "a"})
    assert frame.camera == "folder" or not frame.file or Path(frame.file).is_file()
