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
_SLICES = {"h264": frozenset({1, 5}), "hevc": frozenset(range(32))}
_PICTURE_PARAMETERS = 34
"""The HEVC units that state whether pictures are coded in wavefronts."""
_LEADING = range(8, 10)
"""HEVC pictures that depend on pictures before their key frame (RASL): not decoded if the video begins with that key frame."""
_LENGTHS = 1
"""The first byte of codec headers for which units begin with their length instead of a start code."""


def holds_picture(codec: str, data: bytes, headers: bytes) -> bool:
    """Whether a packet contains a picture that the decoder should have returned.

    Some recorders store the parameter sets of H.264 and HEVC in separate packets, for which FFmpeg reports a missing picture.
    Data that cannot be parsed is damaged and counts as a picture; so do all packets of other codecs.
    """
    kinds = _kinds(codec, data, headers)
    if kinds is None:
        return True
    return any(kind in _PICTURES[codec] and not (codec == "hevc" and kind in _LEADING) for kind in kinds)


def is_in_one_piece(codec: str, data: bytes, headers: bytes) -> bool:
    """Whether a packet holds one picture of a single slice, so that threads have nothing to share in it.

    Pictures of HEVC may be coded in wavefronts, which threads share within a slice (H.265, 7.3.2.3.1); that is looked up in the
    headers. Where it is not known, the answer is no.
    """
    kinds = _kinds(codec, data, headers)
    if kinds is None or sum(kind in _SLICES[codec] for kind in kinds) != 1:
        return False
    return codec == "h264" or not _may_have_wavefronts(headers)


def _may_have_wavefronts(headers: bytes) -> bool:
    """Whether HEVC headers with start codes allow wavefronts in any picture, or cannot be read."""
    sets = [unit for unit in headers.split(START_CODE) if len(unit) > 2 and unit[0] >> 1 & 0x3F == _PICTURE_PARAMETERS]
    return has_lengths(headers) or not sets or any(map(_has_wavefronts, sets))


def _has_wavefronts(unit: bytes) -> bool:
    """Return entropy_coding_sync_enabled_flag of a picture parameter set (H.265, 7.3.2.3.1); True if it cannot be read."""
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    try:
        bits.skip_numbers(2)  # the numbers of this set and of its sequence
        bits.read(7)
        bits.skip_numbers(3)  # reference pictures and quantizer
        bits.read(2)
        if bits.read(1):
            bits.skip_numbers(1)
        bits.skip_numbers(2)  # offsets of the chroma quantizers
        bits.read(5)
        return bool(bits.read(1))
    except EOFError:
        return True


class _Bits:
    """Reads bits, and numbers in Exp-Golomb code (H.265, 9.2)."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def read(self, count: int) -> int:
        """Return the number in the next bits. Raises EOFError behind the end."""
        self._at += count
        if self._at > len(self._bits):
            raise EOFError
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def skip_numbers(self, count: int) -> None:
        """Skip coded numbers."""
        for _ in range(count):
            zeros = 0
            while not self.read(1):
                zeros += 1
            self.read(zeros)


def _kinds(codec: str, data: bytes, headers: bytes) -> list[int] | None:
    """Return the types of the units in a packet; None if it cannot be parsed."""
    if codec not in CODECS:
        return None
    at = _LENGTH_AT[codec]
    measured = len(headers) > at and has_lengths(headers)
    units = list(_by_length(data, (headers[at] & 3) + 1) if measured else _by_start_code(data))
    if not units or None in units:
        return None
    return [unit & 0x1F if codec == "h264" else unit >> 1 & 0x3F for unit in units if unit is not None]


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
