"""Tell lost packets of a transport stream (ISO/IEC 13818-1, 2.4.3) from recordings joined in one file.

The continuity counter increases by one with each packet. When it jumps, FFmpeg marks the picture that it is assembling. But
segments and recordings that were concatenated into one file have such jumps too, although nothing is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYNC = 0x47
MOST_BYTES = 8 << 20
"""How far after the start of a picture to look for the jump; no picture is larger."""


def packet_size(start: bytes) -> int:
    """Return the packet size in bytes: 188, or 192 for camcorders, which put a time before each packet; 0 for other data."""
    for size, first in ((188, 0), (192, 4)):
        if len(start) > first + 3 * size and all(start[first + i * size] == SYNC for i in range(4)):
            return size
    return 0


def is_joint(path: str | Path, position: int, pid: int) -> bool:
    """Whether the first counter jump of a stream, from a position in a file on, is between two recordings: a picture ends
    before it, and a key frame begins after it. Raises OSError if the file cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - the path as given
        size = packet_size(file.read(1024))
        if not size:
            return False
        file.seek(max(0, position - (size - 188)))
        data = file.read(MOST_BYTES)
    before: bytes | None = None
    for packet in _packets(data, size, pid):
        if not packet:
            return False
        if before is not None and packet[3] & 0x10 and (packet[3] - before[3]) & 0xF != 1 and packet != before:
            return _is_padded(before) and _begins_key_frame(packet)
        before = packet if packet[3] & 0x10 else before
    return False


def _packets(data: bytes, size: int, pid: int) -> Iterator[bytes]:
    """Yield the packets of a stream; b"" as the last one if the data at a packet's position is not a packet."""
    for at in range(size - 188, len(data) - 187, size):
        packet = data[at : at + 188]
        if packet[0] != SYNC or packet[1] & 0x80:
            yield b""
            return
        if (packet[1] & 0x1F) << 8 | packet[2] == pid:
            yield packet


def _is_padded(packet: bytes) -> bool:
    """Whether a packet is the last of its picture: the rest rarely fills a packet, so padding precedes it."""
    if not packet[3] & 0x20:
        return False
    length, fields = packet[4], packet[5]
    return length == 0 or fields == 0 or packet[min(4 + length, 187)] == 0xFF


def _begins_key_frame(packet: bytes) -> bool:
    begins, has_field = packet[1] & 0x40, packet[3] & 0x20
    return bool(begins and has_field and packet[4] and packet[5] & 0x40)
