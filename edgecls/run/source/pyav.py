"""Network streams and video files through PyAV, which hands out what the decoder made.

A gray model takes the decoder's own Y plane, without a conversion and without a copy. OpenCV's reader converts every frame
to colour first: that costs about as much as decoding it, and a gray model throws it away.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import image
from edgecls.errors import SourceError, redact
from edgecls.frame import Frame
from edgecls.packets import Packets
from edgecls.run import ffmpeg, remux
from edgecls.run.source.choice import Choice
from edgecls.run.source.contract import (
    Reading,
    Source,
    check_end,
    check_file,
    denied,
    lost,
    no_video,
    not_opened,
    stalled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.frame import Picture

BITS_OF = {
    **dict.fromkeys(("gray", "nv12", "nv21", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"), 8),
    **dict.fromkeys(("gray10le", "yuv420p10le", "yuv422p10le", "yuv444p10le"), 10),
    **dict.fromkeys(("gray12le", "yuv420p12le", "yuv422p12le", "yuv444p12le"), 12),
    **dict.fromkeys(("p010le", "p210le", "p410le", "p012le", "p016le", "gray16le"), 16),  # the value in the upper bits
}
"""Pixel formats whose first plane is the gray picture, with the bits of a level there; others are converted."""
FULL_RANGE_FORMATS = frozenset({"gray", "gray10le", "gray12le", "gray16le", "yuvj420p", "yuvj422p", "yuvj444p"})
FULL_RANGE = 2  # AVCOL_RANGE_JPEG


AVERAGED = 0x20 | 0x2000 | 0x40000
"""SWS_AREA | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND: each pixel the average of its area, and as exact as FFmpeg can."""


class PyAVSource(Source):
    """Frames that FFmpeg decodes. Use `stream` or `video`."""

    def __init__(self, av: Any, container: Any, name: str, where: str, *, live: bool, reading: Reading) -> None:
        """Take PyAV and an opened av.container.InputContainer; `where` names it in errors."""
        self._av = av
        self.name = name
        self.live = live
        self._where = where
        self._container = container
        self._keyframes = reading.keyframes
        self._choice = Choice(reading)
        self._read_timeout_s = reading.read_timeout_s
        self._alive_at = time.monotonic()  # when something last came that a camera in order would send
        self._captured = 0
        self._given = 0
        self._broken = 0
        self._patched = False
        self._first_s: float | None = None
        video = container.streams.video
        if not video:
            container.close()
            raise not_opened(where, "it holds no video") if live else no_video(where)
        self._stream = video[0]
        self._announced = 0 if live else _announced(container, self._stream)
        context = self._stream.codec_context
        context.options = {"skip_loop_filter": "all"} if reading.fast_decode else {}
        if context.name == "mjpeg":  # a JPEG can be decoded at a half, a quarter or an eighth, for a fraction of the time
            context.options = {"lowres": str(reading.halvings(context.height, context.width))}
        context.thread_type = "SLICE" if live else "AUTO"  # a thread a frame would hold as many live frames back
        self._packets = _keep(av, self._stream, reading, live=live) if reading.keep_s else None
        self._size_hw: tuple[int, int] | None = None
        self._frames = self._decode()
        self._scaler = Scaler(av)

    @classmethod
    def stream(cls, url: str, name: str, reading: Reading) -> PyAVSource:
        """Open a network stream (RTSP, HTTP, UDP ...). A file behind http, which knows its length, is read as a file."""
        av = ffmpeg.load("Decoding with PyAV")
        options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
        try:
            container = av.open(url, options=options, timeout=(reading.open_timeout_s, reading.read_timeout_s))
        except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
            raise denied(url) from None
        except (av.ExitError, TimeoutError):
            raise not_opened(url, f"no answer within {reading.open_timeout_s:g} s") from None
        except (av.FFmpegError, OSError) as error:
            raise not_opened(url, error.strerror or type(error).__name__) from None  # its text has the password
        live = not (url.lower().startswith(("http", "file")) and container.duration)
        return cls(av, container, name, redact(url), live=live, reading=reading)

    @classmethod
    def video(cls, path: str, name: str, reading: Reading) -> PyAVSource:
        """Open a video file. Raises SourceError when it is missing or is no video."""
        check_file(path)
        av = ffmpeg.load("Decoding with PyAV")
        try:
            container = av.open(path)
        except (av.FFmpegError, OSError) as error:
            raise no_video(path) from error
        return cls(av, container, name, path, live=False, reading=reading)

    def read(self) -> Frame | None:
        """Decode up to the next frame that is wanted. Raises SourceError when a live source stops, or a file ends before its
        time.
        """
        if self._container is None:
            return None
        while (found := self._next()) is not None:
            now = time.monotonic()
            index, decoded = found
            time_s = self._media_s(index, decoded)
            self._given += 1
            if self._choice.wants(time_s):
                frame = _frame(decoded, self._scaler, self.name, index, time_s, now)
                frame.file = "" if self.live else self._where
                frame.packets = self._packets
                return frame
        if self.live:
            raise lost(self._where, self._given)
        check_end(self._where, self._captured, self._announced)
        return None

    @property
    def skipped(self) -> int:
        """The frames that came broken."""
        return self._broken

    def close(self) -> None:
        """Close the container."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _next(self) -> tuple[int, Any] | None:
        av = self._av
        try:
            return next(self._frames, None)
        except (av.ExitError, TimeoutError):  # what interrupts FFmpeg after the read timeout
            raise stalled(self._where, self._given, self._read_timeout_s) from None
        except (av.FFmpegError, OSError) as error:
            if self.live:
                raise lost(self._where, self._given) from None  # its text has the password
            raise SourceError(f"{self._where}: cannot be read on after {self._given} frames ({error.strerror})") from error

    def _decode(self) -> Iterator[tuple[int, Any]]:
        """Decoded frames with their index; of broken packets FFmpeg gives none and goes on. `_captured` counts all frames,
        those that `keyframes` leaves out too.
        """
        av = self._av
        index_of: dict[int | None, int] = {}  # of the packets that the decoder holds, by their time: it works ahead
        for packet in self._container.demux(self._stream):
            if self._packets is not None and packet.size:
                self._packets = self._packets.anew() if self._packets.goes_back(packet) else self._packets
                self._packets.append(packet)
            if self._keyframes and packet.size:
                self._captured += 1
                if not packet.is_keyframe:
                    self._alive_at = time.monotonic()
                    continue
                index_of[packet.pts] = self._captured - 1
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                frames = []
            whole = [self._is_whole(frame) for frame in frames]
            self._check_alive(any(whole))
            for frame, good in zip(frames, whole, strict=True):
                self._check_size(frame)
                self._captured += not self._keyframes
                index = index_of.pop(frame.pts, self._captured - 1)
                if good:
                    yield index, frame
                else:
                    self._broken += 1

    def _is_whole(self, frame: Any) -> bool:
        """Whether the camera saw this picture: what the decoder patched up after an error, and the pictures that build on it
        up to the next key frame, nobody saw.
        """
        self._patched = frame.is_corrupt or (self._patched and not frame.key_frame)
        return not self._patched

    def _check_size(self, frame: Any) -> None:
        """Begin with other packets where the pictures come to be of another size: no file can hold both."""
        before, self._size_hw = self._size_hw, (frame.height, frame.width)
        if self._packets is None or before in (None, self._size_hw):
            return
        first = self._packets.key_packet(frame.pts)
        headers = remux.headers(self._av, self._stream, first) if first is not None else b""
        changed = remux.Template(self._av, self._stream, size_hw=self._size_hw, headers=headers)
        self._packets = self._packets.split(frame.pts, changed)

    def _check_alive(self, alive: bool) -> None:
        """Raise StalledError for a camera that sends, but nothing that can be decoded, for the read timeout."""
        now = time.monotonic()
        if alive:
            self._alive_at = now
        elif self.live and now - self._alive_at > self._read_timeout_s:
            raise stalled(self._where, self._given, self._read_timeout_s)

    def _media_s(self, index: int, decoded: Any) -> float:
        time_s = decoded.time
        if time_s is None:
            time_s = index / float(self._stream.average_rate or 25)
        if self._first_s is None:
            self._first_s = time_s
            if self._packets is not None:
                self._packets.shift(-time_s)
        return float(time_s - self._first_s)


