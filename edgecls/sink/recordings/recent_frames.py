"""The recent frames of a camera, from which the frame of an event can be recovered."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from edgecls import image
from edgecls.errors import SourceError
from edgecls.sink.recordings.folder import EVENT_TIME_STEP_S
from edgecls.source.pyav import PyAVSource
from edgecls.source.source import ReadingSettings
from edgecls.video import ffmpeg
from edgecls.video.remux import Remux

if TYPE_CHECKING:
    from edgecls.event import Moment
    from edgecls.frame import Detection, Frame, Result
    from edgecls.overlay import Overlay
    from edgecls.picture import Paint
    from edgecls.video.packets import Packet, Packets

SAME_S = 2 * EVENT_TIME_STEP_S
"""Tolerance of frame times: below the distance between frames, above the rounding of times."""


class _Seen(NamedTuple):
    frame: int
    time_s: float
    size_hw: tuple[int, int]
    detections: tuple[Detection, ...]
    overlay: Overlay | None = None


class RecentFrames:
    """Keeps the detections of the last `late_s` seconds, and up to `held_bytes` bytes of frames that have no packets."""

    def __init__(self, *, late_s: float, held_bytes: int) -> None:
        """Start empty."""
        self._late_s = late_s
        self._held_bytes = held_bytes
        self._packets: Packets | None = None
        self._camera = ""
        self._paint: Paint | None = None
        self._seen: deque[_Seen] = deque()
        self._frames: deque[Frame] = deque()

    def add(self, result: Result) -> None:
        """Add the newest result."""
        frame = result.frame
        self._packets, self._camera, self._paint = frame.packets, frame.camera, frame.paint
        self._seen.append(_Seen(frame.index, frame.time_s, frame.size_hw, result.detections, result.overlay))
        while frame.time_s - self._seen[0].time_s > self._late_s:
            self._seen.popleft()
        if frame.packets is None:
            self._frames.append(frame)
        while self._frames and sum(map(_bytes, self._frames)) > self._held_bytes:
            self._frames.popleft()

    def frame_at(self, moment: Moment) -> Frame | None:
        """Return the frame of this moment, or None if it is no longer available."""
        held = next((frame for frame in self._frames if frame.index == moment.frame), None)
        if held is not None or self._packets is None:
            return held
        decoded = _decode_again(self._packets, moment.time_s)
        if decoded is None:
            return None
        frame = decoded.at(moment.frame, moment.time_s)
        frame.camera = self._camera  # packets do not contain the name
        return frame if self._paint is None else frame.painted(self._paint)

    def overlay_at(self, moment: Moment) -> Overlay | None:
        """Return the overlay of the frame of this moment, or None if it is no longer available."""
        return next((seen.overlay for seen in self._seen if seen.frame == moment.frame), None)

    def detections_at(self, moment: Moment, size_hw: tuple[int, int]) -> list[Detection]:
        """Return the detections in the frame of this moment, with boxes scaled to `size_hw` (height, width)."""
        seen = next((seen for seen in self._seen if seen.frame == moment.frame), None)
        return [] if seen is None else [replace(d, box=image.scaled(d.box, seen.size_hw, size_hw)) for d in seen.detections]


def _decode_again(packets: Packets, time_s: float) -> Frame | None:
    """Decode the frame at a media time from the kept packets. Returns None if they are missing or damaged.

    The packets since the last key frame are written to a file in memory, which is read like any other file.
    """
    av = ffmpeg.load("Decoding a frame again")
    needed = packets.since(time_s + max(SAME_S, packets.apart_s / 2))
    shown = min(needed, key=lambda packet: abs(packets.time_s(packet.pts) - time_s), default=None)
    if shown is None or abs(packets.time_s(shown.pts) - time_s) > max(SAME_S, packets.apart_s):
        return None
    after_s = packets.time_s(shown.pts) - packets.time_s(needed[0].pts)
    try:
        memory = _in_memory(av, packets, [packet for packet in needed if packet.dts <= shown.pts])
        with PyAVSource(av, av.open(memory), "", "packets in memory", live=False, reading=ReadingSettings()) as source:
            return next((frame for frame in source if abs(frame.time_s - after_s) <= SAME_S), None)
    except (av.FFmpegError, OSError, ValueError, SourceError):  # packets damaged in transmission
        return None


def _in_memory(av: object, packets: Packets, needed: list[Packet]) -> io.BytesIO:
    memory = io.BytesIO()
    file = Remux(av, memory, "matroska", packets.stream, packets.tick)
    for packet in needed:
        file.write(packet)
    file.close()
    memory.seek(0)
    return memory


def _bytes(frame: Frame) -> int:
    height, width = frame.size_hw
    return 3 * height * width
