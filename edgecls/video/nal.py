"""Find out what H.264 and HEVC packets contain, from their NAL unit types (H.264 table 7-1, H.265 table 7-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CODECS = frozenset({"h264", "hevc"})
START_CODE = b"\0\0\1"
_LENGTH_AT = {"h264": 4, "hevc": 21}
"""The byte of the codec headers that states how many bytes the length of a unit has (ISO/IEC 14496-15)."""
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}
_LEADING = range(8, 10)
"""HEVC pictures that depend on pictures before their key frame (RASL): not decoded if the video begins with that key frame."""
_LENGTHS = 1
"""The first byte of codec headers for which units begin with their length instead of a start code."""


def holds_picture(codec: str, data: bytes, headers: bytes) -> bool:
    """Whether a packet contains a picture that the decoder should have returned.

    Some recorders store the parameter sets of H.264 and HEVC in separate packets, for which FFmpeg reports a missing picture.
    Data that cannot be parsed is damaged and counts as a picture; so do all packets of other codecs.
    """
    if codec not in CODECS:
        return True
    at = _LENGTH_AT[codec]
    measured = len(headers) > at and has_lengths(headers)
    units = list(_by_length(data, (headers[at] & 3) + 1) if measured else _by_start_code(data))
    if not units or None in units:
        return True
    kinds = [unit & 0x1F if codec == "h264" else unit >> 1 & 0x3F for unit in units if unit is not None]
    return any(kind in _PICTURES[codec] and not (codec == "hevc" and kind in _LEADING) for kind in kinds)


def has_lengths(headers: bytes) -> bool:
    """Whether units begin with their length, as in MP4, instead of a start code. `headers` are those of the codec."""
    return headers[:1] == bytes([_LENGTHS])


def in_lengths(data: bytes) -> bytes:
    """Return a packet whose units begin with start codes as one whose units begin with their length in four bytes."""
    units, at = [], data.find(START_CODE)
    while at >= 0:
        end = data.find(START_CODE, at + 3)
        unit = data[at + 3 : None if end < 0 else end]
        if end >= 0 and unit[-1:] == b"\0":  # of a start code of four bytes; no unit ends with a zero
            unit = unit.rstrip(b"\0")
        if unit:
            units += [len(unit).to_bytes(4, "big"), unit]
        at = end
    return b"".join(units)


def _by_length(data: bytes, size: int) -> Iterator[int | None]:
    """Yield the first byte of each unit; None for a unit that does not fit."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        yield data[at] if 0 < length <= len(data) - at else None
        at += max(length, 1)


def _by_start_code(data: bytes) -> Iterator[int | None]:
    """Yield the first byte of each unit; None first if the data begins with something else."""
    at = data.find(START_CODE)
    if at < 0 or any(data[:at]):
        yield None
    while 0 <= at < len(data) - 3:
        yield data[at + 3]
        at = data.find(START_CODE, at + 3)
