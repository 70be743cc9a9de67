"""How far a camera was from its first days, hour by hour: what a chart of the last days shows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.drift.reference import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgecls.event import Event

HISTORY_H = 7 * 24
HOUR_S = 3600.0
DIGITS = 4


class Hour(NamedTuple):
    """The largest change of each kind, by region and what was compared, within the hour that began at `start_s`."""

    start_s: float
    changes: Mapping[tuple[str, str], Change]

    def to_record(self) -> dict[str, Any]:
        """Return the hour for JSON."""
        rows = [[c.region, c.what, round(c.distance, DIGITS), round(c.limit, DIGITS), c.is_up] for c in self.changes.values()]
        return {"start": self.start_s, "changes": rows}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Hour:
        """Read a record. Raises ValueError, TypeError or KeyError if it is none."""
        changes = [
            Change(str(region), str(what), float(distance), float(limit), bool(is_up))
            for region, what, distance, limit, is_up in record["changes"]
        ]
        if any(change.limit <= 0 for change in changes):
            raise ValueError("expected limits above 0")
        return Hour(float(record["start"]), {change[:2]: change for change in changes})


class History:
    """The hours of the last week."""

    def __init__(self, hours: Iterable[Hour] = ()) -> None:
        """Start with these hours, in order."""
        self._hours = deque(hours, maxlen=HISTORY_H)

    @property
    def hours(self) -> tuple[Hour, ...]:
        """The hours in order. May be asked for by another thread."""
        return tuple(self._hours.copy())

    def add(self, now_s: float, changes: Sequence[Change]) -> None:
        """Add a comparison that was made at `now_s`."""
        if not changes:
            return
        start_s = now_s // HOUR_S * HOUR_S
        largest = dict(self._hours[-1].changes) if self._hours and self._hours[-1].start_s == start_s else {}
        for change in changes:
            before = largest.get(change[:2])
            largest[change[:2]] = change if before is None or before.ratio < change.ratio else before
        if self._hours and self._hours[-1].start_s == start_s:
            self._hours[-1] = Hour(start_s, largest)
        else:
            self._hours.append(Hour(start_s, largest))


class DriftState(NamedTuple):
    """What is known of the drift of one camera at one moment.

    Attributes:
        camera: Its name.
        is_learning: Whether its first days are not over.
        learned_h: How many hours of them have passed.
        learn_h: How many there are.
        event: The drift that lasts; None if all is as usual.
        hours: The comparisons of the last days.
    """

    camera: str
    is_learning: bool
    learned_h: float
    learn_h: float
    event: Event | None
    hours: tuple[Hour, ...]
