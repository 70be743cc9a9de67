"""What one object does: which lines it crosses, which zones it is in, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edgecls.events.states import StateMachine, StateSettings

if TYPE_CHECKING:
    from edgecls.event import Kind, Moment
    from edgecls.events.rules import CountingLine, Rules
    from edgecls.regions.geometry import Point

CLEAR = 0.01
"""How far from a line, in fractions of the frame, an object is clearly on one side. One that jitters on the line crosses
nothing."""
INSIDE, OUTSIDE = "inside", "outside"
FRAMES, SHARE = 3, 0.6
"""An object enters or leaves a zone when 2 of 3 frames agree, so one that jitters on the border enters once."""


class Activity(NamedTuple):
    """One crossing of a line, or one stay in a zone. A stay that goes on has no `end`."""

    kind: Kind
    region: str
    start: Moment
    end: Moment | None
    direction: str = ""
    labels: tuple[str, ...] = ()


class ObjectWatch:
    """Watches one object for the lines and zones of its camera. Call `move` for each point, then `leave`."""

    def __init__(self, rules: Rules, hold_s: float) -> None:
        """Start without activities. An object that is not seen for up to `hold_s` seconds stays in its zone."""
        self._lines = [(line, _Side()) for line in rules.lines]
        self._zones = [
            (zone, StateMachine(StateSettings(seconds=0.0, frames=FRAMES, share=SHARE, dwell_s=zone.dwell_s, hold_s=hold_s)))
            for zone in rules.object_zones
        ]
        self._activities: list[Activity] = []
        self.zones: set[str] = set()
        """The names of the zones that the object is in now."""

    def move(self, moment: Moment, point: Point) -> None:
        """Process its position (x, y), in fractions of the frame, in the next frame that shows it."""
        for line, side in self._lines:
            crossed = side.move(line, moment, point)
            if crossed:
                self._activities.append(crossed)
        for zone, machine in self._zones:
            inside = zone.area.holds(point)
            (self.zones.add if inside else self.zones.discard)(zone.name)
            for change in machine.step(moment, INSIDE if inside else OUTSIDE, 1.0):
                self._note(zone.name, change.label, change.start, change.end)

    def leave(self) -> None:
        """Finish: the object is gone."""
        self.zones.clear()
        for zone, machine in self._zones:
            for change in machine.close():
                self._note(zone.name, change.label, change.start, change.end)

    def take_activities(self) -> list[Activity]:
        """Return the activities since the last call, in order."""
        activities, self._activities = self._activities, []
        return activities

    def _note(self, zone: str, label: str, start: Moment, end: Moment | None) -> None:
        if label == INSIDE:
            self._activities.append(Activity("presence", zone, start, end))


@dataclass(slots=True)
class _Side:
    """The side of a line that an object is on: its last point clearly on one side, and when it first came to the other."""

    clear: Point | None = None
    turned: Moment | None = None

    def move(self, line: CountingLine, moment: Moment, point: Point) -> Activity | None:
        away = line.line.side(point)
        clearly = abs(away) >= CLEAR
        if self.clear is None or (line.line.side(self.clear) > 0) == (away > 0):
            self.clear, self.turned = point if clearly else self.clear, None
            return None
        self.turned = self.turned or moment
        if not clearly:
            return None
        side = line.line.crossed_by(self.clear, point)
        turned, self.clear, self.turned = self.turned, point, None
        name = {"left": line.left, "right": line.right, "": ""}[side]
        return Activity("crossing", line.name, turned, turned, name, line.labels) if side else None
