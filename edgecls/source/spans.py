"""Read a video in spans that begin at key frames, so that several processes can share a long one.

    for span in plan_spans("day.mp4", ReadingSettings(), seconds=600):
        with SpanSource.open("day.mp4", "door", ReadingSettings(), span) as source:
            ...

All spans together give the same frames, with the same numbers and times, as the whole file. `plan_spans` looks at all packets
without decoding them, and gives no spans where that is not certain: timestamps that are missing or go backwards, damaged data,
an unusual codec. Decoding begins one group of pictures before a span, so pictures that refer across a key frame (open groups)
and gradual refreshes are complete at its begin. `SpanSource` raises `SpanError` if a picture is missing after all, because some
packets hold none; then the file must be read as a whole.
"""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from edgecls.errors import SourceError
from edgecls.source import container as opening
from edgecls.source.decoded import as_frame
from edgecls.source.pyav import PyAVSource
from edgecls.source.source import ReadingSettings, check_file
from edgecls.video import ffmpeg
from edgecls.video.completeness import missing_bytes
from edgecls.video.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edgecls.frame import Frame

CODECS = frozenset({"av1", "ffv1", "h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9"})
FORMATS = frozenset({"avi", "matroska", "mov", "mpegts", "webm"})
"""Codecs and containers whose spans were compared with the whole file, picture by picture."""
UNKNOWN = -(1 << 63)
"""A decoding time that the file does not state."""
BACK_S = (0.0, 1.0, 4.0, 16.0, 64.0)
"""How many seconds further back to seek until that leads to a place before the key frame. MPEG-TS has no index."""


class SpanError(SourceError):
    """A span does not have the pictures that its packets promise. The file must be read as a whole."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video. Frames are numbered as in the whole file, in the order in which they are shown.

    Attributes:
        index: Which of the spans this is, from 0.
        count: How many there are.
        first: The number of its first frame.
        stop: The number of the first frame after it.
        begin: The number of the first frame that is read: `first`, or earlier for a warm-up.
        begin_pts: The timestamp of that frame, in ticks.
        stop_pts: The timestamp of the first frame after the span, in ticks; None at the end of the file.
        before_pts: The timestamp of the frame before `begin`, in ticks; None if there is none.
        zero_pts: The timestamp of the first frame of the file, in ticks.
        seek_pts: The timestamp of the key frame with which decoding begins, in ticks; None if it begins with the file.
        seek_dts: Its decoding time, in ticks.
    """

    index: int
    count: int
    first: int
    stop: int
    begin: int
    begin_pts: int
    stop_pts: int | None
    before_pts: int | None
    zero_pts: int
    seek_pts: int | None = None
    seek_dts: int | None = None


def plan_spans(path: str, reading: ReadingSettings, *, seconds: float, warm_up_s: float = 0.0) -> list[Span]:
    """Cut a video into spans at key frames.

    Args:
        path: The file.
        reading: How it is read.
        seconds: About how long spans are to be.
        warm_up_s: How much earlier each span begins to be read, in seconds, for what needs to have seen what was before.

    Returns:
        The spans; an empty list if the file is too short, or must be read as a whole.
    """
    is_plain = reading.decoder != "opencv" and reading.decode == "software" and not (reading.keyframes or reading.keep_s)
    if not is_plain or (reading.every > 1 and reading.fps is not None):
        return []
    check_file(path)
    av = ffmpeg.load("Decoding with PyAV")
    try:
        with opening.open_file(av, path) as container:
            stream = opening.video_stream(container, path, live=False)
            if stream.codec_context.name not in CODECS or not FORMATS & set(container.format.name.split(",")):
                return []
            if container.format.name == "avi" and stream.codec_context.has_b_frames:
                return []  # it has no presentation times
            packets = _scan(container, stream, path)
            tick_s = float(stream.time_base)
    except opening.faults(av):
        return []
    return [] if packets is None else _cut(packets, round(seconds / tick_s), round(warm_up_s / tick_s))


