"""Where an object was seen: best of all, and in the frames of late. A picture of it is taken there.

The first frame of an object shows a strip of it at the border, and what its last one shows is no better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.event import View
from edgecls.frame import Box

if TYPE_CHECKING:
    from edgecls.event import Moment
    from edgecls.run.place import Place
    from edgecls.run.track import Step

LATELY = 1000
"""So many frames of an object are remembered: 40 s at 25 frames a second, which is longer than a frame itself is kept."""


class Sights:
    """Of one object. The best is, of those with its label, the largest box that does not touch the frame's border, else the
    largest; of equal ones the first.
    """

    def __init__(self) -> None:
        """It has not been seen yet."""
        self._best: dict[str, View] = {}
        self._lately: dict[int, View] = {}
        self._asked: dict[int, View] = {}

    def add(self, step: Step, size_hw: tuple[int, int]) -> None:
        """Take where it is in the next frame that shows it."""
        view = View(step.moment.frame, step.moment.time_s, _box(step.box or step.place, size_hw), size_hw)
        self._lately[view.frame] = view
        if len(self._lately) > LATELY:
            del self._lately[next(iter(self._lately))]
        if step.box is None:  # it shares a box with others: where it is in it is a guess
            return
        best = self._best.get(step.label)
        if best is None or _worth(view) > _worth(best):
            self._best[step.label] = view

    def best(self, label: str) -> View | None:
        """The best one, where it looked like `label` or, if it never did, like anything."""
        return self._best.get(label) or max(self._best.values(), key=_worth, default=None)

    def at(self, moment: Moment) -> View | None:
        """Where it was at this moment; None where that is long ago. What was asked for once is kept, as the end of an event
        asks again.
        """
        view = self._asked.get(moment.frame) or self._lately.get(moment.frame)
        if view is not None:
            self._asked[moment.frame] = view
        return view


def _worth(view: View) -> tuple[bool, int]:
    (left, top, right, bottom), (height, width) = view.box, view.size_hw
    whole = left > 0 and top > 0 and right < width and bottom < height
    return whole, (right - left) * (bottom - top)


def _box(place: Place, size_hw: tuple[int, int]) -> Box:
    """The box of a place within the frame, of a pixel at least."""
    height, width = size_hw
    left, top = (round(place[axis] - place[axis + 2] / 2) for axis in (0, 1))
    right, bottom = (round(place[axis] + place[axis + 2] / 2) for axis in (0, 1))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return Box(left, top, max(min(right, width), left + 1), max(min(bottom, height), top + 1))
