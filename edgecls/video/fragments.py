"""Pack the packets of a stream as fragmented MP4 (ISO/IEC 14496-12), for players that show it while it arrives.

    stream = Fragments(av, packets)
    player.open(stream.mime, stream.init)
    for packet in packets.since(now_s):
        player.append(stream.fragment([packet]))

Nothing is encoded again. FFmpeg writes the beginning, which describes the codec. The fragments are built here, one for each
packet, at a tenth of the time that FFmpeg takes and without the frame of delay that it needs to know a duration.

The time of a picture in the player is its media time, as on frames, plus `LEAD_S`. So a page can draw the boxes of a frame over
exactly that frame. The lead keeps decoding times positive, which begin before the first picture if pictures are reordered.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

from edgecls.video.nal import in_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.video import remux
    from edgecls.video.packets import Packet, Packets

LEAD_S = 10.0
PLAYABLE = frozenset({"h264", "hevc"})
"""The codecs for which `Fragments` can tell a player what to expect."""
_DATA_OFFSET, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x1, 0x100, 0x200, 0x400, 0x800
_BASE_IS_MOOF = 0x20000
_KEY, _DEPENDENT = 0x02000000, 0x01010000
"""Flags of a sample: depends on no other; or depends on others and is no key frame."""


class Fragments:
    """The beginning and the fragments of one stream. Threads may share one.

    Attributes:
        init: The beginning of the file, without pictures. A player needs it first.
        mime: The type for a player, such as 'video/mp4; codecs="avc1.64001f"'.
    """

    def __init__(self, av: Any, packets: Packets) -> None:
        """Write the beginning for the stream of these packets.

        Raises:
            ValueError: Players of fragments cannot play this codec, or no key frame has told its headers yet.
        """
        template: remux.Template = packets.stream
        if template.codec not in PLAYABLE:
            raise ValueError(f"{template.codec} is not H.264 or HEVC")
        self.init = _beginning(av, template)
        self.mime = _mime(template.codec, self.init)
        self._has_lengths = template.has_lengths
        self._packets = packets
        self._timescale = _number(self.init, b"mdhd", 12, 4)

    def fragment(self, packets: Sequence[Packet]) -> bytes:
        """Return packets in decoding order, one or more, as one fragment."""
        samples = [bytes(p.encoded) if self._has_lengths else in_lengths(bytes(p.encoded)) for p in packets]
        scale = self._timescale * self._packets.tick
        starts = [round((p.dts) * scale) for p in packets]
        rows = b"".join(
            struct.pack(
                ">IIIi",
                round(p.duration * scale) if i + 1 == len(packets) else starts[i + 1] - starts[i],
                len(sample),
                _KEY if p.is_key else _DEPENDENT,
                round(p.pts * scale) - starts[i],
            )
            for i, (p, sample) in enumerate(zip(packets, samples, strict=True))
        )
        begin = starts[0] + round((self._packets.time_s(0) + LEAD_S) * self._timescale)
        header = _full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", 1))
        time = _full_box(b"tfdt", 1, 0, struct.pack(">Q", max(begin, 0)))
        flags = _DATA_OFFSET | _DURATION | _SIZE | _FLAGS | _COMPOSITION
        number = _full_box(b"mfhd", 0, 0, struct.pack(">I", packets[0].number + 1 & 0xFFFFFFFF))

        def moof(offset: int) -> bytes:
            run = _full_box(b"trun", 1, flags, struct.pack(">Ii", len(rows) // 16, offset) + rows)
            return _box(b"moof", number + _box(b"traf", header + time + run))

        return moof(len(moof(0)) + 8) + _box(b"mdat", b"".join(samples))


def _beginning(av: Any, template: remux.Template) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof"}) as container:
        template.add_to(container)
        container.start_encoding()
        beginning = file.getvalue()
    if (b"avcC" if template.codec == "h264" else b"hvcC") not in beginning:
        raise ValueError(f"the headers of {template.codec} are not known yet")
    return beginning


def _mime(codec: str, beginning: bytes) -> str:
    """Return the type of a stream (RFC 6381; ISO/IEC 14496-15, annex E), from the codec's record in the file's beginning."""
    if codec == "h264":
        at = beginning.index(b"avcC") + 5
        return f'video/mp4; codecs="avc1.{beginning[at : at + 3].hex()}"'
    at = beginning.index(b"hvcC") + 5
    first, compatible, constraints, level = struct.unpack_from(">BI6sB", beginning, at)
    space, tier, profile = ("", "A", "B", "C")[first >> 6], "LH"[first >> 5 & 1], first & 31
    reversed_bits = int(f"{compatible:032b}"[::-1], 2)
    rest = "".join(f".{byte:X}" for byte in constraints.rstrip(b"\0"))
    return f'video/mp4; codecs="hvc1.{space}{profile}.{reversed_bits:X}.{tier}{level}{rest}"'


def _number(data: bytes, box: bytes, at: int, size: int) -> int:
    """Return a number of a box of version 0, `at` bytes after its name."""
    begin = data.index(box) + 4 + at
    return int.from_bytes(data[begin : begin + size], "big")


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def _full_box(name: bytes, version: int, flags: int, content: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags) + content)
