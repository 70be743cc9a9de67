"""The frames and boxes that show an object best, from which snapshots of it are cut.

The first frame of an object often shows only a strip of it at the frame's border, and so does its last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.event import View
from edgecls.frame import Box

if TYPE_CHECKING:
    from edgecls.event import Moment
    from edgecls.events.center_box import CenterBox
    from edgecls.events.track import Step

MOST_RECENT = 1000
"""How many recent boxes of an object are kept: 40 s at 25 frames per second, longer than frames themselves are kept."""


class BestView:
    """The best view of one object: of the boxes with its label, the largest that does not touch the frame's border. If all
    touch it, the largest. Of equal ones, the first.
    """

    def __init__(self) -> None:
        """Start without views."""
        self._best: dict[str, View] = {}
        self._recent: dict[int, View] = {}
        self._requested: dict[int, View] = {}

    def add(self, step: Step, size_hw: tuple[int, int]) -> None:
        """Add the object's box in the next frame that shows it."""
        view = View(step.moment.frame, step.moment.time_s, _box(step.box or step.place, size_hw), size_hw)
        self._recent[view.frame] = view
        if len(self._recent) > MOST_RECENT:
            del self._recent[next(iter(self._recent))]
        if step.box is None:  # it shares a box with others, so its position is a guess
            return
        best = self._best.get(step.label)
        if best is None or _worth(view) > _worth(best):
            self._best[step.label] = view

    def best(self, label: str) -> View | None:
        """Return the best view with this label or, if there is none, with any label."""
        return self._best.get(label) or max(self._best.values(), key=_worth, default=None)

    def at(self, moment: Moment) -> View | None:
        """Return the view at this moment, or None if it is no longer kept.

        A view that was requested once stays available, because the end of the event requests it again.
        """
        view = self._requested.get(moment.frame) or self._recent.get(moment.frame)
        if view is not None:
            self._requested[moment.frame] = view
        return view


def _worth(view: View) -> tuple[bool, int]:
    (left, top, right, bottom), (height, width) = view.box, view.size_hw
    whole = left > 0 and top > 0 and right < width and bottom < height
    return whole, (right - left) * (bottom - top)


def _box(place: CenterBox, size_hw: tuple[int, int]) -> Box:
    """Convert to a box of whole pixels within the frame, at least one pixel large."""
    height, width = size_hw
    left, top = (round(place[axis] - place[axis + 2] / 2) for axis in (0, 1))
    right, bottom = (round(place[axis] + place[axis + 2] / 2) for axis in (0, 1))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return Box(left, top, max(min(right, width), left + 1), max(min(bottom, height), top + 1))
