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


@dataclass(frozen=True, slots=True)
class Overlay:
    """Everything that is drawn over a frame in addition to labels.

    Attributes:
        areas: Zones and ignored areas.
        lines: Counting lines.
        marks: The track of each detection of the result, None for one without a track.
        ignored_labels: Moving objects with these labels are drawn as ignored.
    """

    areas: tuple[Area, ...] = ()
    lines: tuple[OverlayLine, ...] = ()
    marks: tuple[Mark | None, ...] = ()
    ignored_labels: tuple[str, ...] = ()
