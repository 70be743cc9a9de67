"""The one layout of a bundle: a ZIP whose every byte follows from the names and contents of its files.

The files are stored, not compressed, one after another, with fixed times and rights and nothing in between. So any ZIP program
opens a bundle, the same files always give the same bytes, and a reader needs no parser that could be fooled: it computes what
must stand in the file and compares. There is no place for links, second files of one name, comments or compressed data.

Source: PKWARE, APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

LOCAL_SIGNATURE, CENTRAL_SIGNATURE, END_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
LOCAL_BYTES = 30
MOST_BYTES = 2**32 - 2**16
"""A ZIP of more needs larger fields (ZIP64), which a bundle does not have."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _DATE = 20, 0x0021
"""ZIP 2.0, and 1980-01-01, the first day that a ZIP can name."""
_MADE_BY = 3 << 8 | _VERSION
_RIGHTS = 0o100644 << 16
"""A regular file that all may read."""


class Entry(NamedTuple):
    """A file in the ZIP: its name, its size, its CRC-32, and where its local header begins."""

    name: str
    bytes: int
    crc: int
    begin: int


class LocalHeader(NamedTuple):
    """What stands in front of a file."""

    name_bytes: int
    extra_bytes: int
    flags: int
    method: int
    stored_bytes: int
    bytes: int


def local_header(entry: Entry) -> bytes:
    """Return what precedes the content of a file."""
    name = entry.name.encode("ascii")
    return _LOCAL.pack(
        LOCAL_SIGNATURE, _VERSION, 0, 0, 0, _DATE, entry.crc, entry.bytes, entry.bytes, len(name), 0
    ) + name  # fmt: skip


def parsed(header: bytes) -> LocalHeader | None:
    """Return the fields of the first LOCAL_BYTES bytes of a local header; None if it is none."""
    if len(header) != LOCAL_BYTES or not header.startswith(LOCAL_SIGNATURE):
        return None
    _, _, flags, method, _, _, _, stored, size, name, extra = _LOCAL.unpack(header)
    return LocalHeader(name, extra, flags, method, stored, size)


def central_header(entry: Entry) -> bytes:
    """Return the line of a file in the directory at the end."""
    name = entry.name.encode("ascii")
    return _CENTRAL.pack(
        CENTRAL_SIGNATURE, _MADE_BY, _VERSION, 0, 0, 0, _DATE, entry.crc, entry.bytes, entry.bytes,
        len(name), 0, 0, 0, 0, _RIGHTS, entry.begin,
    ) + name  # fmt: skip


def directory(entries: list[Entry]) -> bytes:
    """Return the end of the ZIP: the directory of its files."""
    lines = b"".join(map(central_header, entries))
    begin = end_of(entries[-1]) if entries else 0
    return lines + _END.pack(END_SIGNATURE, 0, 0, len(entries), len(entries), len(lines), begin, 0)


def end_of(entry: Entry) -> int:
    """Return where a file ends and the next one begins."""
    return entry.begin + LOCAL_BYTES + len(entry.name) + entry.bytes


def size_of(files: list[tuple[str, int]]) -> int:
    """Return the size of the ZIP of files with these names and sizes."""
    central = _CENTRAL.size + LOCAL_BYTES
    return sum(central + 2 * len(name) + size for name, size in files) + _END.size
