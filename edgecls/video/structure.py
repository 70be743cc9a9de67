"""Whether the packets of a file follow each other without a gap, by the parts that its container consists of.

FFmpeg looks for the next good part where one is damaged, and tells nobody what it passed over. But each part says where the
next one begins (AVI: chunks; Matroska and WebM: elements; FLV: tags), so a packet to which they do not lead has a gap before
it. Other containers have an index of their packets, or count them.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, BinaryIO, Self, TypeAlias

from edgecls.video import completeness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FOURCC = re.compile(rb"[0-9A-Za-z_ ]{4}")
_FLV_KINDS = (8, 9, 15, 18)
_BLOCK_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_HOLDERS = frozenset({completeness.SEGMENT, completeness.CLUSTER, _BLOCK_GROUP})
_IN_BLOCK_GROUP = frozenset({_BLOCK, 0x9B, 0xFB, 0xFA, 0xFD, 0xA2, 0xA4, 0x8E, 0x75A1, 0x75A2})
_ELEMENTS = (
    _HOLDERS | completeness.IN_SEGMENT | completeness.IN_CLUSTER | completeness.ANYWHERE | _IN_BLOCK_GROUP | {completeness.EBML}
)
_LONGEST_HEADER = 12

Part = tuple[int, int]
"""Where FFmpeg says that the packet of a part stands, and where the next part begins."""
Step: TypeAlias = "Callable[[BinaryIO, int], Part | None]"
"""Returns the part of a file that begins at a byte, None where none does."""
Find: TypeAlias = "Callable[[BinaryIO, int], int | None]"
"""Returns the byte at which the part of a packet begins."""


class Structure:
    """Follows the parts of an open file from packet to packet. Other files than AVI, Matroska and FLV have no gaps here."""

    def __init__(self, path: str | Path) -> None:
        """Open a file. Raises OSError where it cannot be read."""
        self._file: BinaryIO = open(path, "rb")  # noqa: PTH123, SIM115 - a path as it was given; `close` closes it
        start = self._file.read(16)
        kind = next((kind for kind in _KINDS if start.startswith(kind)), None)
        self._part: Step | None = None
        self._at_packet: Find | None = None
        if kind is not None:
            self._part, self._at_packet = _KINDS[kind]
        self._at = int.from_bytes(start[5:9], "big") + 4 if kind == b"FLV" else 0
        self._last = -1
        self._is_checked = False

    def has_gap(self, position: int | None) -> bool:
        """Whether a gap stands before the packet at a position. Ask about the packets of a stream in their order.

        A file to whose first packet nothing leads is written in another way, and is not judged.
        """
        if self._part is None or position is None or position <= self._last:
            return False
        self._last = position
        try:
            is_reached = self._reach(position)
        except OSError:
            is_reached = True  # FFmpeg will say so
        if is_reached:
            self._is_checked = True
            return False
        if not self._is_checked:
            self._part = None
            return False
        at = self._at_packet(self._file, position) if self._at_packet is not None else None
        if at is None:
            self._part = None
        else:
            self._at = at
        return True

    def ends_in_gap(self) -> bool:
        """Whether a gap stands behind the last packet, before the end that the container states."""
        if self._part is None or not self._is_checked:
            return False
        try:
            end = min(completeness.stated_end(self._file))
            while self._at < end:
                part = self._part(self._file, self._at)
                if part is None:
                    return True
                self._at = part[1]
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the structure, which is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _reach(self, position: int) -> bool:
        """Follow the parts up to the packet at a position, and step behind it."""
        while self._part is not None and self._at <= position:
            part = self._part(self._file, self._at)
            if part is None or part[0] > position:
                return False
            self._at = part[1]
            if part[0] == position:
                return True
        return False


def _avi_part(file: BinaryIO, at: int) -> Part | None:
    for start in (at, at - 1):  # some writers leave out the byte that makes a length even
        file.seek(start)
        head = file.read(12)
        if len(head) == 12 and _FOURCC.fullmatch(head[:4]):
            kind, size = struct.unpack_from("<4sI", head)
            if kind in (b"RIFF", b"LIST"):
                return start + 8, start + 12
            return start + 8, start + 8 + size + size % 2
    return None


def _avi_at(_file: BinaryIO, position: int) -> int:
    return position - 8


def _flv_part(file: BinaryIO, at: int) -> Part | None:
    file.seek(at)
    head = file.read(11)
    if len(head) < 11 or head[0] & 0x1F not in _FLV_KINDS or any(head[8:]):
        return None
    return at, at + 11 + int.from_bytes(head[1:4], "big") + 4


def _flv_at(_file: BinaryIO, position: int) -> int:
    return position


def _matroska_part(file: BinaryIO, at: int) -> Part | None:
    file.seek(at)
    name, size, content = completeness.element(file.read(_LONGEST_HEADER))
    if name not in _ELEMENTS:
        return None
    if name in _HOLDERS:
        return at + content, at + content
    return None if size == completeness.OPEN else (at + content, at + content + size)


def _matroska_at(file: BinaryIO, position: int) -> int | None:
    """The start of the block whose content stands at a position."""
    for length in range(2, _LONGEST_HEADER + 1):
        file.seek(position - length)
        name, size, content = completeness.element(file.read(_LONGEST_HEADER))
        if name in (_BLOCK, _SIMPLE_BLOCK) and content == length and size > 0:
            return position - length
    return None


_KINDS: dict[bytes, tuple[Step, Find]] = {
    b"RIFF": (_avi_part, _avi_at),
    b"FLV": (_flv_part, _flv_at),
    b"\x1a\x45\xdf\xa3": (_matroska_part, _matroska_at),
}
