"""Turn the regions of what was left or removed at one camera into events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from edgecls.event import View
from edgecls.events.center_box import CenterBox, center_box, overlap
from edgecls.frame import LEFT
from edgecls.model.confidence import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgecls.event import Event, Moment
    from edgecls.frame import Box, Detection
    from edgecls.regions.left import LeftSettings

HOLD_S = 2.0
"""An event ends when its region has not been there for this long."""
SAME_PLACE = 0.3
"""What was left is the object of a track whose box overlaps it by at least this intersection over union."""
LATE_S = 10.0
"""A track that has ended is remembered for `after_s` and this many seconds."""


class Standing(NamedTuple):
    """A reported object: its track, its last box, its label and score, and when it was last seen."""

    track_id: int
    place: CenterBox
    label: str
    score: float
    last_s: float


@dataclass(slots=True)
class _Open:
    event: Event
    last: Moment
    is_reported: bool = True


class LeftWatch:
    """The objects that were left or removed at one camera. Pass it every frame in order, then `close` it."""

    def __init__(self, rule: LeftSettings, ignore: Sequence[str], blank: Event) -> None:
        """Start without events. `ignore` are the labels that are no objects; `blank` has the camera and the model."""
        self._rule, self._ignore, self._blank = rule, ignore, blank
        self._moments: deque[Moment] = deque()
        self._gone: deque[Standing] = deque()
        self._open: dict[tuple[str, Box], _Open] = {}

    def step(
        self, moment: Moment, size_hw: tuple[int, int], detections: Sequence[Detection], tracks: Iterable[Standing]
    ) -> list[Event]:  # fmt: skip
        """Process one frame.

        Args:
            moment: The frame.
            size_hw: Its height and width in pixels.
            detections: What is left or missing in it.
            tracks: The reported objects that are followed.

        Returns:
            The events that begin or end with it.
        """
        self._moments.append(moment)
        while len(self._moments) > 1 and self._moments[1].time_s <= moment.time_s - self._rule.after_s:
            self._moments.popleft()
        while self._gone and self._gone[0].last_s < moment.time_s - self._rule.after_s - LATE_S:
            self._gone.popleft()
        events = []
        for one in detections:
            known = self._open.get((one.region, one.box))
            if known is None:
                known = self._open[one.region, one.box] = self._begin(one, size_hw, [*self._gone, *tracks])
                events += [known.event] if known.is_reported else []
            known.last = moment
        return events + self.skip(moment)

    def skip(self, moment: Moment) -> list[Event]:
        """Return the events of what has not been there for `HOLD_S`."""
        over = [key for key, one in self._open.items() if moment.time_s - one.last.time_s > HOLD_S]
        return [event for key in over for event in self._end(self._open.pop(key))]

    def remember(self, track: Standing) -> None:
        """Note that the track of a reported object has ended."""
        self._gone.append(track)

    def close(self) -> list[Event]:
        """Finish. Each open event ends with the last frame that showed it."""
        over, self._open = list(self._open.values()), {}
        return [event for one in over for event in self._end(one)]

    def _begin(self, detection: Detection, size_hw: tuple[int, int], tracks: Sequence[Standing]) -> _Open:
        """Return the event of something that has been left or gone since `after_s` ago."""
        is_left, place = detection.region == LEFT, center_box(detection.box)
        start = self._moments[0]
        near = max(tracks, key=lambda track: overlap(track.place, place), default=None) if is_left else None
        event = replace(
            self._blank,
            kind="left" if is_left else "removed",
            region=detection.region,
            start=start,
            view=View(start.frame, start.time_s, detection.box, size_hw),
        )
        if near is not None and overlap(near.place, place) >= SAME_PLACE:
            event = replace(event, label=near.label, score=near.score, track_id=near.track_id)
        else:
            label = detection.prediction.label
            event = replace(event, label=UNKNOWN if label in self._ignore else label, score=detection.prediction.score)
        is_wanted = not is_left or not self._rule.labels or event.label in self._rule.labels
        return _Open(event, start, is_reported=is_wanted)

    def _end(self, one: _Open) -> list[Event]:
        return [replace(one.event, end=one.last)] if one.is_reported else []
