"""A sign of a fault over time: it must last to count, and be gone for a while to count no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.event import Moment

FEWEST_LOOKS = 3
"""Of a camera that gives a picture every few seconds two may be a coincidence."""
ROUNDING = 1e-6


class Sign:
    """Whether pictures show something, look by look. `since` is the first look of those that do, `last` the last."""

    def __init__(self, begin_s: float, clear_s: float) -> None:
        """It counts (`holds`) after `begin_s`, until it has not been shown for `clear_s`."""
        self._begin_s, self._clear_s = begin_s, clear_s
        self.holds = False
        self.since: Moment | None = None
        self.last: Moment | None = None
        self._lasted_s = self._absent_s = 0.0
        self._looks = 0

    def step(self, moment: Moment, step_s: float, shown: bool | None, *, first: Moment | None = None) -> None:
        """Take one look, `step_s` after the one before. One that cannot tell (None) changes nothing. `first` is the look that
        has shown it first, where that is not the first of which it can be told.
        """
        if shown is None:
            return
        if shown:
            self._show(moment, step_s, first or moment)
        elif not self.holds:
            self.clear()
        else:
            self._absent_s = 0.0 if self._absent_s < 0 else self._absent_s + step_s
            if self._absent_s >= self._clear_s - ROUNDING:
                self.clear()

    def clear(self) -> None:
        """Count it no more."""
        self.holds, self.since = False, None

    def _show(self, moment: Moment, step_s: float, first: Moment) -> None:
        if self.since is None:
            self.since, self._lasted_s, self._looks = first, 0.0 if first is moment else step_s, 0
        else:
            self._lasted_s += step_s
        self._looks += 1
        self._absent_s = -1.0  # the first look without it tells only that it has gone since the last
        self.last = moment
        self.holds = self.holds or (self._lasted_s >= self._begin_s - ROUNDING and self._looks >= FEWEST_LOOKS)
