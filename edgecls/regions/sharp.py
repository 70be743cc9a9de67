"""Look at parts of a frame when it is time, and when they can be classified at full resolution.

At a camera with two streams the frames of the small one are watched. A part of a frame that is to be classified is therefore
asked for first (`Frame.ask_sharp`), and looked at in the first frame that comes with its main frame. Frames of cameras with one
stream are ready at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edgecls.frame import Frame, Region
    from edgecls.regions.regions import Regions

MORE_S = 1.0
"""The main stream is decoded for this long after the last request, for objects that were not seen in between."""
TOLERANCE_S = 0.0005
"""How much less than `every_s` may lie between two looks, because frame times are rounded."""


def is_ready(frame: Frame, more_s: float = MORE_S) -> bool:
    """Whether parts of a frame can be classified; if not, ask for its main stream, and for another `more_s` seconds of it."""
    return frame.ask_sharp is None or frame.ask_sharp(frame, more_s)


class Timely:
    """Looks at some regions only every few seconds, and at none that is classified before its frame is ready.

    A region of the whole frame is always ready, as the small stream is large enough for it. For a region that is looked at
    every few seconds, just one picture of the main stream is decoded.
    """

    def __init__(
        self, view: Regions, every_s: Mapping[str, float], is_classified: Callable[[Region], bool] = lambda _: True
    ) -> None:
        """Start with all regions due.

        Args:
            view: Returns the regions of a frame.
            every_s: The seconds of media time between two looks, by the name of the region. Others are always looked at.
            is_classified: Whether a region gets its label from a classifier.
        """
        self._view = view
        self._every_s = every_s
        self._is_classified = is_classified
        self._last_s: dict[str, float] = {}

    def __call__(self, frame: Frame) -> Sequence[Region]:
        """Return the regions to look at in this frame."""
        due = [region for region in self._view(frame) if self._is_due(region.name, frame.time_s)]
        whole = (0, 0, frame.size_hw[1], frame.size_hw[0])
        parts = [region for region in due if region.box != whole and self._is_classified(region)]
        more_s = 0.0 if all(region.name in self._every_s for region in parts) else MORE_S
        if parts and not is_ready(frame, more_s):
            due = [region for region in due if region not in parts]
        self._last_s |= {region.name: frame.time_s for region in due if region.name in self._every_s}
        return due

    def _is_due(self, name: str, time_s: float) -> bool:
        last_s, every_s = self._last_s.get(name), self._every_s.get(name, 0.0)
        return last_s is None or not 0 <= time_s - last_s < every_s - TOLERANCE_S
