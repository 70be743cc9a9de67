"""Events: what happened in front of a camera, and when. Sinks and scripts receive them in addition to results.

A result describes one frame, an event summarizes many. The same frames give the same events with the same ids, so a
receiver can detect duplicates.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["state", "label", "object", "presence", "crossing", "left", "removed", "health", "drift", "count", "model"]
"""What is reported.

state      a region showed a label
label      a region showed one of several labels: of a model that gives several, each label begins and ends by itself
object     something moved, from the first frame that it was followed in to the last
presence   an object was in a zone
crossing   an object crossed a line
left       something was put down, or came to rest, and stayed
removed    something that belonged to the background is gone
health     the camera was lost, or its pictures could not be trusted
drift      for hours, a camera has shown something else than in the first days (`edgecls.drift`)
count      what crossed a line, or was in a zone, during an interval
model      another model took the place of the one in use, was compared with it, passed its trial or was taken back
"""


class Moment(NamedTuple):
    """A frame as a point in time: its index, its media time in seconds, and either, of a live source, seconds since 1970 (UTC)
    or the file that it is from.
    """

    frame: int
    time_s: float
    at_s: float | None = None
    file: str = ""

    def begins_anew(self, last: Moment) -> bool:
        """Whether a camera whose last frame was `last` began anew before this one: in a run its frames are counted upwards."""
        return self.frame < last.frame or (self.frame == last.frame and self.time_s <= last.time_s)


class View(NamedTuple):
    """Where an object is to be seen: the index and the media time in seconds of a frame, and its `edgecls.Box` there, in pixels
    of a frame that is `size_hw` large.
    """

    frame: int
    time_s: float
    box: tuple[int, int, int, int]
    size_hw: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Without an `end` it still goes on, and comes again, with the same id, when it has ended.

    `region` is the zone, the line or the whole frame; `score` (0..1) the mean over the frames that showed it; `direction` of a
    crossing is the name of the side that it went to. `counts` of an interval are objects by label, and `occupancy` of a zone is
    how many were in it at a time, on average. `model` says which file the labels are from. `view` is where an object is seen
    best so far, of its presence or crossing where it was when that began.
    """

    kind: Kind
    camera: str
    region: str
    label: str
    score: float
    start: Moment
    end: Moment | None = None
    track_id: int | None = None
    direction: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    occupancy: float | None = None
    model: str = ""
    view: View | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits that depend on what the event is and when it began, not on how it continued."""
        where = self.start.file if self.start.at_s is None else f"{self.start.at_s:.3f}"
        what = [self.camera, self.kind, self.region, self.direction, str(self.track_id), f"{self.start.frame}@{where}"]
        if self.kind in ("left", "removed") and self.view is not None:  # several may have begun at once
            what.append(str(tuple(self.view.box)))
        if self.kind in ("label", "model"):  # others may begin with the same frame
            what.append(self.label)
        return hashlib.sha256("\0".join(what).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def phase(self) -> Literal["begin", "end"]:
        """Whether this is the begin or the end of the event. Together with the id, it identifies a delivery."""
        return "begin" if self.end is None else "end"

    @property
    def duration_s(self) -> float | None:
        """From its first frame to its last, in seconds of media time, rounded to milliseconds; None while it goes on."""
        return None if self.end is None else max(0.0, round(self.end.time_s - self.start.time_s, 3))
