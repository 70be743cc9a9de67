"""Turn the faults of one camera into events: faults in its pictures, and a lost connection.

A fault in the pictures starts with the first frame that shows it and ends with the last one. It is reported after it has lasted
for a while (see `edgecls.health`). A camera is lost from the moment its source says so until its next frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.event import Moment
from edgecls.frame import WHOLE_FRAME

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import StateChange, Unfit

LOST = "lost"


class Faults:
    """Takes frames and changes of state in order. What begins or ends is returned as events."""

    def __init__(self, blank: Event) -> None:
        """Start without a fault. `blank` has the camera and the model of the events."""
        self._blank = blank
        self._now = Moment(0, 0.0)
        self._unfit: Unfit | None = None
        self._lost: Moment | None = None
        self._changed_at_s = 0.0

    def step(self, moment: Moment, unfit: Unfit | None) -> list[Event]:
        """Process a frame, with the camera's fault if it has one."""
        self._now = moment
        begun_or_ended = self._found(moment)
        before, self._unfit = self._unfit, unfit
        is_same = before is not None and unfit is not None and before.since == unfit.since
        if before is not None and not is_same:
            begun_or_ended.append(self._event(before.fault, before.since, before.last))
        if unfit is not None and not is_same:
            begun_or_ended.append(self._event(unfit.fault, unfit.since, None))
        return begun_or_ended

    def change(self, change: StateChange) -> list[Event]:
        """Process a state change of the camera."""
        self._changed_at_s = round(change.at_s, 3)
        if change.state not in ("stalled", "lost") or self._lost is not None:
            return []
        self._lost = Moment(self._now.frame, self._now.time_s, self._changed_at_s)
        return [self._event(LOST, self._lost, None)]

    def close(self) -> list[Event]:
        """Finish. A fault ends with the last frame that showed it, an outage with its last state change."""
        begun_or_ended = []
        if self._unfit is not None:
            begun_or_ended.append(self._event(self._unfit.fault, self._unfit.since, self._unfit.last))
        if self._lost is not None:
            lasted_s = max(0.0, self._changed_at_s - (self._lost.at_s or 0.0))
            begun_or_ended += self._found(Moment(self._lost.frame, round(self._lost.time_s + lasted_s, 3), self._changed_at_s))
        self._unfit = None
        return begun_or_ended

    def _found(self, moment: Moment) -> list[Event]:
        lost, self._lost = self._lost, None
        return [] if lost is None else [self._event(LOST, lost, moment)]

    def _event(self, label: str, start: Moment, end: Moment | None) -> Event:
        return replace(self._blank, kind="health", region=WHOLE_FRAME, label=label, score=1.0, start=start, end=end)
