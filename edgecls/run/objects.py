"""What one object does: which lines it crosses, which zones it is in and for how long. Counted per interval."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.run.states import StateMachine, StateRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecls.event import Event, Kind, Moment
    from edgecls.run.rules import Gate, Rules
    from edgecls.run.shapes import Point

CLEAR = 0.01
"""So far from a line, in fractions of the frame, an object is clearly on one side; what trembles on it crosses nothing."""
INSIDE, OUTSIDE = "inside", "outside"
FRAMES, SHARE = 3, 0.6
"""An object is in a zone in two frames of three, so that one that touches its border is in it once."""


class News(NamedTuple):
    """Something that an object did, or began to do (without an `end`)."""

    kind: Kind
    region: str
    start: Moment
    end: Moment | None
    direction: str = ""
    labels: tuple[str, ...] = ()


class ObjectWatch:
    """One object before the lines and zones of a camera. Move it from point to point, then let it leave."""

    def __init__(self, rules: Rules, hold_s: float) -> None:
        """It has done nothing. `hold_s`: so long it may be unseen in a zone and still be in it."""
        self._gates = [(gate, _Side()) for gate in rules.gates]
        self._zones = [
            (zone, StateMachine(StateRule(seconds=0.0, frames=FRAMES, share=SHARE, dwell_s=zone.dwell_s, hold_s=hold_s)))
            for zone in rules.entered
        ]
        self._news: list[News] = []
        self.zones: set[str] = set()
        """The names of those that it is in now."""

    def move(self, moment: Moment, point: Point) -> None:
        """Take where it is in the next frame that shows it."""
        for gate, side in self._gates:
            crossed = side.move(gate, moment, point)
            if crossed:
                self._news.append(crossed)
        for zone, machine in self._zones:
            inside = zone.area.holds(point)
            (self.zones.add if inside else self.zones.discard)(zone.name)
            for change in machine.step(moment, INSIDE if inside else OUTSIDE, 1.0):
                self._note(zone.name, change.label, change.start, change.end)

    def leave(self) -> None:
        """It is seen no more."""
        self.zones.clear()
        for zone, machine in self._zones:
            for change in machine.close():
                self._note(zone.name, change.label, change.start, change.end)

    def take_news(self) -> list[News]:
        """What it did since this was last called, in order."""
        news, self._news = self._news, []
        return news

    def _note(self, zone: str, label: str, start: Moment, end: Moment | None) -> None:
        if label == INSIDE:
            self._news.append(News("presence", zone, start, end))


@dataclass(slots=True)
class _Side:
    """On which side of a line an object is: the last point that was clearly on one, and when it last came to the other."""

    clear: Point | None = None
    turned: Moment | None = None

    def move(self, gate: Gate, moment: Moment, point: Point) -> News | None:
        away = gate.line.side(point)
        clearly = abs(away) >= CLEAR
        if self.clear is None or (gate.line.side(self.clear) > 0) == (away > 0):
            self.clear, self.turned = point if clearly else self.clear, None
            return None
        self.turned = self.turned or moment
        if not clearly:
            return None
        side = gate.line.crossed_by(self.clear, point)
        turned, self.clear, self.turned = self.turned, point, None
        name = {"left": gate.left, "right": gate.right, "": ""}[side]
        return News("crossing", gate.name, turned, turned, name, gate.labels) if side else None


@dataclass(slots=True)
class _Interval:
    first: Moment
    last: Moment
    frames: int = 0
    crossed: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    visitors: dict[str, dict[int, str]] = field(default_factory=dict)
    present: Counter[str] = field(default_factory=Counter)


class Counts:
    """Objects by label that crossed each line in each direction, and that were in each zone, in each interval of media time.

    A crossing counts in the interval in which it is told of. An interval of which no frame was seen has no counts.
    """

    def __init__(self, rules: Rules) -> None:
        """Count nothing yet. Where the rules have no interval, nobody calls `step`."""
        self._every_s = rules.count_every_s
        self._gates = [(gate.name, side) for gate in rules.gates for side in (gate.left, gate.right)]
        self._zones = [zone.name for zone in rules.entered]
        self._now: _Interval | None = None

    def step(self, moment: Moment, events: Iterable[Event], inside: Mapping[str, Mapping[int, str]]) -> list[dict[str, Any]]:
        """Take what happened in one frame, and who is in each zone, as label by track. Returns the counts of an interval that
        is over, as the fields of an event.
        """
        told = []
        if self._now and moment.time_s // self._every_s != self._now.first.time_s // self._every_s:
            told = self.close(())
        self._now = now = self._now or _Interval(moment, moment)
        now.last, now.frames = moment, now.frames + 1
        self._count(now, events)
        for zone, tracks in inside.items():
            now.present[zone] += len(tracks)
            now.visitors.setdefault(zone, {}).update(tracks)
        return told

    def skip(self, events: Iterable[Event]) -> None:
        """Pass over a frame that says nothing but that these events were over: they count in the interval that there is."""
        if self._now:
            self._count(self._now, events)

    def close(self, events: Iterable[Event]) -> list[dict[str, Any]]:
        """Return the counts of the interval so far, and these last events in them."""
        now, self._now = self._now, None
        if now is None:
            return []
        self._count(now, events)
        span = {"start": now.first, "end": now.last}
        lines = [
            {**span, "region": n, "direction": side, "counts": dict(now.crossed.get((n, side), {}))} for n, side in self._gates
        ]
        zones = [
            {
                **span,
                "region": name,
                "counts": dict(Counter(now.visitors.get(name, {}).values())),
                "occupancy": now.present[name] / now.frames,
            }
            for name in self._zones
        ]
        return lines + zones

    def _count(self, now: _Interval, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind == "crossing":
                now.crossed.setdefault((event.region, event.direction), Counter())[event.label] += 1
