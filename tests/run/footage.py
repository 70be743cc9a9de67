"""Drawn footage for clips: encoded streams in which every packet and picture is known, and their events."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from edgecls.event import Event, Moment
from edgecls.source import ReadingSettings, open_source
from tests.run.world import result

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.frame import Frame
    from edgecls.sink import Sink

FPS = 25
KEEP = ReadingSettings(keep_s=15.0)


def level(index: int) -> int:
    """Return the luma level of picture `index`, by which it is recognized: 100 levels, two apart."""
    return 30 + 2 * (index % 100)


def write_footage(
    path: Path, frames: int = 250, *, codec: str = "libx264", gop: int = 25, bframes: int = 0,
    size_hw: tuple[int, int] = (48, 64), fmt: str | None = None, first: int = 0, **options: str,
) -> Path:  # fmt: skip
    """Write pictures of known levels at 25 frames per second, with a key frame every `gop`."""
    with av.open(str(path), "w", format=fmt) as container:
        if codec == "libx264":
            options = {"g": str(gop), "bf": str(bframes), "crf": "1", "sc_threshold": "0", "preset": "ultrafast"} | options
            options |= {"b_strategy": "0"} if bframes else {}
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width = size_hw
        stream.pix_fmt = pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = gop
        for i in range(frames):
            planes = np.full((size_hw[0] * 3 // 2, size_hw[1]), 128, np.uint8)
            planes[: size_hw[0]] = level(first + i)
            frame = av.VideoFrame.from_ndarray(planes, format=pixels)
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packets_of(path: Path) -> list[tuple[float, bool, bytes]]:
    """Return, for each packet of a file in order, the seconds since the first picture, whether it is a key frame, and its
    bytes.
    """
    with av.open(str(path)) as container:
        found = [(p.pts * p.time_base, p.is_keyframe, bytes(p)) for p in container.demux(video=0) if p.size]
    first = min(time for time, _, _ in found)
    return [(float(time - first), key, data) for time, key, data in found]


def levels_of(path: Path) -> list[int]:
    """Return the level of each decoded picture of a file."""
    with av.open(str(path)) as container:
        return [round(float(_luma(frame).mean())) for frame in container.decode(video=0)]


def _luma(decoded: av.VideoFrame) -> np.ndarray:
    plane = decoded.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: decoded.height, : decoded.width]


def moment(index: int, *, at_s: float | None = None) -> Moment:
    """Return the moment of this frame at 25 frames per second."""
    return Moment(index, round(index / FPS, 3), at_s)


def event(start: int, end: int | None = None, *, label: str = "truck", camera: str = "gate", **more: object) -> Event:
    """Return a state of a region from one frame to another."""
    ended = None if end is None else moment(end)
    return Event("state", camera, "zone", label, 0.9, moment(start), ended, **more)


def told(sink: Sink, frame: Frame, plan: dict[int, list[Event]]) -> None:
    """Pass a frame to a sink, and the events that are reported with it."""
    sink.write(result(frame))
    for one in plan.get(frame.index, ()):
        sink.write_event(one)


def play(path: Path | str, sink: Sink, plan: dict[int, list[Event]], *, reading: ReadingSettings = KEEP) -> None:
    """Read a file as camera `gate`, pass its frames to a sink, and each event with the frame in which it is reported; then
    close.
    """
    with sink, open_source(f"gate={path}", reading=reading) as source:
        for frame in source:
            told(sink, frame, plan)
