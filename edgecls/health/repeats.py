"""Detect pictures that repeat bit by bit: they do not show the present.

Because of sensor noise, no two pictures of a camera are equal. After encoding they can be: for a still scene, an encoder may
repeat a picture throughout a group of pictures, up to the next key frame. A picture is therefore new only if it differs from
all pictures of the last minute, and a camera is frozen when nothing new has come for longer than such a group. This also finds
a frozen picture that is encoded again and again, and a recording played in a loop in place of the camera. If the camera writes
a clock into its pictures, each second looks new, and a frozen camera behind it is not detected.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgecls.frame import Picture

REMEMBERED_S = 60.0


class Repeats:
    """The pictures of one camera in the last minute."""

    def __init__(self) -> None:
        """Start without pictures."""
        self._seen: dict[int, float] = {}  # checksum of a picture -> when it last came, oldest first

    def again(self, picture: Picture, time_s: float) -> bool:
        """Process a picture, (H, W) uint8. Returns whether the last minute contains the same one."""
        while self._seen and time_s - next(iter(self._seen.values())) > REMEMBERED_S:
            del self._seen[next(iter(self._seen))]
        key = zlib.crc32(np.ascontiguousarray(picture).data)
        again = self._seen.pop(key, None) is not None
        self._seen[key] = time_s
        return again
