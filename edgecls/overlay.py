"""What to draw over a frame, as plain values, so that sinks that show pictures need to know nothing about rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Point = tuple[float, float]
"""x to the right and y down, in fractions of the frame."""


class Area(NamedTuple):
    """A zone or an ignored area, with a `note` shown after its name, such as the number of objects in it."""

    name: str
    corners: tuple[Point, ...]
    look: Literal["state", "objects", "ignored"]
    note: str = ""


class OverlayLine(NamedTuple):
    """A counting line with the names of its sides, looking from start to end, and a note for each, such as a total."""

    name: str
    start: Point
    end: Point
    left: str
    right: str
    left_note: str = ""
    right_note: str = ""


class Mark(NamedTuple):
    """The track that a detection belongs to: its id, its current label and score (0..1), and its path, oldest point first.
    `is_ignored`: its label is one of the ignored ones.
    """

    track_id: int
    label: str
    score: float
    path: tuple[Point, ...] = ()
    is_ignored: bool = False


class TrackView(NamedTuple):
    """A track as it is followed, whether the frame shows it or not.

    `box` is its filtered box: left, top, right and bottom, in pixels. `first_s` and `last_s` are the media times of the first
    and the last frame that showed it. It is reported after `settle` frames; `seen` have shown it so far. `votes` are its labels
    with the sums of their scores, the largest first.
    """

    track_id: int
    label: str
    score: float
    box: tuple[int, int, int, int]
    first_s: float
    last_s: float
    seen: int
    settle: int
    votes: tuple[tuple[str, float], ...]
    path: tuple[Point, ...] = ()
    is_ignored: bool = False


class Crossed(NamedTuple):
    """A crossing that was counted with this frame: the line, the side that it leads to, and the track."""

    line: str
    direction: str
    track_id: int | None


@dataclass(frozen=True, slots=True)
class Overlay:
    """Everything that is drawn over a frame in addition to labels.

    Attributes:
        areas: Zones and ignored areas.
        lines: Counting lines.
        marks: The track of each detection of the result, None for one without a track.
        ignored_labels: Moving objects with these labels are drawn as ignored.
        tracks: All confirmed tracks. Only in a run with a debug video, as it takes time to collect them.
        crossings: What was counted with this frame. Only in a run with a debug video.
        carried: Tracks that are drawn although the frame has no detections, because the detector did not look at it.
    """

    areas: tuple[Area, ...] = ()
    lines: tuple[OverlayLine, ...] = ()
    marks: tuple[Mark | None, ...] = ()
    ignored_labels: tuple[str, ...] = ()
    tracks: tuple[TrackView, ...] = ()
    crossings: tuple[Crossed, ...] = ()
    carried: tuple[TrackView, ...] = ()