class _Packets:
    """The timestamps of all packets, in ticks: `dts` and `pts` in the order of the file, `shown` those of the pictures in
    order, and `keys` the places of key frames in the file.
    """

    def __init__(self, pts: NDArray[np.int64], dts: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
        self.pts, self.dts, self.keys = pts, dts, keys
        self.shown = np.sort(pts)


def _scan(container: Any, stream: Any, path: str) -> _Packets | None:
    """Read all packets. Returns None if something about them is not regular."""
    pts, dts, keys = array("q"), array("q"), array("q")
    structure = Structure(path)
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            if packet.pts is None or packet.is_corrupt or packet.is_discard or structure.has_gap(packet.pos):
                return None
            if packet.is_keyframe:
                keys.append(len(pts))
            pts.append(packet.pts)
            dts.append(UNKNOWN if packet.dts is None else packet.dts)
        if structure.ends_in_gap():
            return None
    finally:
        structure.close()
    if not keys or keys[0] or missing_bytes(path) or stream.frames not in (0, len(pts)):
        return None
    found = _Packets(*(np.frombuffer(values, np.int64) for values in (pts, dts, keys)))
    known = found.dts[found.dts != UNKNOWN]  # Matroska has none at its begin
    is_rising = bool(np.all(np.diff(known) > 0) and np.all(np.diff(found.shown) > 0))
    return found if is_rising and found.shown[0] == found.pts[0] else None


def _cut(packets: _Packets, ticks: int, warm_up: int) -> list[Span]:
    key_pts = packets.pts[packets.keys]
    if np.any(np.diff(key_pts) <= 0):
        return []
    length = int(packets.shown[-1] - packets.shown[0])
    count = max(1, round(length / max(1, ticks)))
    wanted = [packets.shown[0] + length * i // count for i in range(count)]
    cuts = sorted({int(np.argmin(np.abs(key_pts - one))) for one in wanted})
    if len(cuts) < 2:
        return []
    return list(_spans(packets, key_pts, cuts, warm_up))


def _spans(packets: _Packets, key_pts: NDArray[np.int64], cuts: list[int], warm_up: int) -> Iterator[Span]:
    """Yield the spans that begin at these key frames, which are numbered among the key frames."""
    shown = packets.shown
    numbers = np.searchsorted(shown, key_pts)  # of the frames that key frames are
    for i, cut in enumerate(cuts):
        after = cuts[i + 1] if i + 1 < len(cuts) else None
        begin = max(0, int(np.searchsorted(key_pts, key_pts[cut] - warm_up, "right")) - 1)
        seek = begin - 1 if begin else None
        yield Span(
            index=i,
            count=len(cuts),
            first=int(numbers[cut]),
            stop=len(shown) if after is None else int(numbers[after]),
            begin=int(numbers[begin]),
            begin_pts=int(key_pts[begin]),
            stop_pts=None if after is None else int(key_pts[after]),
            before_pts=int(shown[numbers[begin] - 1]) if begin else None,
            zero_pts=int(shown[0]),
            seek_pts=None if seek is None else int(key_pts[seek]),
            seek_dts=None if seek is None else int(packets.dts[packets.keys[seek]]),
        )


def _is_before(packet: Any, pts: int, dts: int) -> bool:
    """Whether a packet is the key frame with these timestamps, or comes before it."""
    if packet.dts is not None and dts != UNKNOWN:
        return bool(packet.dts <= dts)
    return bool(packet.is_keyframe and packet.pts is not None and packet.pts <= pts)


class SpanSource(PyAVSource):
    """The frames of a span, and before them those of its warm-up."""

    def __init__(self, av: Any, container: Any, name: str, where: str, *, reading: ReadingSettings, span: Span) -> None:
        """Wrap an open container. See `open`."""
        super().__init__(av, container, name, where, live=False, reading=reading)
        self._span = span
        self._has_come_early = span.seek_pts is None
        self._is_over = False
        self._first_s = self._seconds(span.zero_pts)
        self._sampler.go_on(span.begin, None if span.before_pts is None else self._seconds(span.before_pts) - self._first_s)
        try:
            self._seek()
        except opening.faults(av) as error:
            self.close()
            raise SpanError(f"{where}: cannot be read from its middle ({opening.reason(error)})") from error

    @classmethod
    def open(cls, path: str, name: str, reading: ReadingSettings, span: Span) -> Self:
        """Open a video file to read one of its spans, which `plan_spans` has planned with the same settings.

        Raises:
            SpanError: The file cannot be read from its middle.
            SourceError: It is missing or not a video.
        """
        check_file(path)
        av = ffmpeg.load("Decoding with PyAV")
        return cls(av, opening.open_file(av, path), name, path, reading=reading, span=span)

    def read(self) -> Frame | None:
        """Decode up to the next chosen frame. Raises SpanError if the span does not have all its pictures."""
        if self._container is None:
            return None
        while not self._is_over and (found := self._next()) is not None:
            decoded = found[1]
            if decoded.pts is None:
                break
            if decoded.pts < self._span.begin_pts:
                self._has_come_early = True
                continue
            if self._span.stop_pts is not None and decoded.pts >= self._span.stop_pts:
                break
            index = self._span.begin + self._given
            time_s = self._media_s(index, decoded)
            self._given += 1
            if self._sampler.wants(time_s):
                frame = as_frame(decoded, self._scaler, self.name, index, time_s, time.monotonic(), self._rotation)
                frame.file = self._where
                return frame
        if not self._is_over and not (self._has_come_early and self._given == self._span.stop - self._span.begin):
            raise SpanError(f"{self._where}: a span has {self._given} frames, not {self._span.stop - self._span.begin}")
        self._is_over = True
        return None

    def _seek(self) -> None:
        """Go to a place before the key frame with which decoding begins."""
        span = self._span
        if span.seek_pts is None or span.seek_dts is None:
            return
        for back_s in BACK_S:
            target = span.seek_pts - round(back_s / float(self._stream.time_base))
            self._container.seek(target, stream=self._stream)
            packet = next(self._container.demux(self._stream), None)
            if packet is not None and _is_before(packet, span.seek_pts, span.seek_dts):
                self._container.seek(target, stream=self._stream)
                return
        raise SpanError(f"{self._where}: cannot be read from its middle")

    def _seconds(self, ticks: int) -> float:
        """Return the time of a picture as PyAV computes it."""
        base = self._stream.time_base
        return float(ticks) * float(base.numerator) / float(base.denominator)
