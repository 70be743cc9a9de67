"""What a camera showed lately, so that a frame can be had again when an event has come of it."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from edgecls.errors import SourceError
from edgecls.frame import Box
from edgecls.run import ffmpeg
from edgecls.run.remux import Remux
from edgecls.run.sink.shelf import ROUNDED_S
from edgecls.run.source.contract import Reading
from edgecls.run.source.pyav import PyAVSource

if TYPE_CHECKING:
    from edgecls.event import Moment
    from edgecls.frame import Detection, Frame, Result
    from edgecls.packets import Packet, Packets

SAME_S = 2 * ROUNDED_S
"""Two frames are farther apart, and times less far off."""


class _Seen(NamedTuple):
    frame: int
    time_s: float
    size_hw: tuple[int, int]
    detections: tuple[Detection, ...]


class Recent:
    """The detections of the last `late_s`, and the frames of as many bytes as `held_bytes` where they come without packets."""

    def __init__(self, *, late_s: float, held_bytes: int) -> None:
        """Nothing has been seen yet."""
        self._late_s = late_s
        self._held_bytes = held_bytes
        self._packets: Packets | None = None
        self._seen: deque[_Seen] = deque()
        self._frames: deque[Frame] = deque()

    def add(self, result: Result) -> None:
        """Take the newest frame and what was seen in it."""
        frame = result.frame
        self._packets = frame.packets
        self._seen.append(_Seen(frame.index, frame.time_s, frame.size_hw, result.detections))
        while frame.time_s - self._seen[0].time_s > self._late_s:
            self._seen.popleft()
        if frame.packets is None:
            self._frames.append(frame)
        while self._frames and sum(map(_bytes, self._frames)) > self._held_bytes:
            self._frames.popleft()

    def frame_at(self, moment: Moment) -> Frame | None:
        """The very frame of this moment; None where it is gone."""
        held = next((frame for frame in self._frames if frame.index == moment.frame), None)
        if held is not None or self._packets is None:
            return held
        decoded = decoded_again(self._packets, moment.time_s)
        return None if decoded is None else decoded.at(moment.frame, moment.time_s)

    def detections_at(self, moment: Moment, size_hw: tuple[int, int]) -> list[Detection]:
        """What was seen in the frame of this moment, with boxes for a picture of this size."""
        seen = next((seen for seen in self._seen if seen.frame == moment.frame), None)
        return [] if seen is None else [replace(d, box=scaled(d.box, seen.size_hw, size_hw)) for d in seen.detections]


def decoded_again(packets: Packets, time_s: float) -> Frame | None:
    """The frame of this media time, out of the packets that are kept: they become a file in memory, which is read like any
    other, from the key frame on. None where the packets are gone or broken.
    """
    av = ffmpeg.load("Decoding a frame again")
    needed = packets.since(time_s + SAME_S)
    shown = min(needed, key=lambda packet: abs(packets.time_s(packet.pts) - time_s), default=None)
    if shown is None or abs(packets.time_s(shown.pts) - time_s) > SAME_S:
        return None
    after_s = packets.time_s(shown.pts) - packets.time_s(needed[0].pts)
    try:
        memory = _in_memory(av, packets, [packet for packet in needed if packet.dts <= shown.pts])
        with PyAVSource(av, av.open(memory), "", "packets in memory", live=False, reading=Reading()) as source:
            return next((frame for frame in source if abs(frame.time_s - after_s) <= SAME_S), None)
    except (av.FFmpegError, OSError, ValueError, SourceError):  # packets that were broken on their way
        return None


def _in_memory(av: object, packets: Packets, needed: list[Packet]) -> io.BytesIO:
    memory = io.BytesIO()
    file = Remux(av, memory, "matroska", packets.stream, packets.tick)
    for packet in needed:
        file.write(packet)
    file.close()
    memory.seek(0)
    return memory


def scaled(box: tuple[int, int, int, int], from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Box:
    """The same box in a picture of another size."""
    down, across = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    left, top, right, bottom = box
    return Box(round(left * across), round(top * down), round(right * across), round(bottom * down))


def _bytes(frame: Frame) -> int:
    height, width = frame.size_hw
    return 3 * height * width