def _keep(av: Any, stream: Any, reading: Reading, *, live: bool) -> Packets | None:
    """Empty packets of a stream; None for a codec that no file can hold."""
    try:
        template = remux.Template(av, stream)
    except ValueError:
        return None
    usual = max(1, round(1 / (stream.average_rate or 25) / stream.time_base))
    reordered = stream.codec_context.has_b_frames
    return Packets(
        template,
        stream.time_base,
        keep_s=reading.keep_s,
        keep_bytes=reading.keep_bytes,
        usual=usual,
        reordered=reordered,
        live=live,
    )


def _announced(container: Any, stream: Any) -> int:
    """The number of frames a file says that it has; 0 where it does not say."""
    if stream.frames:
        return int(stream.frames)
    seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
    return int(seconds * float(stream.average_rate or 0))


class Scaler:
    """FFmpeg's scaler, whose tables for a size and a format are made once. Frames of several threads may share it."""

    def __init__(self, av: Any) -> None:
        """Take PyAV."""
        self._av = av
        self._kept: dict[tuple[int, int, str], Any] = {}
        knows_threads = int(av.__version__.split(".")[0]) >= 17
        self._options: dict[str, int] = {"threads": 1} if knows_threads else {}  # more would take the decoder's cores
        self._turn = threading.Lock()

    def picture(self, decoded: Any, height: int, width: int, pixels: str) -> Picture:
        """Return a decoded frame in another size or pixel format, "gray" or "bgr24"."""
        options = dict(self._options)
        if (height, width) != (decoded.height, decoded.width):
            options["interpolation"] = AVERAGED
        with self._turn:
            scaler = self._kept.setdefault((height, width, pixels), self._av.video.reformatter.VideoReformatter())
            made = scaler.reformat(decoded, width, height, pixels, **options)
        return np.asarray(made.to_ndarray(), np.uint8)


