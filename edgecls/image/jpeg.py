"""Check whether a JPEG is complete, and find its end.

Data may follow the end of a JPEG: phones append videos (motion photos) and further pictures (gain maps), and cameras pad their
buffers. Embedded pictures, such as previews, are inside segments that state their length. So the segments are followed one by
one (ISO/IEC 10918-1, annex B) to the first end marker.

Decoders show damaged data without an error; at most they warn. But damaged data rarely has exactly the length that its pixels
need: the decoder runs out of data, or some is left over. Both can be detected with OpenCV, which rejects data that runs out
without an end marker. Versions before 4.11 fill in the missing pixels instead: then the result depends on what follows the
data.

Of 437 bit flips with a visible effect in 13 pictures, these checks find 62 %. A decoder that rejects every invalid code would
find 70 %; the others decode to valid data and cannot be detected.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from edgecls.image.opencv import cv2

START = b"\xff\xd8"
_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_EQUAL = re.compile(rb"(.)\1{31}", re.DOTALL)
_EQUAL_SECTOR = re.compile(rb"(.)\1{511}", re.DOTALL)
SPARE = bytes(8)
"""Padding for the decoder, which reads ahead by up to 8 bytes."""
SURPLUS_BYTES = 32
"""With at least this many surplus bytes, the data is damaged. Cameras may pad with fewer bytes, or with more equal bytes."""
MAX_PADDING = 256
"""More equal bytes than this at the end are a lost block, not padding."""
_FOLLOWING = (bytes(64) + b"\xff\xd9", bytes.fromhex("55a3") * 32 + b"\xff\xd9")
"""Two different continuations of the data. They change the decoded picture only if its data ends early."""
_END, _SCAN, _RESTART_INTERVAL = 0xD9, 0xDA, 0xDD
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_PROGRESSIVE = frozenset({0xC2})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(slots=True)
class Scan:
    """A scan: the components and coefficients that it codes, and the range of its bytes."""

    components: int
    first: int
    last: int
    low_bit: int
    start: int
    stop: int


@dataclass(slots=True)
class Layout:
    """The structure of a JPEG. `end` is the offset after the end marker, 0 if there is none."""

    frame: int = 0
    components: int = 0
    units: int = 0
    restart_every: int = 0
    scans: list[Scan] = field(default_factory=list)
    end: int = 0


def layout(data: bytes) -> Layout:
    """Parse the segments of a JPEG up to its end marker."""
    found, at = Layout(), 2
    while (marker := _MARKER.search(data, at)) is not None:
        kind, at = data[marker.end() - 1], marker.end()
        if kind == _END:
            found.end = at
            break
        if kind == 0x01:
            continue
        if at + 2 > len(data):
            break
        stop = at + max(2, struct.unpack_from(">H", data, at)[0])
        if stop > len(data):
            break
        try:
            _read(found, kind, data[at + 2 : stop])
        except (struct.error, IndexError, ValueError):  # too short
            break
        at = stop
        if kind == _SCAN:
            following = _MARKER.search(data, at)
            found.scans[-1].start, found.scans[-1].stop = at, len(data) if following is None else following.start()
    return found


def _read(found: Layout, kind: int, segment: bytes) -> None:
    if kind in _FRAMES:
        height, width, count = struct.unpack_from(">HHB", segment, 1)
        factors = [segment[7 + 3 * i] for i in range(count)]
        across, down = (max(n >> 4 for n in factors), max(n & 15 for n in factors)) if count > 1 else (1, 1)
        found.frame, found.components = kind, count
        found.units = -(-width // (8 * max(1, across))) * -(-height // (8 * max(1, down)))
    elif kind == _RESTART_INTERVAL:
        (found.restart_every,) = struct.unpack_from(">H", segment)
    elif kind == _SCAN:
        first, last, bits = segment[-3:]
        found.scans.append(Scan(segment[0], first, last, bits & 15, 0, 0))


def damage(data: bytes, found: Layout, *, suspicious_only: bool = False) -> str:
    """Return a description of the damage in a JPEG that has an end marker; "" if none is found.

    Data that runs out is only detected when decoding, see `data_of`.

    Args:
        data: The bytes of the file.
        found: Its structure.
        suspicious_only: Search for surplus data only if bytes repeat. The search takes about half as long as decoding.
    """
    if not found.scans:
        return "it holds no picture data"
    if found.frame in _PROGRESSIVE:
        return _progressive_damage(data, found)
    if not _is_plain(found):
        return ""
    scan = found.scans[0]
    if found.restart_every:
        marks = [mark[1] & 7 for mark in _RESTART.findall(data, scan.start, scan.stop)]
        if marks != [i % 8 for i in range(max(0, -(-found.units // found.restart_every) - 1))]:
            return "parts of its data are missing or in disorder"
    if suspicious_only and _EQUAL.search(data, scan.start, scan.stop) is None:
        return ""
    if not _stops_without_data():
        if not _is_the_same(data[: scan.stop], cv2.IMREAD_REDUCED_COLOR_8):
            return "its data ends before its last pixel"
        if found.restart_every:  # a decoder skips data after a complete interval, so a missing interval cannot be detected
            return ""
    return "its data goes on after its last pixel" if _has_surplus(data, scan) else ""


def _has_surplus(data: bytes, scan: Scan) -> bool:
    if scan.stop - scan.start <= SURPLUS_BYTES:
        return False
    is_padding = len(set(data[scan.stop - SURPLUS_BYTES : scan.stop])) == 1
    needed = len(data[: scan.stop].rstrip(data[scan.stop - 1 : scan.stop])) if is_padding else scan.stop
    if is_padding and scan.stop - needed > MAX_PADDING:
        needed = scan.stop
    return needed - SURPLUS_BYTES > scan.start and _is_enough(data[: needed - SURPLUS_BYTES])


def data_of(data: bytes, found: Layout) -> bytes:
    """Return the bytes to decode, without the end marker where possible: OpenCV then rejects data that ends early."""
    if _is_plain(found) and _stops_without_data():
        return data[: found.scans[0].stop] + SPARE
    return data[: found.end]


def _is_plain(found: Layout) -> bool:
    """Whether the whole picture is in one scan, as in most JPEGs."""
    return found.frame in _SEQUENTIAL and len(found.scans) == 1 and found.scans[0].components == found.components


def _progressive_damage(data: bytes, found: Layout) -> str:
    """Describe the damage of a progressive JPEG: scans that are missing, or blocks that are empty."""
    last_bits: dict[int, int] = {}
    for scan in found.scans:
        for coefficient in range(scan.first, min(63, scan.last) + 1):
            last_bits[coefficient] = scan.low_bit
    if any(last_bits.get(coefficient, 1) for coefficient in range(64)):
        return "scans of it are missing"
    if any(scan.first and _EQUAL_SECTOR.search(data, scan.start, scan.stop) for scan in found.scans):
        return "a part of its data is empty"
    return ""


def _is_enough(data: bytes) -> bool:
    if _stops_without_data():
        return _decodes(data)
    modes = (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_COLOR)  # the cheap one first
    return all(_is_the_same(data, mode) for mode in modes) and not _is_flat(data)


def _is_the_same(data: bytes, flags: int) -> bool:
    """Whether the decoded picture does not depend on what follows its data."""
    try:
        one, other = (cv2.imdecode(np.frombuffer(data + following, np.uint8), flags) for following in _FOLLOWING)
    except cv2.error:
        return False
    return one is not None and other is not None and np.array_equal(one, other)


def _is_flat(data: bytes) -> bool:
    """Whether all pixels are equal. Then filled-in pixels look like lost ones, and damage cannot be detected."""
    picture = cv2.imdecode(np.frombuffer(data + _FOLLOWING[0], np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
    return picture is None or len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


def _decodes(data: bytes) -> bool:
    """Whether OpenCV finds data for every pixel. Decodes at reduced size and in gray, which is cheapest."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8) is not None
    except cv2.error:
        return False


@cache
def _stops_without_data() -> bool:
    """Whether this OpenCV rejects data that ends early without an end marker, as 4.11 and later do."""
    picture = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
    whole = bytes(cv2.imencode(".jpg", picture)[1])
    return _decodes(whole) and _decodes(whole[:-2] + SPARE) and not _decodes(whole[:-2][:-SURPLUS_BYTES])
