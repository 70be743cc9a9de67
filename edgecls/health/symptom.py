"""A symptom of a fault over time: it holds after it has lasted for a while, until it has been absent for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.event import Moment

FEWEST_CHECKS = 3
"""A symptom holds after at least this many checks: with a picture every few seconds, two may be a coincidence."""
ROUNDING = 1e-6


class Symptom:
    """One symptom, check by check. `since` and `last` are the first and the last check that showed it."""

    def __init__(self, begin_s: float, clear_s: float) -> None:
        """Set when it `holds`: after it was shown for `begin_s` seconds, until it was absent for `clear_s` seconds."""
        self._begin_s, self._clear_s = begin_s, clear_s
        self.holds = False
        self.since: Moment | None = None
        self.last: Moment | None = None
        self._lasted_s = self._absent_s = 0.0
        self._checks = 0

    def step(self, moment: Moment, step_s: float, shown: bool | None, *, first: Moment | None = None) -> None:
        """Process one check.

        Args:
            moment: The frame that was checked.
            step_s: Seconds since the check before.
            shown: Whether the frame shows the symptom. None, if that cannot be told, changes nothing.
            first: The frame that showed it first, if that was before this check could tell.
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
        """Reset: it no longer holds."""
        self.holds, self.since = False, None

    def _show(self, moment: Moment, step_s: float, first: Moment) -> None:
        if self.since is None:
            self.since, self._lasted_s, self._checks = first, 0.0 if first is moment else step_s, 0
        else:
            self._lasted_s += step_s
        self._checks += 1
        self._absent_s = -1.0  # the first check without it tells only that it went since the last one
        self.last = moment
        self.holds = self.holds or (self._lasted_s >= self._begin_s - ROUNDING and self._checks >= FEWEST_CHECKS)
