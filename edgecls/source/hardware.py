"""Decoding in hardware, which is believed only when it has shown the same pictures as software on this machine.

What FFmpeg lists as supported is what it was compiled with: a decoder for hardware that is not there opens without an error and
works in software, or fails with the first picture. So a way to decode is tried first: it decodes a few pictures that were
encoded here, and they must equal those of software, level for level, as H.264 demands. That takes a fraction of a second, once
per process.

`cuda` and `videotoolbox` are accelerators of FFmpeg's own decoder. `qsv` and `v4l2m2m` are decoders of their own, chosen by
their names. For VA-API, RKMPP and Jetson, which FFmpeg's Python packages do not contain, the ffmpeg program of the system
decodes (`edgecls.source.child_decoder`), and makes the pictures smaller on the device.

The pictures of a device are copied to the computer's memory, 3 MB for one of 1080p. A model of 32x32 pixels is therefore often
fed faster by software. `edgecls doctor` measures both.
"""

from __future__ import annotations

import io
import os
import time
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgecls.errors import ConfigError
from edgecls.source import container as opening
from edgecls.source.child_decoder import CHILDREN, ChildDecoder
from edgecls.source.decoder import Decoder, DecoderFailedError, Rescued, Software, Watched
from edgecls.source.planes import luma
from edgecls.text.words import counted
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from edgecls.source.source import Decode, ReadingSettings


DOWNLOADED = frozenset({"nv12", "p010le", "p016le", "nv16", "p210le"})
"""The formats of pictures that an accelerator has decoded. Software gives others, such as yuv420p."""
TRIED_PICTURES, TRIED_HW = 12, (192, 320)
MEASURED_PICTURES, MEASURED_HW, MEASURED_WIDTH = 60, (1080, 1920), 640


class Way(NamedTuple):
    """A way to decode in hardware within this process.

    Attributes:
        accelerator: FFmpeg's name of the accelerator of its own decoders; "" if the hardware has decoders of its own.
        decoder: The end of the names of these, such as "_qsv".
        options: Their options.
        filters: The bitstream filters that their packets need.
    """

    accelerator: str = ""
    decoder: str = ""
    options: tuple[tuple[str, str], ...] = ()
    filters: tuple[str, ...] = ()


WAYS = {
    "cuda": Way("cuda"),
    "videotoolbox": Way("videotoolbox"),
    "qsv": Way(decoder="_qsv", options=(("async_depth", "1"),), filters=("dump_extra",)),
    "v4l2m2m": Way(decoder="_v4l2m2m"),
}
"""Those that `decode = "auto"` tries, in this order."""


class Trial(NamedTuple):
    """Whether a way to decode works here; if not, why, in a few words."""

    works: bool
    why: str = ""


class Speed(NamedTuple):
    """What decoding 1080p costs: pictures per second, and milliseconds of CPU time for each."""

    fps: float
    cpu_ms: float

    def __str__(self) -> str:
        """Return it as the end of a sentence."""
        return f"{self.fps:.0f} pictures of 1080p a second, {self.cpu_ms:.1f} ms of CPU each"


def check(decode: Decode) -> None:
    """Raise ConfigError if this way to decode does not work on this machine. "software" and "auto" always do."""
    if decode in ("software", "auto"):
        return
    try:
        working(decode)
    except DecoderFailedError as error:
        raise ConfigError(
            f'decode = "{decode}" does not work here ({error}); expected one that edgecls doctor lists as working, '
            'or "auto" or "software"'
        ) from None


def working(decode: str) -> str:
    """Return the way that a setting names; for "ffmpeg", the first way of that program that works.

    Raises:
        DecoderFailedError: It does not work here, with the reason.
    """
    if decode != "ffmpeg":
        if tried(decode).works:
            return decode
        raise DecoderFailedError(tried(decode).why)
    for name in CHILDREN:
        if tried(name).works:
            return name
    raise DecoderFailedError(_reasons(CHILDREN))


def open_decoder(
    av: Any, stream: Any, reading: ReadingSettings, *, where: str, say: Callable[[str], None] = lambda _: None
) -> Decoder:
    """Return the decoder of an open stream, as the settings ask for it.

    Args:
        av: The module PyAV.
        stream: The open video stream, whose own decoder is prepared.
        reading: The settings; only "auto" decodes in software without having been asked to, and says so.
        where: The name of the source in messages.
        say: Called with one line when "auto" does not use hardware.

    Raises:
        DecoderFailedError: The hardware that is asked for cannot decode this stream.
    """
    decode = reading.decode
    if decode == "software":
        return Software(stream)
    if decode != "auto":
        return Watched(_opened(av, stream, working(decode), reading.decode_width))
    refused = []
    for name in [name for name in WAYS if tried(name).works]:
        try:
            decoder = _opened(av, stream, name, 0)
        except DecoderFailedError as error:
            refused.append(f"{name}: {error}")
        else:
            return Rescued(Watched(decoder), av, stream, partial(_say_failed, say, where, name))
    say(f"{where}: decoded in software; {'; '.join(refused) or _reasons(WAYS)}")
    return Software(stream)


@cache
def tried(name: str) -> Trial:
    """Decode a few pictures in a way, and compare them with those of software."""
    av = ffmpeg.load("Decoding with PyAV")
    data = _clip(av, *TRIED_HW, TRIED_PICTURES)
    right = [luma(frame) for frame in _pictures(av, data, "software")]
    try:
        found = [luma(frame) for frame in _pictures(av, data, name)]
    except DecoderFailedError as error:
        return Trial(works=False, why=str(error))
    if len(found) != len(right):
        return Trial(works=False, why=f"{len(found)} of {len(right)} pictures came out")
    if found[0].shape != right[0].shape:
        return Trial(works=False, why="its pictures have another size")
    worst = max(int(np.abs(one.astype(np.int16) - other).max()) for one, other in zip(found, right, strict=True))
    return Trial(
        works=worst == 0, why=f"its pictures differ from those of software by {counted(worst, 'level')}" if worst else ""
    )


