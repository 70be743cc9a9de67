"""Move the index of an MP4 to its start: browsers then play it while it loads, and iPhones play it at all.

FFmpeg writes the index (box `moov`) last, when all offsets are known. Its own `movflags=faststart` reopens the output by name,
but files here are passed as open file objects. Moving the index is simple: the media data then follows it, so every offset in
the index grows by the size of the index (ISO/IEC 14496-12, boxes `stco` and `co64`).
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from edgecls.errors import SinkError
from edgecls.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = (".mp4", ".m4v", ".mov")
PATH = (b"trak", b"mdia", b"minf", b"stbl")
"""The nested boxes from the index to the offset tables of a track."""
OFFSETS = {b"stco": ">I", b"co64": ">Q"}
LARGEST_INDEX = 1 << 28
BLOCK_BYTES = 1 << 20


class _Box(NamedTuple):
    kind: bytes
    begin: int
    body: int
    end: int


def put_index_first(path: Path, *, mode: int | None = None) -> None:
    """Rewrite an MP4 with its index first. Any other file is left unchanged, and so is one that there is no room to copy:
    without this it still plays once it is loaded completely. `mode` is as for `whole_file`.
    """
    if path.suffix.lower() not in SUFFIXES:
        return
    try:
        with path.open("rb") as file:
            boxes = list(_boxes(file, 0, os.fstat(file.fileno()).st_size))
            index = next((box for box in boxes if box.kind == b"moov"), None)
            data = next((box for box in boxes if box.kind == b"mdat"), None)
            if index is None or data is None or index.begin < data.begin or index.end - index.begin > LARGEST_INDEX:
                return
            file.seek(index.begin)
            moved = _moved(file.read(index.end - index.begin), data.begin, index)
            with whole_file(path, mode=mode) as beside, beside.open("r+b") as copy:
                _copy(file, copy, 0, data.begin)
                copy.write(moved)
                _copy(file, copy, data.begin, index.begin)
                _copy(file, copy, index.end, boxes[-1].end)
    except (OSError, SinkError, ValueError, struct.error):  # the original file is unchanged
        return


def _moved(index: bytes, to: int, was: _Box) -> bytes:
    """Return the index for its new place `to`: everything between there and its old place moves back by its size."""
    changed = bytearray(index)
    for begin, end, form in _tables(index, was.body - was.begin, len(index), PATH):
        size = struct.calcsize(form)
        (count,) = struct.unpack_from(">I", index, begin + 4)
        if begin + 8 + count * size > end:
            raise ValueError("more offsets than there is room for")
        for at in range(begin + 8, begin + 8 + count * size, size):
            (offset,) = struct.unpack_from(form, index, at)
            if to <= offset < was.begin:
                struct.pack_into(form, changed, at, offset + len(index))
    return bytes(changed)


def _tables(data: bytes, begin: int, end: int, path: tuple[bytes, ...]) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, struct format) of the offset tables of all tracks."""
    while begin + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, begin)
        if size < 8 or begin + size > end:
            raise ValueError(f"a box of {size} bytes")
        if path and kind == path[0]:
            yield from _tables(data, begin + 8, begin + size, path[1:])
        elif not path and kind in OFFSETS:
            yield begin + 8, begin + size, OFFSETS[kind]
        begin += size


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[_Box]:
    while begin + 8 <= end:
        file.seek(begin)
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        body = begin + 8
        if size == 1:  # a 64-bit size follows
            (size,) = struct.unpack_from(">Q", head, 8)
            body = begin + 16
        size = size or end - begin  # 0: extends to the end of the file
        if size < body - begin or begin + size > end:
            raise ValueError(f"a box of {size} bytes")
        yield _Box(kind, begin, body, begin + size)
        begin += size


def _copy(source: BinaryIO, target: BinaryIO, begin: int, end: int) -> None:
    source.seek(begin)
    while begin < end:
        piece = source.read(min(BLOCK_BYTES, end - begin))
        if not piece:
            raise ValueError("shorter than it was")
        target.write(piece)
        begin += len(piece)
