"""Tell whether a file is still the one that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


def stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    """Return what changes when a file is written or replaced: its time of change, its size, and its place on the disk."""
    return status.st_mtime_ns, status.st_size, status.st_ino
