"""Write the media time from `edgecls.source.clock` onto the packets that PyAV reads.

A packet gets its media time before it is kept for clips and decoded. The decoder passes it on to the picture, so frames, clips
and snapshots agree, and even a clip of a stream with a wrong clock plays at real speed.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from edgecls.source.clock import LEAST_STEP_S, REORDERED_FRAMES, Clock, FileClock, LiveClock, Presentation
from edgecls.video.packets import DELAYED_FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_TIMESTAMPS = 0x0080
"""AVFMT_NOTIMESTAMPS: a format without timestamps, such as motion JPEG over HTTP. FFmpeg then assumes a frame rate."""
COARSE = Fraction(1, 1000)
"""The longest tick for arrival times, in seconds. Motion JPEG over HTTP has ticks of 1/25 s, which would be too coarse."""
DECODING_TIMES_ONLY = frozenset({"avi"})
"""Formats without presentation times. FFmpeg's guess is wrong for H.264 with B-frames."""
HELD_PACKETS = 64
"""More packets than a decoder holds: those that it reorders, and one per thread."""


class Stamps:
    """Writes media time onto the packets of one stream, in the order they are read, and onto its frames."""

    def __init__(self, container: Any, stream: Any, *, live: bool, keyframes: bool) -> None:
        """Prepare for a stream.

        Args:
            container: PyAV's open container.
            stream: The video stream in it.
            live: Whether its packets arrive in real time.
            keyframes: Whether only key frames are decoded.
        """
        usual_s = 1 / (stream.average_rate or Fraction(25))
        self._finer = ceil(stream.time_base / COARSE) if live else 1
        self.tick: Fraction = stream.time_base / self._finer  # seconds
        self.usual = max(1, round(usual_s / self.tick))  # ticks of a frame
        self._clock: Clock = LiveClock() if live else FileClock(float(usual_s), repeats=1)  # two fields may share a time
        self._timed = not (live and container.format.flags & NO_TIMESTAMPS)
        self._reordered = bool(stream.codec_context.has_b_frames) and not keyframes  # key frames alone are not reordered
        self._guessed = self._reordered and container.format.name in DECODING_TIMES_ONLY
        self._presentation = Presentation(self.usual)
        self._shift = 0
        self._waiting: deque[Any] = deque(maxlen=HELD_PACKETS)  # packets whose presentation time is not known yet
        self._shown: dict[int, int] = {}  # presentation time by FFmpeg's guess of it
        self._newest = 0
        self._last_s: float | None = None

    @property
    def guesses(self) -> bool:
        """Whether presentation times are missing, so that FFmpeg guesses them."""
        return self._guessed

    def stamp(self, packet: Any, arrival_s: float) -> None:
        """Write media time onto a packet that arrived at `arrival_s`, by `time.monotonic()`."""
        if self._finer > 1:
            packet.pts, packet.dts = self._fine(packet.pts), self._fine(packet.dts)
            packet.duration = self._fine(packet.duration)
            packet.time_base = self.tick
        if not packet.size:  # the end of the stream
            return
        pts, dts = (packet.pts, packet.dts) if self._timed else (None, None)
        known = pts if dts is None else dts
        if known is None:
            packet.pts = packet.dts = self._media(None, arrival_s)
        else:
            if dts is not None or not self._reordered:  # otherwise packets do not come in order of their times
                self._shift = self._media(known, arrival_s) - known
            packet.dts = None if dts is None else dts + self._shift
            packet.pts = known + self._shift if pts is None else pts + self._shift
        self._guessed = self._guessed or (self._reordered and pts is None)
        if self._guessed:
            self._presentation.expect(packet.pts)

    def show(self, frame: Any) -> None:
        """Write media time onto a decoded frame. Frames come in presentation order."""
        if self._guessed and frame.pts is not None:
            self._newest = frame.pts
            frame.pts = self._shown[self._newest] = self._presentation.take(self._newest)

    def final(self, packet: Any = None) -> Iterator[Any]:
        """Yield the packets whose times are final, in order.

        This is the packet itself, unless presentation times are guessed; in that case, all packets whose frames have been shown
        since the last call.
        """
        if packet is not None and not self._guessed:
            yield packet
        elif packet is not None:
            self._waiting.append(packet)
        while self._waiting and (found := self._settled(self._waiting[0])) is not None:
            self._waiting.popleft()
            yield from found

    def rising(self, time_s: float) -> float:
        """Return the time of a frame, moved if needed so that it is later than the one before."""
        if self._last_s is not None and time_s <= self._last_s:
            time_s = self._last_s + LEAST_STEP_S
        self._last_s = time_s
        return time_s

    def _settled(self, packet: Any) -> list[Any] | None:
        """Return the packet with its final times in a list, which is empty if it gave no frame; None if that is not known
        yet.
        """
        shown = self._shown.pop(packet.pts, None)
        if shown is None:
            return [] if packet.pts < self._newest - REORDERED_FRAMES * self.usual else None
        packet.pts = shown
        if packet.dts is not None:
            packet.dts -= DELAYED_FRAMES * self.usual  # a picture is decoded before it is shown
        return [packet]

    def _media(self, ticks: int | None, arrival_s: float) -> int:
        stream_s = None if ticks is None else float(ticks * self.tick)
        media_s = self._clock.time_s(stream_s, arrival_s)
        return ticks if ticks is not None and media_s == stream_s else round(media_s / float(self.tick))

    def _fine(self, ticks: int | None) -> int | None:
        return None if ticks is None else ticks * self._finer
