"""Detect gaps between the packets of a file, by the structure of its container.

FFmpeg silently skips a damaged part and continues with the next good one. But each part states where the next one begins
(AVI: chunks; Matroska and WebM: elements; FLV: tags), so there is a gap before a packet that cannot be reached by following
them. Other containers have an index of their packets, or count them.
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
"""The position that FFmpeg reports for the packet of a part, and the start of the next part."""
Step: TypeAlias = "Callable[[BinaryIO, int], Part | None]"
"""Returns the part of a file that begins at an offset; None if there is none."""
Find: TypeAlias = "Callable[[BinaryIO, int], int | None]"
"""Returns the offset at which the part of a packet begins."""


class Structure:
    """Follows the parts of an open file from packet to packet. Finds gaps only in AVI, Matroska and FLV files."""

    def __init__(self, path: str | Path) -> None:
        """Open a file. Raises OSError if it cannot be read."""
        self._file: BinaryIO = open(path, "rb")  # noqa: PTH123, SIM115 - the path as given; `close` closes it
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
        """Whether there is a gap before the packet at a position. Must be called for the packets of a stream in order.

        A file whose first packet cannot be reached has a different structure, and is not checked.
        """
        if self._part is None or position is None or position <= self._last:
            return False
        self._last = position
        try:
            is_reached = self._reach(position)
        except OSError:
            is_reached = True  # FFmpeg will report it
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
        """Whether there is a gap between the last packet and the end that the container states."""
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
        """Return the structure, which is already open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _reach(self, position: int) -> bool:
        """Follow the parts up to and past the packet at a position. Returns whether they lead to it."""
        while self._part is not None and self._at <= position:
            part = self._part(self._file, self._at)
            if part is None or part[0] > position:
                return False
            self._at = part[1]
            if part[0] == position:
                return True
        return False


def _avi_part(file: BinaryIO, at: int) -> Part | None:
    for start in (at, at - 1):  # some writers omit the padding byte after an odd length
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
    """Return the start of the block whose content is at a position."""
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
