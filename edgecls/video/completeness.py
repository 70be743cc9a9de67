"""Check whether a video file is complete, by the length in bytes that its container states.

A frame count is unreliable: an edit list hides frames that the header counts, a variable rate makes a count computed from the
duration a guess, dropped frames are counted although none is stored, and a stream that begins between key frames has packets
that no decoder can use. Sizes in bytes are exact: the boxes of MP4 and MOV (ISO/IEC 14496-12), the elements of Matroska and
WebM (RFC 9559), the chunks of AVI, the tags of FLV, the header of ASF, the packets of transport and program streams
(ISO/IEC 13818-1), the pages of Ogg (RFC 3533). Sizes that a recorder left open, for example because it was killed, cannot be
checked.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING, BinaryIO

from edgecls.video.transport import SYNC, packet_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_PARTS = 500_000
"""Files with more boxes, elements or chunks than this are not read to the end."""
_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"pnot", b"mfra", b"sidx", b"uuid"})
EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
"""Matroska and WebM elements: the file header, the segment that holds the rest, and the clusters that hold its packets."""
IN_SEGMENT = frozenset({CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367})
ANYWHERE = frozenset({0xEC, 0xBF})  # an empty element and a checksum
IN_CLUSTER = frozenset({0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0xAF, 0x5854})
OPEN = -1
"""Stands for an unknown size of an element."""
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_LARGEST_OGG_PAGE = 27 + 255 + 255 * 255
_PROGRAM_PACKET = re.compile(rb"\x00\x00\x01[\xbb-\xff]")
"""The start code of a program stream packet that has a length; start codes inside pictures are below 0xb9."""
_LARGEST_PROGRAM_PACKET = 6 + 0xFFFF


def missing_bytes(path: str | Path) -> int:
    """Return the least number of bytes missing at the end of a video file; 0 if it is complete or the container does not say.

    Raises OSError if the file cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - the path as given
        end, length = stated_end(file)
    return max(0, end - length)


def lacks_index(path: str | Path) -> bool:
    """Return whether an MP4 or MOV file has media data, but neither a whole index (`moov`), which is usually written last, nor
    fragments. Raises OSError if the file cannot be read.
    """
    kinds: set[bytes] = set()
    at = 0
    with open(path, "rb") as file:  # noqa: PTH123 - the path as given
        length = file.seek(0, os.SEEK_END)
        for _ in range(MOST_PARTS):
            file.seek(at)
            head = file.read(16)
            kind, size = head[4:8], int.from_bytes(head[:4], "big")
            size = int.from_bytes(head[8:16], "big") if size == 1 else size
            if kind not in _BOXES:
                break
            at += size
            if kind == b"mdat" or at <= length:
                kinds.add(kind)
            if size < 8:  # 0: extends to the end of the file
                break
    return b"mdat" in kinds and not kinds & {b"moov", b"moof"}


