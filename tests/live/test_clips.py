"""Clips and snapshots of cameras on a network."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

from edgecls import open_source
from edgecls.event import Event, Moment
from edgecls.sink import ClipSink, CutSettings, SnapshotSink
from tests.drawn import gray_levels
from tests.live.rtsp import rtsp_server, write_units
from tests.run.footage import KEEP, levels_of
from tests.run.world import assert_only_main_thread, result, web_server

if TYPE_CHECKING:
    from edgecls.frame import Frame

FPS = 20
LEVELS = list(range(20, 240, 4))


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert_only_main_thread()


def event_of(first: Frame, last: Frame | None = None, label: str = "truck") -> Event:
    """From the one frame to the other, with times as they are told."""
    start, end = (None if f is None else Moment(f.index, round(f.time_s, 3)) for f in (first, last))
    return Event("state", "gate", "zone", label, 0.9, start, end)


def watch(source, sinks, frames: list[Frame], seconds: float) -> None:
    """Read for so long and give every frame to the sinks."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        frame = source.read()
        frames.append(frame)
        for sink in sinks:
            sink.write(result(frame))


def test_a_clip_of_an_rtsp_camera(tmp_path):
    """It has a second before the event and one after it, and plays from a key frame on, at the media time of its frames; the
    snapshot is the frame that the event began with. The clip of an event during which the camera is cut off ends there.
    """
    units = write_units(tmp_path / "light.units", gray_levels(LEVELS, (240, 320)), fps=FPS)
    frames: list[Frame] = []
    with (
        rtsp_server(units, fps=FPS) as camera,
        ClipSink(tmp_path, CutSettings(1.0, 1.0)) as clips,
        SnapshotSink(tmp_path) as pictures,
        open_source(f"gate={camera.url}", reading=KEEP, on_state=clips.write_state) as source,
    ):
        sinks = (clips, pictures)
        watch(source, sinks, frames, 3.0)
        began, ended = frames[-15], frames[-5]
        for sink in sinks:
            sink.write_event(event_of(began))
            sink.write_event(event_of(began, ended))
        watch(source, sinks, frames, 2.0)
        cut_off = frames[-1]
        clips.write_event(event_of(cut_off, label="bus"))
        camera.kill()
        camera.start()
        while frames[-1].packets is cut_off.packets:
            watch(source, sinks, frames, 0.05)
        watch(source, sinks, frames, 0.5)
    truck, bus = (next(tmp_path.glob(f"gate-*-{label}.mp4")) for label in ("truck", "bus"))
    said = json.loads(truck.with_suffix(".json").read_text())["clip"]
    assert said["first_s"] <= began.time_s - 1.0 + 1e-3
    assert said["first_s"] >= began.time_s - 1.0 - 10 / FPS - 0.1
    assert said["last_s"] == pytest.approx(ended.time_s + 1.0, abs=1.5 / FPS)
    assert (said["cut_short"], said["missing_packets"]) == (None, 0)
    with av.open(str(truck)) as container:
        shown = [float(f.time) for f in container.decode(video=0)]
    of_frames = [f.time_s - said["first_s"] for f in frames if said["first_s"] - 1e-3 <= f.time_s <= said["last_s"] + 1e-3]
    assert len(shown) >= len(of_frames) > 20  # a frame that the run skipped is in the clip all the same
    assert max(min(abs(time_s - at) for at in shown) for time_s in of_frames) <= 2e-3
    (picture,) = tmp_path.glob("*.jpg")
    assert cv2.imread(str(picture)).mean() == pytest.approx(began.bgr().mean(), abs=1)
    said = json.loads(bus.with_suffix(".json").read_text())["clip"]
    assert said["cut_short"] == "the stream was lost"
    assert said["last_s"] < frames[-1].time_s
    assert len(levels_of(bus)) == said["packets"]


def test_a_clip_of_a_motion_jpeg_camera(tmp_path):
    """Its pictures are in a Matroska file, byte for byte what the camera sent."""
    frames: list[Frame] = []
    pictures = gray_levels(LEVELS * 20)
    with (
        web_server(pictures, wait_s=0.02) as address,
        ClipSink(tmp_path, CutSettings(0.5, 0.5)) as clips,
        SnapshotSink(tmp_path) as snapshots,
        open_source(f"gate={address}/camera", reading=KEEP, on_state=clips.write_state) as source,
    ):
        watch(source, (clips, snapshots), frames, 2.0)
        for sink in (clips, snapshots):
            sink.write_event(event_of(frames[-10], frames[-5]))
        watch(source, (clips, snapshots), frames, 1.0)
    (clip,) = tmp_path.glob("gate*.mkv")
    with av.open(str(clip)) as container:
        data = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    sent = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures[: len(LEVELS)]]
    assert len(data) > 5
    assert set(data) <= set(sent)
    (picture,) = tmp_path.glob("*.jpg")
    assert np.abs(cv2.imread(str(picture)).astype(int) - frames_level(frames, picture)).max() <= 3


def frames_level(frames: list[Frame], picture) -> int:
    """The level of the frame that a snapshot's event began with."""
    start = json.loads(picture.with_suffix(".json").read_text())["event"]["start"]["frame"]
    return round(float(next(f for f in frames if f.index == start).bgr().mean()))
