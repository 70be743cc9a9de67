"""Copy packets into another file without encoding them again (remuxing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.video import nal
from edgecls.video.ffmpeg import growing

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import BinaryIO

    from edgecls.video.packets import Packet

IN_MP4 = frozenset({"h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4"})
"""Codecs that players expect in an MP4; others are written to Matroska, which can hold any."""

PACKET_OVERHEAD = 176
"""The most bytes that a file needs for the position and time of a packet, which may be a fragment of its own."""


class Template:
    """The parameters of a stream that a file must store: codec, size, headers, rotation.

    PyAV's streams point into a container, which another thread may have closed by the time a clip is written. Reading them then
    would access freed memory. So this is a copy, in a container that is never written.
    """

    def __init__(self, av: Any, stream: Any, *, size_hw: tuple[int, int] | None = None, headers: bytes = b"") -> None:
        """Copy the parameters from a stream of an open container. `size_hw` and `headers` override them if the picture size has
        changed since. Raises ValueError for a codec that Matroska does not support.
        """
        self._holder = av.open("nothing.mkv", "w", format="matroska")  # only the first packet would create the file
        self._stream = self._holder.add_stream_from_template(stream, opaque=True)
        self._size_hw = size_hw
        self._headers = headers
        self.codec: str = stream.codec_context.name
        self.has_lengths = nal.has_lengths(headers or bytes(stream.codec_context.extradata or b""))
        self.kind, self.suffix = ("mp4", ".mp4") if self.codec in IN_MP4 else ("matroska", ".mkv")

    def add_to(self, container: Any) -> Any:
        """Add a stream with these parameters to an output container, and return it."""
        stream = container.add_stream_from_template(self._stream, opaque=True)
        if self._size_hw is not None:
            stream.height, stream.width = self._size_hw
        if self._headers:
            stream.codec_context.extradata = self._headers
        if self.codec == "hevc" and container.format.name == "mp4":
            stream.codec_context.codec_tag = "hvc1"  # FFmpeg's default, hev1, plays on no Apple device
        return stream


class Remux:
    """Copies packets to a file. Time 0 of the file is its first picture. The file can be played while it grows."""

    def __init__(self, av: Any, file: BinaryIO, kind: str, template: Template, tick: Fraction) -> None:
        """Write to `file` in FFmpeg's format `kind`. The caller owns the file and closes it last: if PyAV opens a file by its
        name and there is no room for its first bytes, it stays open for ever. Raises FFmpegError or ValueError.
        """
        self._av = av
        options = growing(kind)
        if kind == "mp4":
            options["movflags"] += "+delay_moov"  # the delay of the first picture is known with the first fragment
        self._container = av.open(file, "w", format=kind, options=options)
        self._file = file
        self._stream = template.add_to(self._container)
        self._tick = tick
        self._first: int | None = None
        self._last_dts: int | None = None
        self.packets = 0
        self.bytes = 0  # approximate size of the file

    def write(self, packet: Packet) -> bool:
        """Copy a packet; the first must be a key frame. Returns False for a packet that cannot be decoded because it depends on
        packets before the first. Raises FFmpegError or OSError if it cannot be written.
        """
        if self._first is None:
            self._first = packet.pts
        if packet.pts < self._first:
            return False
        copied = self._av.Packet(packet.encoded)  # shares the data, but has its own times
        dts = packet.dts if self._last_dts is None else max(packet.dts, self._last_dts + 1)  # must increase in every format
        copied.stream, copied.time_base, copied.is_keyframe = self._stream, self._tick, packet.is_key
        copied.pts, copied.dts, copied.duration = max(packet.pts, dts) - self._first, dts - self._first, packet.duration
        self._container.mux(copied)
        self._file.flush()
        self._last_dts = dts
        self.packets += 1
        self.bytes += packet.size + PACKET_OVERHEAD
        return True

    def close(self) -> None:
        """Write the end of the file. Raises FFmpegError or OSError if it cannot be written."""
        self._container.close()


def headers(av: Any, stream: Any, packet: Any) -> bytes:
    """Return the codec headers stored with a key frame's packet, or b"" if it has none."""
    if packet.has_sidedata("new_extradata"):
        return bytes(packet.get_sidedata("new_extradata"))
    try:  # the filter consumes its packet, so it gets a copy
        filtered = av.BitStreamFilterContext("extract_extradata", stream).filter(av.Packet(packet))
    except (av.FFmpegError, ValueError):  # a codec without headers in its packets
        return b""
    return next((bytes(p.get_sidedata("new_extradata")) for p in filtered if p.has_sidedata("new_extradata")), b"")