def stated_end(file: BinaryIO) -> tuple[int, int]:
    """Return the end that the container states and the length of the file; the length twice if the container does not say."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(1024)
    for is_kind, end_of in _KINDS:
        if is_kind(start):
            return end_of(file, length), length
    return length, length


def _is_mp4(start: bytes) -> bool:
    return start[4:8] in _BOXES


def _end_of_mp4(file: BinaryIO, length: int) -> int:
    """Return the end of the last box that a player needs. Boxes follow each other, and the last one may be incomplete."""
    at = 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8 or head[4:8] not in _BOXES:
            return at if len(head) >= 8 or not head else at + 8
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        if size == 0:  # extends to the end of the file
            return length
        if size < header:
            return at
        at += size
        if at > length:
            return at
    return length


def _is_matroska(start: bytes) -> bool:
    return start[:4] == b"\x1a\x45\xdf\xa3"


def _end_of_matroska(file: BinaryIO, length: int) -> int:
    """Return the end of the segment, or if its size is unknown, that of the last element in it or in its last cluster."""
    at, inside = 0, frozenset({EBML, SEGMENT})
    for _ in range(MOST_PARTS):
        if at >= length:
            return at
        file.seek(at)
        name, size, content = element(file.read(12))
        if name == SEGMENT and size == OPEN:
            inside = IN_SEGMENT
            at += content
        elif name == CLUSTER and size == OPEN:
            inside = IN_CLUSTER
            at += content
        elif name not in inside | IN_SEGMENT | ANYWHERE or size == OPEN:
            return at  # something else, which may be incomplete
        else:
            at += content + size
            if name == SEGMENT:
                return at
    return length


def element(head: bytes) -> tuple[int, int, int]:
    """Return (id, size of the content, length of the header) of an EBML element."""
    if not head or not head[0] & 0xF0:
        return 0, 0, 0
    id_length = 9 - head[0].bit_length()
    sized = head[id_length:]
    if not sized or not sized[0]:
        return 0, 0, 0
    size_length = 9 - sized[0].bit_length()
    size = int.from_bytes(sized[:size_length], "big") & ((1 << 7 * size_length) - 1)
    is_open = size == (1 << 7 * size_length) - 1
    return int.from_bytes(head[:id_length], "big"), OPEN if is_open else size, id_length + size_length


def _is_avi(start: bytes) -> bool:
    return start[:4] == b"RIFF" and start[8:12] == b"AVI "


def _end_of_avi(file: BinaryIO, length: int) -> int:
    """Return the end of the last `movi` list. A large file consists of several RIFF chunks; their sizes and those of their
    indices are often off by some bytes without any picture missing.
    """
    at, end = 0, 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            break
        kind, size, form = struct.unpack("<4sI4s", head)
        if kind == b"RIFF" and form in (b"AVI ", b"AVIX"):
            at += 12
        elif size in (0, 0xFFFFFFFF) and form == b"movi":  # unknown
            return length
        else:
            if form == b"movi" and kind == b"LIST":
                end = at + 8 + size
            at += 8 + size + size % 2
    return end


def _is_flv(start: bytes) -> bool:
    return start[:3] == b"FLV"


def _end_of_flv(file: BinaryIO, length: int) -> int:
    """Return the end of the last tag. The size of each tag is repeated after it, so the last four bytes usually suffice."""
    file.seek(max(0, length - 4))
    size = int.from_bytes(file.read(4), "big")
    if 11 <= size <= length - 13:
        file.seek(length - 4 - size)
        tag = file.read(4)
        if tag[0] & 0x1F in (8, 9, 18) and int.from_bytes(tag[1:4], "big") == size - 11:
            return length
    file.seek(5)
    at = int.from_bytes(file.read(4), "big") + 4
    for _ in range(MOST_PARTS):
        file.seek(at)
        tag = file.read(4)
        if len(tag) < 4 or tag[0] & 0x1F not in (8, 9, 18):
            return at if len(tag) == 4 or not tag else at + 11
        at += 11 + int.from_bytes(tag[1:4], "big") + 4
        if at > length:
            return at
    return length


def _is_asf(start: bytes) -> bool:
    return start.startswith(_ASF_HEADER)


def _end_of_asf(file: BinaryIO, _length: int) -> int:
    """Return the size that the header states; 0 for a broadcast, which does not state one."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(_ASF_FILE)
    if at < 0 or len(head) < at + 92:
        return 0
    (size,) = struct.unpack_from("<Q", head, at + 40)
    (flags,) = struct.unpack_from("<I", head, at + 88)
    return 0 if flags & 1 else int(size)


def _is_transport(start: bytes) -> bool:
    return packet_size(start) > 0


def _end_of_transport(file: BinaryIO, length: int) -> int:
    """Return the end of the last packet; the container states no other length."""
    file.seek(0)
    size = packet_size(file.read(1024))
    over = length % size
    file.seek(length - over + (4 if size == 192 else 0))
    return length - over + size if over and file.read(1) == bytes([SYNC]) else length


def _is_program(start: bytes) -> bool:
    return start[:4] == b"\x00\x00\x01\xba"


def _end_of_program(file: BinaryIO, length: int) -> int:
    """Return the end of the last packet, after which there is at most an end code."""
    first = max(0, length - 2 * _LARGEST_PROGRAM_PACKET)
    file.seek(first)
    tail = file.read()
    at = max((found.start() for found in _PROGRAM_PACKET.finditer(tail)), default=-1)
    return length if at < 0 else first + at + 6 + int.from_bytes(tail[at + 4 : at + 6], "big")


def _is_ogg(start: bytes) -> bool:
    return start[:4] == b"OggS"


def _end_of_ogg(file: BinaryIO, length: int) -> int:
    """Return the end of the last page."""
    first = max(0, length - 2 * _LARGEST_OGG_PAGE)
    file.seek(first)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return length
    segments = tail[at + 27 : at + 27 + tail[at + 26]] if len(tail) > at + 26 else b""
    return first + at + 27 + len(segments) + sum(segments)


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], int]], ...] = (
    (_is_mp4, _end_of_mp4),
    (_is_matroska, _end_of_matroska),
    (_is_avi, _end_of_avi),
    (_is_flv, _end_of_flv),
    (_is_asf, _end_of_asf),
    (_is_transport, _end_of_transport),
    (_is_program, _end_of_program),
    (_is_ogg, _end_of_ogg),
)
