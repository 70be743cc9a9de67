"""Whether pictures come again that have been there before, to the bit: then they are no pictures of now.

A sensor has noise, so no two of its pictures are equal. What can be equal is what an encoder makes of them: of a still scene
it may send "as before" for all of a group of pictures, up to the next key frame. So a picture is new if it equals none of the
last minute (not only the one before), and a camera is frozen when nothing new came for longer than such a group. That finds
what is sent again and again through an encoder too, where each key frame gives the same picture as the one before it, and a
loop that is played in place of the camera. A clock that the camera writes into its pictures makes each second new: behind one
nothing looks frozen.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgecls.frame import Picture

REMEMBERED_S = 60.0


class Repeats:
    """The pictures of the last minute of one camera."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._seen: dict[int, float] = {}  # sum of a picture -> when it last came, the oldest first

    def again(self, picture: Picture, time_s: float) -> bool:
        """Take a picture, (H, W) uint8. Returns whether it has been there before."""
        while self._seen and time_s - next(iter(self._seen.values())) > REMEMBERED_S:
            del self._seen[next(iter(self._seen))]
        key = zlib.crc32(np.ascontiguousarray(picture).data)
        again = self._seen.pop(key, None) is not None
        self._seen[key] = time_s
        return again
