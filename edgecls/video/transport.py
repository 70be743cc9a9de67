"""Where packets of a transport stream (ISO/IEC 13818-1, 2.4.3) are missing, and where two of them were only joined.

Each packet counts on by one from the one before it. Where the count jumps, FFmpeg marks the picture that it is putting together
then. But segments and recordings that were copied into one file have such jumps too, and nothing is missing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYNC = 0x47
MOST_BYTES = 8 << 20
"""So far behind a picture's start the jump is looked for: no picture is larger."""


def packet_size(start: bytes) -> int:
    """Return the bytes of a packet: 188, or 192 of a camcorder, which puts a time before each; 0 for other data."""
    for size, first in ((188, 0), (192, 4)):
        if len(start) > first + 3 * size and all(start[first + i * size] == SYNC for i in range(4)):
            return size
    return 0


def is_joint(path: str | Path, position: int, pid: int) -> bool:
    """Whether the first jump in the count of a stream, from a byte of a file on, is one between two recordings: what stands
    before it ends with a picture, and a key frame begins behind it. Raises OSError where the file cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a path as it was given
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
    """The packets of a stream; an empty one, and no more, where something else stands in the place of a packet."""
    for at in range(size - 188, len(data) - 187, size):
        packet = data[at : at + 188]
        if packet[0] != SYNC or packet[1] & 0x80:
            yield b""
            return
        if (packet[1] & 0x1F) << 8 | packet[2] == pid:
            yield packet


def _is_padded(packet: bytes) -> bool:
    """Whether a packet is the last of its picture: the rest hardly ever fills a packet, so padding stands before it."""
    if not packet[3] & 0x20:
        return False
    length, fields = packet[4], packet[5]
    return length == 0 or fields == 0 or packet[min(4 + length, 187)] == 0xFF


def _begins_key_frame(packet: bytes) -> bool:
    begins, has_field = packet[1] & 0x40, packet[3] & 0x20
    return bool(begins and has_field and packet[4] and packet[5] & 0x40)
