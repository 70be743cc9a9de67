"""The frame that shows each tracked object best, for as long as the object is in sight.

Frames are kept as they were decoded, so that colour is made once, of the frame that is cut out. `Event.view` names such a frame
too, but afterwards, when its pixels are gone.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edgecls.frame import Box, Frame, Result

HELD_BYTES = 64 << 20
"""The most bytes of frames, of all cameras together."""
LARGER = 1.2
"""A later view is better if its box has so many times the area. So an object that comes nearer takes few frames."""
LOST_S = 60.0
"""An object that was not seen for this long, in seconds of media time, is forgotten."""
BYTES_PER_PIXEL = 3

Track = tuple[str, int]
"""The camera and the id of a track."""


class TrackedView(NamedTuple):
    """A frame with the box of an object in it, and what the box is worth: whether it is whole, and its area."""

    frame: Frame
    box: Box
    region: str
    worth: tuple[bool, int]


class BestViews:
    """The best view of each object: whole in the frame before cut off by its border, then as large as possible."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        """Start without objects. Beyond `held_bytes` the objects that have not become better for longest are forgotten."""
        self._held_bytes = held_bytes
        self._views: OrderedDict[Track, TrackedView] = OrderedDict()

    def see(self, result: Result) -> None:
        """Look at the objects of a frame."""
        marks = () if result.overlay is None else result.overlay.marks
        for detection, mark in zip(result.detections, marks, strict=False):
            if mark is None or mark.is_ignored:
                continue
            track, worth = (result.frame.camera, mark.track_id), _worth(detection.box, result.frame.size_hw)
            best = self._views.get(track)
            if best is None or worth > (best.worth[0], round(LARGER * best.worth[1])):
                self._views[track] = TrackedView(result.frame, detection.box, detection.region, worth)
                self._views.move_to_end(track)
        self._forget(result.frame)

    def best(self, camera: str, track_id: int | None) -> TrackedView | None:
        """Return the best view so far, or None if there is none, or it was forgotten."""
        return None if track_id is None else self._views.get((camera, track_id))

    def drop(self, camera: str, track_id: int | None) -> None:
        """Forget an object that has left."""
        if track_id is not None:
            self._views.pop((camera, track_id), None)

    def _forget(self, now: Frame) -> None:
        """Forget what takes too much memory, and what was not seen for long."""
        frames = {id(view.frame): view.frame for view in self._views.values()}
        while len(self._views) > 1 and sum(map(_bytes, frames.values())) > self._held_bytes:
            self._views.popitem(last=False)
            frames = {id(view.frame): view.frame for view in self._views.values()}
        first = next(iter(self._views), None)
        if first is not None and first[0] == now.camera and abs(now.time_s - self._views[first].frame.time_s) > LOST_S:
            del self._views[first]


def _worth(box: Box, size_hw: tuple[int, int]) -> tuple[bool, int]:
    left, top, right, bottom = box
    whole = left > 0 and top > 0 and right < size_hw[1] and bottom < size_hw[0]
    return whole, (right - left) * (bottom - top)


def _bytes(frame: Frame) -> int:
    sizes = [frame.size_hw, *([] if frame.sharp is None else [frame.sharp.size_hw])]
    return sum(BYTES_PER_PIXEL * height * width for height, width in sizes)