def survey() -> Iterator[tuple[str, bool, str]]:
    """Try all ways. Yields for each that works its name, whether it works, and what it costs; if none does, why."""
    names = [name for name in (*WAYS, *CHILDREN) if tried(name).works]
    if not names:
        yield "decoding", False, f"in software; no hardware decoder works here ({_reasons((*WAYS, *CHILDREN))})"
        return
    usual = speed("software")
    yield "decoding", True, f"in software {usual}"
    for name in names:
        found = speed(name)
        advice = "it pays" if found.cpu_ms < usual.cpu_ms else "it costs more than software"
        yield f"decode {name}", True, f"the same pictures as software, {found}: {advice}"


def speed(name: str) -> Speed:
    """Measure what decoding 1080p costs in a way that works, or in "software"."""
    av = ffmpeg.load("Decoding with PyAV")
    data = _clip(av, *MEASURED_HW, MEASURED_PICTURES)
    began, cpu = time.perf_counter(), _cpu_s()
    count = sum(1 for _ in _pictures(av, data, name, width=MEASURED_WIDTH))
    return Speed(count / (time.perf_counter() - began), (_cpu_s() - cpu) * 1e3 / count)


class _Context(Decoder):
    """A decoder of FFmpeg with an accelerator, or one that is hardware itself."""

    def __init__(self, av: Any, stream: Any, way: Way) -> None:
        """Open it. Raises DecoderFailedError if it does not work, or does not know the codec of the stream."""
        codec = stream.codec_context.name
        self._av = av
        self._faults: tuple[type[Exception], ...] = (*opening.faults(av), NotImplementedError)
        self._is_accelerated = bool(way.accelerator)
        self._tick = stream.time_base
        try:
            self._filters = [av.BitStreamFilterContext(name, stream) for name in way.filters]
            if way.accelerator:
                accelerator = av.codec.hwaccel.HWAccel(way.accelerator, allow_software_fallback=False)
                self._context = av.CodecContext.create(codec, "r", hwaccel=accelerator)
            else:
                self._context = av.CodecContext.create(codec + way.decoder, "r")
            self._context.extradata = stream.codec_context.extradata
            self._context.options = opening.limits() | dict(way.options)
            self._context.open()
        except self._faults as error:
            raise DecoderFailedError(_reason(error, codec)) from None

    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures that come out after a packet. Raises DecoderFailedError for those of software."""
        try:
            frames = [frame for part in self._filtered(packet) for frame in self._context.decode(part)]
        except self._av.InvalidDataError:
            raise  # damaged data; a decoder that refuses everything is found by its silence
        except self._faults as error:
            raise DecoderFailedError(opening.reason(error)) from None
        if self._is_accelerated and any(frame.format.name not in DOWNLOADED for frame in frames):
            raise DecoderFailedError("FFmpeg decodes in software instead")
        self._tick = packet.time_base if packet.size else self._tick
        for frame in frames:
            frame.time_base = self._tick  # those after the last packet have none
        return frames

    def _filtered(self, packet: Any) -> Sequence[Any]:
        """Return what the decoder gets of a packet: None is the end."""
        parts = [packet]
        for one in self._filters:  # a filter consumes its packet, so it gets a copy
            parts = [out for part in parts for out in one.filter(self._copy(part) if part.size else None)]
        return [*(part for part in parts if part.size), *([] if packet.size else [None])]

    def _copy(self, packet: Any) -> Any:
        copied = self._av.Packet(packet)
        copied.pts, copied.dts, copied.time_base = packet.pts, packet.dts, packet.time_base
        return copied


def _reasons(names: Iterable[str]) -> str:
    """Return why none of these ways works."""
    return "; ".join(f"{name}: {tried(name).why}" for name in names)


def _say_failed(say: Callable[[str], None], where: str, name: str, why: str) -> None:
    say(f"{where}: {name} fails ({why}); from here on it is decoded in software")


def _opened(av: Any, stream: Any, name: str, width: int) -> Decoder:
    if name in WAYS:
        return _Context(av, stream, WAYS[name])
    return ChildDecoder(av, stream, name, width=width)


def _pictures(av: Any, data: bytes, name: str, *, width: int = 0) -> Iterator[Any]:
    """Decode a clip. Raises DecoderFailedError if that fails."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        decoder = Software(stream) if name == "software" else _opened(av, stream, name, width)
        faults: tuple[type[Exception], ...] = opening.faults(av)
        try:
            for packet in container.demux(stream):
                yield from decoder.decode(packet)
        except faults as error:
            raise DecoderFailedError(opening.reason(error)) from None
        finally:
            decoder.close()


def _cpu_s() -> float:
    """Return the CPU time of this process and of the children that have ended."""
    return sum(os.times()[:4])


@cache
def _clip(av: Any, height: int, width: int, count: int) -> bytes:
    """Return an H.264 video in which everything moves, with B-frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "2"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        rows, columns = np.mgrid[0 : height * 3 // 2, 0:width]
        for index in range(count):
            levels = (rows * 3 + columns * 2 + index * 7 + (rows // 16 + columns // 16 + index) % 2 * 40) % 220 + 16
            for packet in stream.encode(av.VideoFrame.from_ndarray(levels.astype(np.uint8), format="yuv420p")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return file.getvalue()


def _reason(error: Exception, codec: str) -> str:
    is_unknown = type(error).__name__ == "UnknownCodecError"
    return f"FFmpeg has no such decoder for {codec}" if is_unknown else opening.reason(error)
