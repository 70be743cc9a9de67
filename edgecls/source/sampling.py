"""Choose which frames of a source to return, before they are converted, so that the others only cost their decoding."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.source.source import ReadingSettings


class FrameSampler:
    """Chooses among the frames of one source by `every` and `fps`. Call `wants` once for each frame, in order."""

    def __init__(self, reading: ReadingSettings) -> None:
        """Take `every` and `fps` from the settings."""
        self._every = reading.every
        self._fps = reading.fps
        self._asked = -1
        self._interval: int | None = None

    def go_on(self, asked: int, last_s: float | None) -> None:
        """Go on as if `asked` frames had been asked for, the last of which was at `last_s` (None: there was none)."""
        self._asked = asked - 1
        if last_s is not None and self._fps is not None:
            self._interval = self._interval_of(last_s, self._fps)

    def wants(self, time_s: float) -> bool:
        """Whether to return the frame at this media time: the first of each interval of 1 / fps seconds."""
        self._asked += 1
        if self._asked % self._every:
            return False
        if self._fps is None:
            return True
        interval = self._interval_of(time_s, self._fps)
        if interval == self._interval:
            return False
        self._interval = interval
        return True

    @staticmethod
    def _interval_of(time_s: float, fps: float) -> int:
        return floor(time_s * fps + 1e-3)  # times are rounded: 0.2 s at 5 fps begins the second interval
