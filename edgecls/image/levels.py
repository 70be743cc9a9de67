"""Detect how many bits the levels of a 16-bit picture use.

X-ray, thermal and industrial cameras deliver 10 to 14 bits, which many programs store unscaled in 16-bit pictures. Read as 16
bits, such a picture is nearly black. A PNG may declare its bits (chunk sBIT), and a TIFF its largest level; a PGM always
declares it. If nothing is declared and no level needs more than 12 bits, the picture is read as 12 bits, which most such
cameras have.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import numpy as np

from edgecls.image import header

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALL_BITS = 16
CAMERA_BITS = 12
_MAXIMUM = re.compile(rb"P[2356](?:\s|#[^\n]*\n)*\d+(?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+(\d{1,5})\s")
_PNG_DEPTH, _PNG_COLOR = 24, 25
_BITS_PER_SAMPLE, _LARGEST_SAMPLE, _SMAX_SAMPLE_VALUE = 258, 281, 341


def stated(data: bytes) -> int | None:
    """Return the bits that a 16-bit picture file declares to use, 16 if it declares nothing; None for all other files."""
    try:
        if data.startswith(header.PNG):
            return _png(data) if data[_PNG_DEPTH] == ALL_BITS else None
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(dict(header.tiff_tags(data)))
    except (struct.error, IndexError, OverflowError):
        return None
    maximum = _MAXIMUM.match(data, 0, 4096)
    bits = int(maximum[1]).bit_length() if maximum else 0
    return bits if 8 < bits <= ALL_BITS else None


def used(levels: NDArray[np.uint16], stated_bits: int) -> int:
    """Return how many bits the levels of a picture use.

    Writers that follow the PNG standard scale their levels up to 16 bits. Such levels exceed the declared bits, or their low
    bits are all zero.

    Args:
        levels: (H, W) or (H, W, C) uint16.
        stated_bits: What `stated` returned.
    """
    bits = min(stated_bits, CAMERA_BITS) if stated_bits == ALL_BITS else stated_bits
    if bits >= ALL_BITS or int(levels.max()) >> bits:
        return ALL_BITS
    is_scaled = stated_bits < ALL_BITS and not np.bitwise_and(levels, (1 << ALL_BITS - bits) - 1).any()
    return ALL_BITS if is_scaled else bits


def _png(data: bytes) -> int:
    at = 8
    while data[at + 4 : at + 8] not in (b"IDAT", b"PLTE", b""):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"sBIT":
            channels = {0: 1, 4: 1}.get(data[_PNG_COLOR], 3)
            return max(data[at + 8 : at + 8 + min(length, channels)], default=ALL_BITS) or ALL_BITS
        at += 12 + length
    return ALL_BITS


def _tiff(tags: dict[int, int]) -> int | None:
    if tags.get(_BITS_PER_SAMPLE) != ALL_BITS:
        return None
    largest = tags.get(_LARGEST_SAMPLE) or tags.get(_SMAX_SAMPLE_VALUE) or 0
    return largest.bit_length() if 0 < largest < 1 << ALL_BITS else ALL_BITS
