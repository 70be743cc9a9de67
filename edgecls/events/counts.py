"""Count the objects that cross each line and are in each zone, by label and per interval of media time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecls.event import Event, Moment
    from edgecls.events.rules import Rules


@dataclass(slots=True)
class _Interval:
    first: Moment
    last: Moment
    frames: int = 0
    crossed: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    visitors: dict[str, dict[int, str]] = field(default_factory=dict)
    present: Counter[str] = field(default_factory=Counter)


class Counts:
    """Counts of one camera: objects by label that crossed each line in each direction, and that were in each zone.

    A crossing counts in the interval in which it is reported. An interval without frames has no counts.
    """

    def __init__(self, rules: Rules, blank: Event) -> None:
        """Start with counts of 0. Call `step` only if `rules.count_every_s` is above 0.

        `blank` has the camera and the model of the events.
        """
        self._blank = blank
        self._every_s = rules.count_every_s
        self._sides = [(line.name, side) for line in rules.lines for side in (line.left, line.right)]
        self._zones = [zone.name for zone in rules.object_zones]
        self._now: _Interval | None = None

    def step(self, moment: Moment, events: Iterable[Event], inside: Mapping[str, Mapping[int, str]]) -> list[Event]:
        """Process one frame.

        Args:
            moment: The frame.
            events: The events that begin or end with it.
            inside: The label of each object in each zone, by zone name and track id.

        Returns:
            If an interval has ended, its counts, each as the fields of an event.
        """
        ended = []
        if self._now and moment.time_s // self._every_s != self._now.first.time_s // self._every_s:
            ended = self.close(())
        self._now = now = self._now or _Interval(moment, moment)
        now.last, now.frames = moment, now.frames + 1
        self._count(now, events)
        for zone, tracks in inside.items():
            now.present[zone] += len(tracks)
            now.visitors.setdefault(zone, {}).update(tracks)
        return ended

    def skip(self, events: Iterable[Event]) -> None:
        """Skip a frame that was not classified, but count the events that ended with it in the current interval."""
        if self._now:
            self._count(self._now, events)

    def close(self, events: Iterable[Event]) -> list[Event]:
        """Return the counts of the current interval, including these last events."""
        now, self._now = self._now, None
        if now is None:
            return []
        self._count(now, events)
        blank = replace(self._blank, kind="count", start=now.first, end=now.last)
        lines = [
            replace(blank, region=name, direction=side, counts=dict(now.crossed.get((name, side), {})))
            for name, side in self._sides
        ]
        zones = [
            replace(
                blank,
                region=name,
                counts=dict(Counter(now.visitors.get(name, {}).values())),
                occupancy=now.present[name] / now.frames,
            )
            for name in self._zones
        ]
        return lines + zones

    def _count(self, now: _Interval, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind == "crossing":
                now.crossed.setdefault((event.region, event.direction), Counter())[event.label] += 1
