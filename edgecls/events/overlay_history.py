"""What to draw over a camera's frames: the paths of objects, and how many have crossed each line so far."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import TYPE_CHECKING

from edgecls.overlay import Area, Mark, Overlay, OverlayLine, TrackView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecls.event import Event, Moment
    from edgecls.events.paths import Paths
    from edgecls.events.rules import Rules
    from edgecls.events.track import Track
    from edgecls.overlay import Point

APART = 0.006
"""The least distance between two points of a path, in fractions of the frame."""
PATH_POINTS = 40


class OverlayHistory:
    """Keeps the paths and the totals of one camera since its run began."""

    def __init__(self, rules: Rules, whole: Paths | None = None) -> None:
        """Start without paths and with totals of 0. `whole` gets all points of each path; what is drawn are the last ones."""
        self._rules = rules
        self._whole = whole
        self._crossed: Counter[tuple[str, str]] = Counter()
        self._paths: dict[int, deque[Point]] = {}
        self._ids: Sequence[int | None] = ()

    def show(self, ids: Sequence[int | None]) -> None:
        """Store the track id of each detection of the current frame, None for one without a track."""
        self._ids = ids

    def move(self, track_id: int, moment: Moment, point: Point, size: Point) -> None:
        """Add a track's position (x, y) and the (width, height) of its box in the next frame, in fractions of the frame."""
        if self._whole is not None:
            self._whole.move(track_id, moment, point, size)
        path = self._paths.setdefault(track_id, deque(maxlen=PATH_POINTS))
        if not path or math.dist(path[-1], point) >= APART:
            path.append(point)

    def forget(self, track_id: int) -> None:
        """Drop the path of a track that has ended."""
        self._paths.pop(track_id, None)
        if self._whole is not None:
            self._whole.end(track_id)

    def count(self, events: Sequence[Event]) -> None:
        """Add the crossings among these events to the totals."""
        self._crossed.update((event.region, event.direction) for event in events if event.kind == "crossing")

    def overlay(self, tracks: Sequence[Track], inside: Mapping[str, Mapping[int, str]]) -> Overlay:
        """Return what to draw on the current frame.

        Args:
            tracks: The confirmed tracks.
            inside: The label of each object in each zone, by zone name and track id.
        """
        rules, ignore = self._rules, self._rules.track.ignore
        areas = tuple(
            Area(zone.name, zone.area.corners, zone.look, str(len(inside.get(zone.name, ()))) if zone.look == "objects" else "")
            for zone in rules.zones
        )
        lines = tuple(
            OverlayLine(
                *(line.name, line.line.start, line.line.end, line.left, line.right),
                *(str(self._crossed[line.name, side]) for side in (line.left, line.right)),
            )
            for line in rules.lines
        )
        marks = {}
        for track in tracks:
            label = track.label(ignore)
            path = tuple(self._paths.get(track.id, ()))
            marks[track.id] = Mark(track.id, label, track.score(label), path, is_ignored=track.label() in ignore)
        return Overlay(areas, lines, tuple(None if of is None else marks.get(of) for of in self._ids), ignore)

    def tracks(self, tracks: Sequence[Track]) -> tuple[TrackView, ...]:
        """Return all confirmed tracks as they are followed."""
        return tuple(self._view(track) for track in tracks)

    def _view(self, track: Track) -> TrackView:
        rule = self._rules.track
        label = track.label(rule.ignore)
        x, y, width, height = track.place
        return TrackView(
            track.id,
            label,
            track.score(label),
            (round(x - width / 2), round(y - height / 2), round(x + width / 2), round(y + height / 2)),
            first_s=track.first.time_s,
            last_s=track.last.time_s,
            seen=track.seen,
            settle=rule.settle,
            votes=tuple(sorted(track.votes.items(), key=lambda vote: -vote[1])),
            path=tuple(self._paths.get(track.id, ())),
            is_ignored=track.label() in rule.ignore,
        )
