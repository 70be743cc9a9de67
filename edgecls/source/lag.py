"""Whether one of two streams of a camera shows things later than the other one, as behind a relay that buffers.

Such a lag does not show in when packets arrive, by which the clocks of both streams are compared: they arrive as regularly as
others. Cameras could tell by the wall clock in RTCP sender reports, but many count it for each stream anew, and relays drop it.
So the lag is measured by what moves in both streams while main frames are asked for (`edgecls.image.time_shift`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image

if TYPE_CHECKING:
    from edgecls.frame import Picture
    from edgecls.log import Say

WINDOW_S = 6.0
"""How much of the past is compared."""
LEAST_WINDOW_S = 1.6
"""So much is compared at least."""
EVERY_S = 1.0
"""How much is new in each comparison, in seconds."""
MOST_S = 2.0
"""The largest lag that is measured, in seconds."""
LEAST_S = 0.08
"""A smaller lag is left: arrivals tell the clocks to within a frame."""
WORTH_TELLING_S = 0.15
ALIKE = 0.6
"""The least correlation of what moves in both streams, for a lag to be believed."""
BETTER = 0.05
"""By how much it must exceed that without a shift."""
STRANGE = 0.3
"""With less correlation at any shift, the streams cannot be brought together."""
SURE = 2
"""So many measurements in a row must agree."""
SURE_OF_STRANGE = 3
AGAIN_S = 30.0
"""How long a measurement counts, in seconds of media time."""


class Lag:
    """Measures the lag of the main stream behind the substream, now and then, by pictures that should be of one moment.

    Attributes:
        seconds: By how much the main stream shows things later; negative if earlier.
        is_unknown: Whether the streams move in ways that no lag within `MOST_S` explains.
    """

    def __init__(self, name: str, say: Say) -> None:
        """Begin without a lag. `say` is called with one line when one of the camera `name` is found, or cannot be found."""
        self.seconds = 0.0
        self.is_unknown = False
        self._name = name
        self._say = say
        self._pairs: deque[tuple[float, Picture, Picture]] = deque()
        self._compared_s = 0.0  # when pairs were last compared, in media time
        self._found: list[float] = []  # the last measurements, which agree
        self._strange = 0
        self._told_s = 0.0
        self._measured_s: float | None = None

    def is_due(self, time_s: float) -> bool:
        """Whether pairs are wanted now."""
        return self._measured_s is None or not 0 <= time_s - self._measured_s < AGAIN_S

    def add(self, time_s: float, small: Picture, main: Picture) -> bool:
        """Take a pair.

        Args:
            time_s: The media time, which should be that of both.
            small: The picture of the substream, shrunk, (H, W) uint8 gray.
            main: The picture of the main stream at the same size.

        Returns:
            Whether `seconds` has changed, so that pictures of the main stream have other times from now on.
        """
        if self._pairs and not 0 < time_s - self._pairs[-1][0] < LEAST_WINDOW_S / 4:  # frames in between are missing
            self._pairs.clear()
        self._pairs.append((time_s, small, main))
        while self._pairs[0][0] < time_s - WINDOW_S:
            self._pairs.popleft()
        if time_s - self._pairs[0][0] < LEAST_WINDOW_S or 0 <= time_s - self._compared_s < EVERY_S:
            return False
        self._compared_s = time_s
        return self._measure(time_s)

    def _measure(self, now_s: float) -> bool:
        times, small, main = zip(*self._pairs, strict=True)
        step_s = float(np.median(np.diff(times)))
        shift = image.time_shift(small, main, round(MOST_S / step_s))
        if shift is None:
            return False
        if shift.alike < ALIKE:
            self._strange += shift.alike < STRANGE and times[-1] - times[0] >= 2 * MOST_S
            if self._strange >= SURE_OF_STRANGE:
                self._settle(now_s, is_unknown=True)
            return False
        found_s = shift.pictures * step_s
        if abs(found_s) < LEAST_S or shift.alike - shift.unshifted < BETTER:
            found_s = 0.0
        if self._found and abs(self._found[-1] - found_s) > max(LEAST_S, step_s):
            self._found.clear()
        self._found.append(found_s)
        if len(self._found) < SURE:
            return False
        self.seconds += self._found[-1]
        self._settle(now_s, is_unknown=False)
        return found_s != 0.0

    def _settle(self, now_s: float, *, is_unknown: bool) -> None:
        """Believe a measurement, and begin anew."""
        self._measured_s, self._strange = now_s, 0
        self._pairs.clear()
        self._found.clear()
        if is_unknown != self.is_unknown:
            self.is_unknown = is_unknown
            self._say(
                f"{self._name}: what moves in source and substream does not agree within {MOST_S:g} s; labels are of the "
                "substream until it does; check for a relay that delays one of them"
                if is_unknown
                else f"{self._name}: source and substream agree in time now"
            )
        if abs(self.seconds - self._told_s) >= WORTH_TELLING_S:
            self._told_s = self.seconds
            how = "later" if self.seconds > 0 else "earlier"
            self._say(
                f"{self._name}: source shows things {abs(self.seconds):.2f} s {how} than substream; they are brought together"
            )
