"""The faults of one camera as events: what its pictures show, and that it is lost.

A fault begins with the first frame that showed it and is told of when it has lasted (see `edgecls.run.health`); it ends with
the last frame that showed it. A camera is lost from the moment that its source says so to its next frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.event import Moment
from edgecls.frame import WHOLE_FRAME

if TYPE_CHECKING:
    from edgecls.frame import StateChange, Unfit

LOST = "lost"


class Faults:
    """Takes frames and changes of state in order. What begins or ends is returned as the fields of events."""

    def __init__(self) -> None:
        """There is none yet."""
        self._now = Moment(0, 0.0)
        self._unfit: Unfit | None = None
        self._lost: Moment | None = None
        self._heard_at_s = 0.0

    def step(self, moment: Moment, unfit: Unfit | None) -> list[dict[str, Any]]:
        """Take a frame, and whether the camera was unfit."""
        self._now = moment
        told = self._found(moment)
        before, self._unfit = self._unfit, unfit
        goes_on = before is not None and unfit is not None and before.since == unfit.since
        if before is not None and not goes_on:
            told.append(_fault(before.fault, before.since, before.last))
        if unfit is not None and not goes_on:
            told.append(_fault(unfit.fault, unfit.since, None))
        return told

    def change(self, change: StateChange) -> list[dict[str, Any]]:
        """Take a change of the camera's state."""
        self._heard_at_s = round(change.at_s, 3)
        if change.state not in ("stalled", "lost") or self._lost is not None:
            return []
        self._lost = Moment(self._now.frame, self._now.time_s, self._heard_at_s)
        return [_fault(LOST, self._lost, None)]

    def close(self) -> list[dict[str, Any]]:
        """No more frames come: a fault ends with the last frame that showed it, an outage when it was last heard of."""
        told = []
        if self._unfit is not None:
            told.append(_fault(self._unfit.fault, self._unfit.since, self._unfit.last))
        if self._lost is not None:
            lasted_s = max(0.0, self._heard_at_s - (self._lost.at_s or 0.0))
            told += self._found(Moment(self._lost.frame, round(self._lost.time_s + lasted_s, 3), self._heard_at_s))
        self._unfit = None
        return told

    def _found(self, moment: Moment) -> list[dict[str, Any]]:
        lost, self._lost = self._lost, None
        return [] if lost is None else [_fault(LOST, lost, moment)]


def _fault(label: str, start: Moment, end: Moment | None) -> dict[str, Any]:
    return {"kind": "health", "region": WHOLE_FRAME, "label": label, "score": 1.0, "start": start, "end": end}
