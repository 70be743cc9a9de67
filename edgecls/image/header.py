"""Read the size and format of a picture from the header of its file, without decoding it."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
_GIF = (b"GIF87a", b"GIF89a")
_RADIANCE = (b"#?RADIANCE", b"#?RGBE")
_EXR = b"\x76\x2f\x31\x01"
_CODESTREAM = b"\xff\x4f\xff\x51"
_BOXED = (b"ftyp", b"jP  ")
_FLOATS = (b"PF", b"Pf", _EXR)
_HEAVY = (*_GIF, *_RADIANCE, _CODESTREAM)
_JPEG_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers whose segment contains the size (ISO/IEC 10918-1, table B.1)."""
_NUMBERS = re.compile(rb"(?:\s|#[^\n]*\n)*(\d{1,10})(?:\s|#[^\n]*\n)+(\d{1,10})\s")
_HDR_SIZE = re.compile(rb"\n[-+][XY] (\d{1,10}) [-+][XY] (\d{1,10})\n")
_PAM = re.compile(rb"(WIDTH|HEIGHT)\s+(\d{1,10})\s")
_TIFF_TYPES = {3: "H", 4: "I", 16: "Q"}
_MAX_TAGS = 1000


def size(data: bytes) -> tuple[int, int] | None:
    """Return the (width, height) in pixels that the header states, of the largest picture if there are several.

    None if the format is unknown or the header is cut off.
    """
    for start, read in _SIZES:
        if data.startswith(start):
            try:
                return read(data)
            except (struct.error, IndexError, OverflowError):  # the header is cut off, so decoding will fail too
                return None
    return _boxed(data) if data[4:8] in _BOXED else None


def weight(data: bytes) -> int:
    """Return how much memory per pixel the decoder of this format takes, relative to PNG."""
    if data.startswith(_FLOATS):
        return 4
    return 2 if data.startswith(_HEAVY) or data[4:8] in _BOXED else 1


def unreadable(data: bytes) -> str:
    """Return the name of a format that OpenCV cannot read, and what to do about it; "" for every other file."""
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx") or (
        brand in (b"mif1", b"msf1") and b"avif" not in data[:64]
    ):
        return "a HEIC picture, which OpenCV cannot read; convert it to JPEG: heif-convert PICTURE.heic PICTURE.jpg"
    if data.startswith(_JPEG_XL):
        return "a JPEG XL picture, which OpenCV cannot read; convert it to JPEG: djxl PICTURE.jxl PICTURE.jpg"
    return ""


_JPEG_XL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        at = data.index(b"\xff", at) if data.find(b"\xff", at) >= 0 else len(data)
        marker, length = data[at + 1], 0
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_SIZED:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + max(2, length)


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:  # skip extensions up to the first picture, which may be larger than the logical screen
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if data[at] == 0x2C:
        own = struct.unpack_from("<HH", data, at + 5)
        width, height = max(width, own[0]), max(height, own[1])
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _riff(data: bytes) -> tuple[int, int]:
    """Read the size of a WebP from its first chunk, which is one of three kinds (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(data: bytes) -> tuple[int, int]:
    tags = dict(tiff_tags(data))
    return tags.get(256, 0), tags.get(257, 0)


def tiff_tags(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (tag, first value) of the integer tags in the first directory of a TIFF or BigTIFF."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    entry, inline = (20, 12) if big else (12, 8)
    for i in range(min(count, _MAX_TAGS)):
        tag, kind = struct.unpack_from(order + "HH", data, at + i * entry)
        values = struct.unpack_from(order + ("Q" if big else "I"), data, at + i * entry + 4)[0]
        code = _TIFF_TYPES.get(kind)
        if code is None or not values:
            continue
        where = at + i * entry + inline
        if values * struct.calcsize(code) > (8 if big else 4):
            where = struct.unpack_from(order + ("Q" if big else "I"), data, where)[0]
        yield tag, struct.unpack_from(order + code, data, where)[0]


def _netpbm(data: bytes) -> tuple[int, int] | None:
    if data[1:2] == b"7":
        found = {name: int(number) for name, number in _PAM.findall(data[:4096])}
        return found.get(b"WIDTH", 0), found.get(b"HEIGHT", 0)
    numbers = _NUMBERS.match(data, 2, 4096)
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def _hdr(data: bytes) -> tuple[int, int] | None:
    numbers = _HDR_SIZE.search(data, 0, 1 << 16)
    return (int(numbers[2]), int(numbers[1])) if numbers else None  # the rows first


def _exr(data: bytes) -> tuple[int, int] | None:
    at = data.find(b"dataWindow\0box2i\0", 0, 1 << 16)
    left, top, right, bottom = struct.unpack_from("<4i", data, at + 21) if at >= 0 else (0, 0, -1, -1)
    return max(0, right - left + 1), max(0, bottom - top + 1)


def _sun(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 4)
    return width, height


def _codestream(data: bytes) -> tuple[int, int]:
    right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
    (components,) = struct.unpack_from(">H", data, 40)  # each takes memory, and a normal picture has at most 4
    return max(0, right - left) * max(1, -(-components // 4)), max(0, bottom - top)


def _boxed(data: bytes) -> tuple[int, int] | None:
    """Read the largest size in the boxes of an AVIF, HEIC (ISO/IEC 23008-12) or JPEG 2000 file, which may consist of tiles."""
    sizes = [struct.unpack_from(">II", data, at + 8) for at in _found(data, b"ispe", 16)]
    sizes += [struct.unpack_from(">II", data, at + 4)[::-1] for at in _found(data, b"ihdr", 12)]
    sizes += [_codestream(data[at : at + 42]) for at in _found(data, _CODESTREAM, 42)]
    return max(sizes, key=lambda one: one[0] * one[1], default=None)


def _found(data: bytes, name: bytes, length: int) -> Iterator[int]:
    """Yield the offsets of `name` in the first megabyte that are followed by enough data: `length` bytes from the offset."""
    at = data.find(name, 0, 1 << 20)
    while 0 <= at <= len(data) - length:
        yield at
        at = data.find(name, at + 1, 1 << 20)


_SIZES: tuple[tuple[bytes | tuple[bytes, ...], Callable[[bytes], tuple[int, int] | None]], ...] = (
    (PNG, _png),
    (JPEG, _jpeg),
    (_GIF, _gif),
    (b"BM", _bmp),
    (b"RIFF", _riff),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    ((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"PF", b"Pf"), _netpbm),
    (_RADIANCE, _hdr),
    (b"\x59\xa6\x6a\x95", _sun),
    (_EXR, _exr),
    (_CODESTREAM, _codestream),
)
