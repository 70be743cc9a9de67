"""Network streams and video files through PyAV, which gives access to the decoder's own planes.

`edgecls.source.container` opens containers, `edgecls.source.decoded` makes frames of decoded pictures, and
`edgecls.source.losses` keeps track of what could not be decoded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgecls.errors import SourceError
from edgecls.limits import check_size
from edgecls.source import container as opening
from edgecls.source.decode_order import DecodeOrder, NumberedPacket
from edgecls.source.decoded import Scaler, as_frame
from edgecls.source.decoder import DecoderFailedError
from edgecls.source.dependents import Dependents
from edgecls.source.hardware import open_decoder
from edgecls.source.losses import Losses
from edgecls.source.sampling import FrameSampler
from edgecls.source.source import (
    ReadingSettings,
    Source,
    check_file,
    file_of,
    lost,
    stalled,
)
from edgecls.source.stamps import Stamps
from edgecls.text.redaction import hidden
from edgecls.text.words import counted
from edgecls.video import ffmpeg, nal, remux
from edgecls.video.delay import LeastDelay
from edgecls.video.packets import Packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.frame import Frame


class PyAVSource(Source):
    """Frames decoded by FFmpeg. Create it with `stream` or `video`."""

    def __init__(
        self, av: Any, container: Any, name: str, where: str, *, live: bool, reading: ReadingSettings,
        file: str = "", say: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Wrap an open container.

        Args:
            av: The module PyAV.
            container: An av.container.InputContainer.
            name: The camera's name.
            where: The name for error messages.
            live: Whether frames arrive in real time.
            reading: How to read.
            file: The path of a local file, otherwise "".
            say: Called with one line about pictures that could not be decoded.
        """
        self._av = av
        self.name = name
        self.live = live
        self._where = where
        self._container = container
        self._keyframes = reading.keyframes
        self._sampler = FrameSampler(reading)
        self._read_timeout_s = reading.read_timeout_s
        self._alive_at = time.monotonic()  # when the last intact picture came
        self._captured = 0
        self._given = 0
        self._dependents = Dependents()
        self._first_s: float | None = None
        try:
            self._stream = opening.video_stream(container, where, live=live)
        except SourceError:
            container.close()
            raise
        self._rotation = opening.rotation_of(av, file) if file and reading.decode != "software" else None
        opening.prepare(self._stream, reading, live=live)
        try:
            self._decoder = open_decoder(av, self._stream, reading, where=where, say=say)
        except DecoderFailedError as error:
            container.close()
            raise SourceError(f"{where}: cannot be decoded with {reading.decode} ({error})") from None
        self._losses = Losses(container, self._stream, where, file, say)
        self._stamps = Stamps(container, self._stream, live=live, keyframes=reading.keyframes)
        is_timed = not (live or reading.keyframes or self._stamps.guesses)
        self._order = DecodeOrder(self._stream.codec_context.name, is_timed=is_timed)
        self._torn: set[int] = set()  # the numbers of pictures with missing packets
        self._packets = keep_packets(av, self._stream, reading, self._stamps, live=live) if reading.keep_s else None
        self._size_hw: tuple[int, int] | None = None
        self._frames = self._decode()
        self._scaler = Scaler(av, say)

    @classmethod
    def stream(cls, url: str, name: str, reading: ReadingSettings, say: Callable[[str], None] = lambda _: None) -> PyAVSource:
        """Open a network stream (RTSP, HTTP, UDP ...). A video file behind HTTP is read as a file, not as a live source."""
        av = ffmpeg.load("Decoding with PyAV")
        container, live = opening.open_stream(av, url, reading)
        return cls(av, container, name, hidden(url), live=live, reading=reading, say=say)

    @classmethod
    def video(cls, path: str, name: str, reading: ReadingSettings, say: Callable[[str], None] = lambda _: None) -> PyAVSource:
        """Open a video file. Raises SourceError if it is missing or not a video."""
        check_file(path)
        av = ffmpeg.load("Decoding with PyAV")
        container = opening.open_file(av, path)
        return cls(av, container, name, path, live=False, reading=reading, file=path, say=say)

    def read(self) -> Frame | None:
        """Decode up to the next chosen frame.

        Raises:
            SourceError: A live source was lost, or the file is cut off or damaged.
        """
        if self._container is None:
            return None
        while (found := self._next()) is not None:
            now = time.monotonic()
            index, decoded = found
            time_s = self._media_s(index, decoded)
            self._given += 1
            if self._sampler.wants(time_s):
                frame = as_frame(decoded, self._scaler, self.name, index, time_s, now, self._rotation)
                frame.file = file_of(self._where, live=self.live)
                frame.packets = self._packets
                return frame
        if self.live:
            raise lost(self._where, self._given)
        self._losses.check_end()
        return None

    @property
    def skipped(self) -> int:
        """The number of broken frames so far, including those before the first key frame."""
        return self._losses.broken

    def close(self) -> None:
        """Close the container."""
        container, self._container = self._container, None
        if container is not None:
            self._decoder.close()
            container.close()
            self._losses.close()

    def _next(self) -> tuple[int, Any] | None:
        av = self._av
        try:
            return next(self._frames, None)
        except (av.ExitError, TimeoutError):  # raised by the read timeout
            raise stalled(self._where, self._given, self._read_timeout_s) from None
        except SourceError:
            raise
        except opening.faults(av) as error:
            if self.live:
                raise lost(self._where, self._given) from None  # its text contains the password
            why = opening.reason(error)
            raise SourceError(f"{self._where}: reading failed after {counted(self._given, 'frame')} ({why})") from error

    def _decode(self) -> Iterator[tuple[int, Any]]:
        """Yield decoded frames with their index. Broken packets give no frames.

        `_captured` counts all frames. With `keyframes` the index is that of the packet, so skipped frames count as well.
        """
        for packet in self._container.demux(self._stream):
            self._see(packet)
            arrival_s = time.monotonic()
            self._stamps.stamp(packet, arrival_s)
            is_decoded = packet.is_keyframe or not (self._keyframes and packet.size)
            if packet.size:
                self._keep(packet)
                if self._packets is not None and self.live:
                    self._packets.arrive(packet.pts, arrival_s)
                self._order.send(packet, is_decoded=is_decoded)
            if not is_decoded:
                self._alive_at = time.monotonic()
                continue
            frames = self._decoded(packet)
            places = [self._place(frame) for frame in frames]
            whole = [self._is_whole(place, frame) for place, frame in zip(places, frames, strict=True)]
            self._check_alive(any(whole))
            for place, frame, good in zip(places, frames, whole, strict=True):
                self._captured += 1
                self._losses.count(frame.time, good=good)
                self._stamps.show(frame)
                self._keep()
                self._check_size(frame)
                if good:
                    yield (place if self._keyframes else self._captured - 1), frame

    def _see(self, packet: Any) -> None:
        """Record losses before a packet is decoded.

        If a file starts between key frames, nothing is intact before the first one. If transport stream packets are missing,
        FFmpeg marks either the damaged picture or the one before it.
        """
        if not packet.size:
            return
        if not self.live:
            self._losses.see(packet)
            if self._losses.begins_late and not self._order.sent:
                self._dependents.lose(-1)
            if self._losses.has_gap(packet):
                self._dependents.lose(self._order.sent - 1)
        if packet.is_corrupt and self._losses.is_torn(packet):
            self._torn |= {self._order.sent, self._order.sent + 1}

    def _decoded(self, packet: Any) -> list[Any]:
        """Return the frames decoded from a packet; none if the decoder rejects it."""
        try:
            return self._decoder.decode(packet)
        except DecoderFailedError as error:
            raise SourceError(f"{self._where}: decoding fails after {counted(self._given, 'frame')} ({error})") from None
        except opening.faults(self._av) as error:
            if opening.is_too_large(self._av, self._stream, error):
                raise opening.too_large(self._where, self._given) from error
            if not isinstance(error, self._av.InvalidDataError):
                raise
            self._lose(self._order.refused(is_end=not packet.size))
            return []
        finally:
            self._order.works_at(self._decoder.parallel)

    def _place(self, frame: Any) -> int:
        """Return the number of a frame's packet, and record earlier packets that gave no picture as lost."""
        place, passed = self._order.show(frame)
        self._lose(passed)
        return place

    def _lose(self, packets: list[NumberedPacket]) -> None:
        context = self._stream.codec_context
        for place, packet in packets:
            if nal.holds_picture(context.name, bytes(packet), context.extradata or b"") and self._losses.refuse(packet):
                self._dependents.lose(place)

    def _keep(self, packet: Any = None) -> None:
        for final in self._stamps.final(packet):
            if self._packets is not None:
                self._packets.append(final)

    def _is_whole(self, place: int, frame: Any) -> bool:
        """Whether this picture is intact: not patched up by the decoder after an error, and not predicted from such a
        picture.
        """
        is_corrupt = frame.is_corrupt or place in self._torn
        return self._dependents.is_whole(place, is_corrupt=is_corrupt, is_key=frame.key_frame)

    def _check_size(self, frame: Any) -> None:
        """Start a new packet buffer when the size of the pictures changes, because no file can hold both."""
        before, self._size_hw = self._size_hw, (frame.height, frame.width)
        if before != self._size_hw:
            check_size(frame.width, frame.height, self._where, SourceError)
        if self._packets is None or before in (None, self._size_hw):
            return
        first = self._packets.key_packet(frame.pts)
        headers = remux.headers(self._av, self._stream, first) if first is not None else b""
        changed = remux.Template(self._av, self._stream, size_hw=self._size_hw, headers=headers)
        self._packets = self._packets.split(frame.pts, changed)

    def _check_alive(self, alive: bool) -> None:
        """Raise StalledError if a camera sends only undecodable data for the read timeout."""
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
        return self._stamps.rising(float(time_s - self._first_s))


def keep_packets(
    av: Any, stream: Any, reading: ReadingSettings, stamps: Stamps, *, live: bool, apart: bool = False
) -> Packets | None:  # fmt: skip
    """Return an empty packet buffer for a stream; None for a codec that no file can hold. `apart` says that frames come from
    another stream.
    """
    try:
        template = remux.Template(av, stream)
    except ValueError:
        return None
    return Packets(
        template,
        stamps.tick,
        keep_s=reading.keep_s,
        keep_bytes=reading.keep_bytes,
        usual=stamps.usual,
        reordered=stream.codec_context.has_b_frames,
        live=live,
        apart_s=float(stamps.usual * stamps.tick) if apart else 0.0,
        delay=LeastDelay(stream.container.format.name, stream.codec_context.name),
    )
