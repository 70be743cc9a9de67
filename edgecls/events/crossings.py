"""What one object does: which lines it crosses, which zones it is in, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edgecls.events.states import StateMachine, StateSettings

if TYPE_CHECKING:
    from edgecls.event import Kind, Moment
    from edgecls.events.rules import CountingLine, Rules
    from edgecls.regions.geometry import Point

CLEAR, CLEAR_SHARE = 0.01, 0.15
"""How far from a line an object is clearly on one side: in fractions of the frame, and of its half extent across the line. One
that jitters on the line crosses nothing."""
BOTH_EDGES = 0.3
"""Both edges of an object must move across a line, each by at least this share of the distance that its center moves. If a box
grows because it merges with another one, its center moves, but only one of its edges does."""
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

    def move(self, moment: Moment, point: Point, size: Point = (0.0, 0.0), *, seen: Point | None = None) -> None:
        """Process its position in the next frame that shows it.

        Args:
            moment: The frame.
            point: The point (x, y) that is tested against lines and zones, smoothed, in fractions of the frame.
            size: The width and height of its box, in fractions of the frame.
            seen: The point as measured in this frame, if the object had a box of its own. It gives the time of a crossing,
                because the smoothed `point` lags behind.
        """
        for line, side in self._lines:
            crossed = side.move(line, moment, point, line.line.reach(size) / 2, seen or point)
            if crossed:
                self._activities.append(crossed)
        for zone, machine in self._zones:
            inside = zone.area.holds(point)
            (self.zones.add if inside else self.zones.discard)(zone.name)
            for change in machine.step(moment, INSIDE if inside else OUTSIDE, 1.0):
                self._note(zone.name, change.label, change.start, change.end)

    def forget_sides(self) -> None:
        """Forget on which side of each line it was: it is not where it was thought to be."""
        self._lines = [(line, _Side()) for line, _ in self._lines]

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
    """The side of a line that an object is on: its last point clearly on one side, how far it reached from there along the
    line's normal, and when it first came to the other side.
    """

    clear: Point | None = None
    reach: float = 0.0
    turned: Moment | None = None

    def move(self, line: CountingLine, moment: Moment, point: Point, reach: float, seen: Point) -> Activity | None:
        away = line.line.side(point)
        is_clear = abs(away) >= max(CLEAR, CLEAR_SHARE * reach)
        if self.clear is None or (line.line.side(self.clear) > 0) == (away > 0):
            if is_clear:
                self.clear, self.reach = point, reach
            is_across = self.clear is not None and (line.line.side(seen) > 0) != (away > 0)
            self.turned = (self.turned or moment) if is_across else None
            return None
        self.turned = self.turned or moment
        moved = abs(away - line.line.side(self.clear))
        if not is_clear or moved - abs(reach - self.reach) < BOTH_EDGES * moved:
            return None
        side = line.line.crossed_by(self.clear, point)
        turned, self.clear, self.reach, self.turned = self.turned, point, reach, None
        name = {"left": line.left, "right": line.right, "": ""}[side]
        return Activity("crossing", line.name, turned, turned, name, line.labels) if side else None
