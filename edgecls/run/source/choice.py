"""Which frames of a source are wanted: decided before a frame is converted, so the others cost their decoding alone."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.run.source.contract import Reading


class Choice:
    """Chooses among the frames of one source by `every` and `fps`. It is asked about each of them once, in order."""

    def __init__(self, reading: Reading) -> None:
        """Choose as `reading` says."""
        self._every = reading.every
        self._fps = reading.fps
        self._asked = -1
        self._interval: int | None = None

    def wants(self, time_s: float) -> bool:
        """Whether to give the frame of this media time: of each interval of 1 / fps the first."""
        self._asked += 1
        if self._asked % self._every:
            return False
        if self._fps is None:
            return True
        interval = floor(time_s * self._fps + 1e-3)  # times are rounded: 0.2 s at 5 fps begins the second interval
        if interval == self._interval:
            return False
        self._interval = interval
        return True
