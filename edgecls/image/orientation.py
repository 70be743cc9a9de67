"""Turn pictures upright where OpenCV does not: AVIF files, and some WebP files.

OpenCV applies the EXIF orientation. AVIF has its own properties, which take precedence (ISO/IEC 23000-22): `irot` rotates
counterclockwise, then `imir` flips vertically or horizontally. Some writers of WebP prefix the EXIF data with six bytes that
belong only in a JPEG. OpenCV 4 ignores the orientation of WebP altogether.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from edgecls.image import header
from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.frame import Picture

_EXIF_OF_JPEG = b"Exif\0\0"
_MAX_BOXES = 1000
_ORIENTATION = 274
_TURNS: dict[int, Callable[[Picture], Picture]] = {
    2: np.fliplr,
    3: lambda picture: np.rot90(picture, 2),
    4: np.flipud,
    5: lambda picture: np.rot90(np.fliplr(picture)),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: np.rot90(np.fliplr(picture), -1),
    8: np.rot90,
}
"""What to do for each value of the EXIF orientation tag."""


def plain_exif(data: bytes) -> bytes:
    """Return a WebP file without a JPEG prefix in its EXIF data; other files unchanged."""
    at = data.find(b"EXIF", 12) if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else -1
    if at < 0 or data[at + 8 : at + 14] != _EXIF_OF_JPEG:
        return data
    (length,) = struct.unpack_from("<I", data, at + 4)
    (total,) = struct.unpack_from("<I", data, 4)
    shorter = [struct.pack("<I", max(0, n - len(_EXIF_OF_JPEG))) for n in (total, length)]
    return data[:4] + shorter[0] + data[8 : at + 4] + shorter[1] + data[at + 14 :]


def upright(picture: Picture, data: bytes, stated_wh: tuple[int, int] | None) -> Picture:
    """Turn the picture of an AVIF or WebP file upright, unless OpenCV already did.

    Args:
        picture: The decoded picture.
        data: The bytes of its file.
        stated_wh: The (width, height) in its header.
    """
    if data[:4] == b"RIFF" and not _turns_webp():
        turn = _TURNS.get(_of_webp(plain_exif(data)))
        return picture if turn is None else np.ascontiguousarray(turn(picture))
    if data[4:8] != b"ftyp":
        return picture
    try:
        turns, axis = _properties(data)
    except (struct.error, IndexError, OverflowError):
        return picture
    if turns % 2 and stated_wh == (picture.shape[0], picture.shape[1]) and stated_wh[0] != stated_wh[1]:
        return picture
    if turns:
        picture = np.rot90(picture, turns)
    if axis is not None:
        picture = picture[::-1] if axis == 0 else picture[:, ::-1]
    return np.ascontiguousarray(picture)


def _of_webp(data: bytes) -> int:
    at = data.find(b"EXIF", 12)
    try:
        return dict(header.tiff_tags(data[at + 8 :])).get(_ORIENTATION, 1) if at >= 0 else 1
    except (struct.error, IndexError, OverflowError):
        return 1


@cache
def _turns_webp() -> bool:
    """Whether this OpenCV applies the EXIF orientation of WebP files; tested with a picture of 2x1 pixels."""
    exif = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", _ORIENTATION, 3, 1, 6, 0) + bytes(4)
    wide = b"VP8X" + struct.pack("<I4B", 10, 8, 0, 0, 0) + bytes([1, 0, 0, 0, 0, 0])
    picture = bytes(cv2.imencode(".webp", np.zeros((1, 2, 3), np.uint8))[1])[12:]
    body = b"WEBP" + wide + picture + b"EXIF" + struct.pack("<I", len(exif)) + exif
    found = cv2.imdecode(np.frombuffer(b"RIFF" + struct.pack("<I", len(body)) + body, np.uint8), cv2.IMREAD_COLOR)
    return found is not None and found.shape[0] == 2


def _properties(data: bytes) -> tuple[int, int | None]:
    """Return (counterclockwise quarter turns, axis of the flip or None) of the primary picture."""
    meta = next(((at + 4, end) for name, at, end in _boxes(data, 0, len(data)) if name == b"meta"), (0, 0))
    found = {name: (at, end) for name, at, end in _boxes(data, *meta)}
    if not {b"pitm", b"iprp"} <= found.keys():
        return 0, None
    at = found[b"pitm"][0]
    (primary,) = struct.unpack_from(">I" if data[at] else ">H", data, at + 4)
    inner = {name: (at, end) for name, at, end in _boxes(data, *found[b"iprp"])}
    if not {b"ipco", b"ipma"} <= inner.keys():
        return 0, None
    kinds = [(name, data[at]) for name, at, end in _boxes(data, *inner[b"ipco"]) if end > at]
    own = [kinds[i - 1] for i in _indices(data, inner[b"ipma"][0], primary) if 0 < i <= len(kinds)]
    turns = next((value & 3 for name, value in own if name == b"irot"), 0)
    return turns, next((value & 1 for name, value in own if name == b"imir"), None)


def _indices(data: bytes, at: int, wanted: int) -> list[int]:
    """Return the property indices of an item, counted from 1."""
    version, wide = data[at], data[at + 3] & 1
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 8
    for _ in range(min(count, _MAX_BOXES)):
        (item,) = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        number, at = data[at], at + 1
        size = 2 if wide else 1
        mask = 0x7FFF if wide else 0x7F
        found = [int.from_bytes(data[at + size * i : at + size * (i + 1)], "big") & mask for i in range(number)]
        if item == wanted:
            return found
        at += size * number
    return []


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start, end) of the boxes between two offsets; start and end delimit the content."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        length, name, header = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if length == 0 else at + length
        if stop > end or stop < at + header:
            return
        yield name, at + header, stop
        at = stop