def _frame(decoded: Any, scaler: Scaler, camera: str, index: int, time_s: float, captured_at: float) -> Frame:
    turns = round((getattr(decoded, "rotation", 0) or 0) / 90) % 4  # a phone's video says how it was held
    size_hw = (decoded.width, decoded.height) if turns % 2 else (decoded.height, decoded.width)

    def shrunk(height: int, width: int, color: str) -> Picture:
        size = (width, height) if turns % 2 else (height, width)
        return _turned(scaler.picture(decoded, *size, "gray" if color == "gray" else "bgr24"), turns)

    return Frame(
        camera,
        index,
        time_s=time_s,
        captured_at=captured_at,
        size_hw=size_hw,
        bgr=lambda: _turned(scaler.picture(decoded, decoded.height, decoded.width, "bgr24"), turns),
        plane=lambda: _turned(_luma(decoded), turns),
        shrunk=shrunk,
        limited=decoded.format.name in BITS_OF.keys() - FULL_RANGE_FORMATS and decoded.color_range != FULL_RANGE,
    )


def _luma(decoded: Any) -> Picture:
    """The Y plane as it is where it is the gray picture, in 8 bits, else converted to gray, full range."""
    bits = BITS_OF.get(decoded.format.name)
    if bits is None:
        return image.gray(decoded.to_ndarray(format="bgr24"))
    plane = decoded.planes[0]
    if bits == 8:
        return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: decoded.height, : decoded.width]
    levels = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
    return image.in_8_bits(levels[: decoded.height, : decoded.width], bits)


def _turned(picture: Picture, turns: int) -> Picture:
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
