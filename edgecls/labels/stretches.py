"""What a region showed over time: stretches of time with one label, and totals per label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.event import Moment

SHORTEST_S = 1e-3
"""The weight of a stretch of a single frame in a mean."""


class Stretch(NamedTuple):
    """A stretch of time in which a region showed one label. `score` (0..1) is the mean over the frames that showed it."""

    label: str
    start: Moment
    end: Moment
    score: float

    @property
    def seconds(self) -> float:
        """Its duration, in seconds of media time."""
        return max(0.0, self.end.time_s - self.start.time_s)


@dataclass(frozen=True, slots=True)
class Total:
    """The total of all stretches of one label in one region.

    Attributes:
        label: The label.
        share: The share (0..1) of the watched time that the stretches cover.
        seconds: The time that they cover together.
        stretches: How many there are.
        longest_s: The duration of the longest, in seconds.
        first: When the first began.
        last: When the last ended.
        score: The mean score (0..1), weighted by duration.
    """

    label: str
    share: float
    seconds: float
    stretches: int
    longest_s: float
    first: Moment
    last: Moment
    score: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What one region of a camera showed.

    Attributes:
        camera: The camera's name.
        region: The region's name.
        first: The camera's first frame.
        last: The camera's last frame.
        frames: How many frames there were.
        watched_s: The media time between them in seconds, without gaps that are too long for any state.
        stretches: In order of their beginning. The states of a zone or of the whole frame follow each other; moving objects,
            or those in a zone, may overlap.
    """

    camera: str
    region: str
    first: Moment
    last: Moment
    frames: int
    watched_s: float
    stretches: tuple[Stretch, ...]

    @property
    def totals(self) -> list[Total]:
        """The totals of each label, the label with the longest time first."""
        labels = dict.fromkeys(stretch.label for stretch in self.stretches)
        totals = (self._total(label) for label in labels)
        return sorted(totals, key=lambda total: (-round(total.seconds, 3), total.first.time_s))

    def _total(self, label: str) -> Total:
        found = [stretch for stretch in self.stretches if stretch.label == label]
        weights = [max(SHORTEST_S, stretch.seconds) for stretch in found]
        seconds = _covered(found)
        return Total(
            label,
            share=min(1.0, seconds / self.watched_s) if self.watched_s else 0.0,
            seconds=seconds,
            stretches=len(found),
            longest_s=max(stretch.seconds for stretch in found),
            first=found[0].start,
            last=max((stretch.end for stretch in found), key=lambda end: end.time_s),
            score=sum(w * stretch.score for w, stretch in zip(weights, found, strict=True)) / sum(weights),
        )

    def to_record(self) -> dict[str, Any]:
        """Return all of it as plain values. For live cameras, each time also has an `at_s` in seconds since 1970 (UTC)."""
        return {
            "camera": self.camera,
            "region": self.region,
            **_times(self.first, self.last, "first", "last"),
            "frames": self.frames,
            "watched_s": round(self.watched_s, 3),
            "labels": [_total_record(total) for total in self.totals],
            "stretches": [
                {"label": one.label, **_times(one.start, one.end, "start", "end"), "score": round(one.score, 7)}
                for one in self.stretches
            ],
        }


def clock(moment: Moment, *, dated: bool = False) -> str:
    """Format a moment: for a live camera as local time of day, with the date if `dated`; otherwise as media time h:mm:ss.t."""
    if moment.at_s is None:
        return of_stream(moment.time_s)
    return datetime.fromtimestamp(moment.at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S")


def of_stream(time_s: float, *, tenths: bool = True) -> str:
    """Format seconds of media time as h:mm:ss.t, or rounded to h:mm:ss."""
    parts = round(time_s * 10) if tenths else round(time_s) * 10
    hours, minutes, seconds = parts // 36_000, parts // 600 % 60, parts // 10 % 60
    return f"{hours}:{minutes:02}:{seconds:02}" + (f".{parts % 10}" if tenths else "")


def _covered(stretches: Iterable[Stretch]) -> float:
    """Return the seconds covered by at least one stretch. They must be sorted by start."""
    covered_s, until_s = 0.0, 0.0
    for stretch in stretches:
        begins_s = max(stretch.start.time_s, until_s)
        covered_s += max(0.0, stretch.end.time_s - begins_s)
        until_s = max(until_s, stretch.end.time_s)
    return covered_s


def _total_record(total: Total) -> dict[str, Any]:
    return {
        "label": total.label,
        "share": round(total.share, 5),
        "seconds": round(total.seconds, 3),
        "stretches": total.stretches,
        "longest_s": round(total.longest_s, 3),
        **_times(total.first, total.last, "first", "last"),
        "score": round(total.score, 7),
    }


def _times(first: Moment, last: Moment, one: str, two: str) -> dict[str, float]:
    media = {f"{one}_s": round(first.time_s, 3), f"{two}_s": round(last.time_s, 3)}
    if first.at_s is None or last.at_s is None:
        return media
    return {**media, f"{one}_at_s": round(first.at_s, 3), f"{two}_at_s": round(last.at_s, 3)}
