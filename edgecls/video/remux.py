"""Copy packets into another file without encoding them again (remuxing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.video.ffmpeg import growing

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import BinaryIO

    from edgecls.video.packets import Packet

IN_MP4 = frozenset({"h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4"})
"""Codecs that players expect in an mp4; others go into a Matroska file, which holds any."""

PACKET_OVERHEAD = 176
"""Bytes that a file needs to say where a packet stands and when it is shown, at most: a packet may be a fragment of its own."""


class Template:
    """What a file must say of a stream: codec, size, headers, how the camera was held.

    PyAV's streams point into a container, which another thread may have closed by the time that a clip is written: reading them
    then would be reading freed memory. So this is a copy, in a container that is never written.
    """

    def __init__(self, av: Any, stream: Any, *, size_hw: tuple[int, int] | None = None, headers: bytes = b"") -> None:
        """Copy it from a stream of an open container. `size_hw` and `headers` are those of pictures that came to be of another
        size. Raises ValueError for a codec that Matroska does not know.
        """
        self._holder = av.open("nothing.mkv", "w", format="matroska")  # a file is made by the first packet, which never comes
        self._stream = self._holder.add_stream_from_template(stream, opaque=True)
        self._size_hw = size_hw
        self._headers = headers
        self.codec: str = stream.codec_context.name
        self.kind, self.suffix = ("mp4", ".mp4") if self.codec in IN_MP4 else ("matroska", ".mkv")

    def add_to(self, container: Any) -> Any:
        """Add a stream like this to an output container, and return it."""
        stream = container.add_stream_from_template(self._stream, opaque=True)
        if self._size_hw is not None:
            stream.height, stream.width = self._size_hw
        if self._headers:
            stream.codec_context.extradata = self._headers
        if self.codec == "hevc" and container.format.name == "mp4":
            stream.codec_context.codec_tag = "hvc1"  # FFmpeg would say hev1, which no Apple device plays
        return stream


class Remux:
    """A file that packets are copied to. Its time 0 is that of the first picture. It can be played while it grows."""

    def __init__(self, av: Any, file: BinaryIO, kind: str, template: Template, tick: Fraction) -> None:
        """Write to `file`, in FFmpeg's format `kind`. The file stays with the caller, who closes it last: one that PyAV opens
        by its name stays open for ever when there is no room for its first bytes. Raises FFmpegError or ValueError.
        """
        self._av = av
        options = growing(kind)
        if kind == "mp4":
            options["movflags"] += "+delay_moov"  # with the first fragment it is known how late the first picture is shown
        self._container = av.open(file, "w", format=kind, options=options)
        self._file = file
        self._stream = template.add_to(self._container)
        self._tick = tick
        self._first: int | None = None
        self._last_dts: int | None = None
        self.packets = 0
        self.bytes = 0  # so many are in the file, about

    def write(self, packet: Packet) -> bool:
        """Copy a packet; the first must be a key frame. Returns False for one that cannot be decoded without what came before
        the first. Raises FFmpegError or OSError where it cannot be written.
        """
        if self._first is None:
            self._first = packet.pts
        if packet.pts < self._first:
            return False
        copied = self._av.Packet(packet.encoded)  # it has its own times; the bytes are the same ones
        dts = packet.dts if self._last_dts is None else max(packet.dts, self._last_dts + 1)  # no file takes them in disorder
        copied.stream, copied.time_base, copied.is_keyframe = self._stream, self._tick, packet.is_key
        copied.pts, copied.dts, copied.duration = max(packet.pts, dts) - self._first, dts - self._first, packet.duration
        self._container.mux(copied)
        self._file.flush()
        self._last_dts = dts
        self.packets += 1
        self.bytes += packet.size + PACKET_OVERHEAD
        return True

    def close(self) -> None:
        """Write what a file ends with. Raises FFmpegError or OSError where that cannot be written."""
        self._container.close()


def headers(av: Any, stream: Any, packet: Any) -> bytes:
    """Return the codec headers stored with a key frame's packet, or b"" if it has none."""
    if packet.has_sidedata("new_extradata"):
        return bytes(packet.get_sidedata("new_extradata"))
    try:  # a filter takes the bytes out of the packet that it is given
        filtered = av.BitStreamFilterContext("extract_extradata", stream).filter(av.Packet(packet))
    except (av.FFmpegError, ValueError):  # a codec that has no headers among its pictures
        return b""
    return next((bytes(p.get_sidedata("new_extradata")) for p in filtered if p.has_sidedata("new_extradata")), b"")
