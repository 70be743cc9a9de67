"""The whole paths of a camera's objects, for those who judge where its lines are. Events are made without them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.event import Moment
    from edgecls.regions.geometry import Point

APART = 0.004
"""The least distance between two points of a path, in fractions of the frame. The last point is always kept."""


@dataclass(slots=True)
class ObjectPath:
    """The path of one object: the media time of its first point in seconds; its points, and the width and height of its box at
    each of them, in fractions of the frame.
    """

    first_s: float
    points: list[Point] = field(default_factory=list)
    sizes: list[Point] = field(default_factory=list)

    def move(self, point: Point, size: Point) -> None:
        """Add a point."""
        if len(self.points) > 1 and math.dist(self.points[-2], self.points[-1]) < APART:
            self.points[-1], self.sizes[-1] = point, size
        else:
            self.points.append(point)
            self.sizes.append(size)


class Paths:
    """Keeps the path of each track. `take` returns those of tracks that have ended."""

    def __init__(self) -> None:
        """Start without paths."""
        self._going: dict[int, ObjectPath] = {}
        self._ended: dict[int, ObjectPath] = {}

    def move(self, track_id: int, moment: Moment, point: Point, size: Point) -> None:
        """Add the position of a track in the next frame that shows it, (x, y), and the (width, height) of its box, in fractions
        of the frame.
        """
        path = self._going.get(track_id)
        if path is None:
            path = self._going[track_id] = ObjectPath(moment.time_s)
        path.move(point, size)

    def end(self, track_id: int) -> None:
        """Note that a track has ended."""
        path = self._going.pop(track_id, None)
        if path is not None:
            self._ended[track_id] = path

    def take(self) -> dict[int, ObjectPath]:
        """Return the paths of the tracks that have ended since the last call, by track id."""
        ended, self._ended = self._ended, {}
        return ended
