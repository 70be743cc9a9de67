"""Follow what moves from frame to frame, and vote on what it is.

A short tracker in the manner of SORT (Bewley et al. 2016): each track says where its box should be now, boxes go to the track
they overlap most, and what nobody claims begins a track. Instead of a Kalman filter an alpha-beta filter, which is what it
comes to with constant noise; instead of the Hungarian method the greedy one, as boxes of moving things hardly overlap. Boxes
come from motion, not from a detector, so two things are added: several boxes within one expected box are its parts, and
tracks whose expected boxes lie in one box go on as expected, for it says of neither where it is.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.confidence import UNKNOWN
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.event import Moment
    from edgecls.frame import Detection

ALPHA, BETA = 0.6, 0.3
"""How far a new box corrects the expected place, and the speed."""
PART = 0.7
"""A box with so much of its area inside an expected one is a part of it."""


@dataclass(frozen=True, slots=True)
class TrackRule:
    """How boxes become tracks.

    A box belongs to the track whose expected box it overlaps by `overlap` (intersection over union, 0..1) or more. A track
    counts after `frames` frames with a box, is told of, with its label, after `settle`, and ends `lost_s` after the last.
    `anchor` is the point of the box that is on a side of a line or in a zone: its middle, or the middle of its lower edge,
    where what stands on the ground touches it. What is labelled as one of `ignore` is nothing.
    """

    overlap: float = 0.2
    frames: int = 4
    settle: int = 8
    lost_s: float = 1.0
    anchor: Literal["middle", "bottom"] = "middle"
    ignore: tuple[str, ...] = ("background",)

    def __post_init__(self) -> None:
        """Refuse what follows nothing."""
        check("overlap", self.overlap, 0 < self.overlap < 1, "between 0 and 1")
        check("frames", self.frames, self.frames >= 1, "1 or more")
        check("settle", self.settle, self.settle >= self.frames, f"{self.frames} (frames) or more")
        check("lost_s", self.lost_s, 0 < self.lost_s < inf, "above 0 seconds")


class Place(NamedTuple):
    """A box as its middle and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Track:
    """One thing that moves, from `first` to `last`. `place` is where it should be now, `path` where it was since the path was
    last taken. Its id is 0 until it counts.
    """

    place: Place
    first: Moment
    last: Moment
    id: int = 0
    seen: int = 0
    speed: tuple[float, float] = (0.0, 0.0)
    path: list[tuple[Moment, Place]] = field(default_factory=list)
    votes: dict[str, float] = field(default_factory=dict)
    voters: Counter[str] = field(default_factory=Counter)

    def label(self, leaving_out: Sequence[str] = ()) -> str:
        """What most of its frames say that it is, each weighed by its score. "unknown" has no vote where anything else has."""
        known = {label: votes for label, votes in self.votes.items() if label not in (UNKNOWN, *leaving_out)}
        return max(known, key=lambda label: known[label]) if known else UNKNOWN

    def score(self, label: str) -> float:
        """The mean score (0..1) of the frames that say `label`."""
        return self.votes.get(label, 0.0) / max(1, self.voters[label])

    def take_path(self) -> list[tuple[Moment, Place]]:
        """Where it was since this was last called."""
        path, self.path = self.path, []
        return path


class Tracker:
    """Follows the boxes of one camera. Ids count from 1 in the order in which tracks began to count."""

    def __init__(self, rule: TrackRule) -> None:
        """Follow nothing yet."""
        self._rule = rule
        self._tracks: list[Track] = []
        self._ids = itertools.count(1)
        self._now_s = -inf

    @property
    def tracks(self) -> list[Track]:
        """Those that count and are not over, seen in the last frame or not."""
        return [track for track in self._tracks if track.id]

    def step(self, moment: Moment, detections: Sequence[Detection]) -> tuple[list[int | None], list[Track]]:
        """Take the boxes of one frame. Returns the id of the track of each, None where none counts yet, and the tracks that are
        over.
        """
        over = self.skip(moment)
        self._expect(moment)
        places = [_place(detection) for detection in detections]
        owner = self._assign(places)
        grouped = self._groups(places)
        for track in self._tracks:
            own = [i for i, of in enumerate(owner) if of is track]
            if any(track is one for one in grouped):
                _seen(track, moment)
            elif own:
                _correct(track, moment, _union([places[i] for i in own]))
                _vote(track, detections[max(own, key=lambda i: places[i].width * places[i].height)])
        for i, of in enumerate(owner):
            if of is None:
                owner[i] = self._begin(moment, places[i], detections[i])
        for track in self._tracks:
            if not track.id and track.seen >= self._rule.frames:
                track.id = next(self._ids)
        return [of.id if of and of.id else None for of in owner], over

    def close(self) -> list[Track]:
        """No more frames come: all tracks are over."""
        over, self._tracks = self.tracks, []
        return over

    def skip(self, moment: Moment) -> list[Track]:
        """Pass over a frame of which nothing can be said. Returns the tracks that are over, because they were lost for too
        long.
        """
        tracks, self._tracks = self._tracks, []
        over: list[Track] = []
        for track in tracks:
            lost = moment.time_s - track.last.time_s > self._rule.lost_s
            (over if lost else self._tracks).append(track)
        return [track for track in over if track.id]

    def _expect(self, moment: Moment) -> None:
        """Move every track to where it should be now."""
        passed_s = moment.time_s - self._now_s
        self._now_s = moment.time_s
        for track in self._tracks:
            x, y, width, height = track.place
            track.place = Place(x + track.speed[0] * passed_s, y + track.speed[1] * passed_s, width, height)

    def _assign(self, places: Sequence[Place]) -> list[Track | None]:
        """The track of each box: the best pairs first, then what is a part of a track."""
        owner: list[Track | None] = [None] * len(places)
        pairs = [(_overlap(track.place, place), n, i) for n, track in enumerate(self._tracks) for i, place in enumerate(places)]
        taken: set[int] = set()
        for overlap, n, i in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if overlap >= self._rule.overlap and n not in taken and owner[i] is None:
                owner[i] = self._tracks[n]
                taken.add(n)
        for i, place in enumerate(places):
            if owner[i] is None and self._tracks:
                whole = max(self._tracks, key=lambda track: _share(place, track.place))
                owner[i] = whole if _share(place, whole.place) >= PART else None
        return owner

    def _groups(self, places: Sequence[Place]) -> list[Track]:
        """The tracks that share a box with another one: it says of neither where it is, so they go on as expected."""
        grouped: list[Track] = []
        for place in places:
            inside = [track for track in self.tracks if _share(track.place, place) >= PART]
            grouped += inside if len(inside) > 1 else []
        return grouped

    def _begin(self, moment: Moment, place: Place, detection: Detection) -> Track:
        track = Track(place, moment, moment)
        _seen(track, moment)
        _vote(track, detection)
        self._tracks.append(track)
        return track


def _correct(track: Track, moment: Moment, seen: Place) -> None:
    """Bring the expected place nearer to the seen one. The first step sets the speed; there is nothing to smooth yet."""
    passed_s = moment.time_s - track.last.time_s
    expected = track.place
    off = seen.x - expected.x, seen.y - expected.y
    alpha, beta = (1.0, 1.0) if track.seen == 1 else (ALPHA, BETA)
    if passed_s > 0:
        track.speed = (track.speed[0] + beta * off[0] / passed_s, track.speed[1] + beta * off[1] / passed_s)
    track.place = Place(
        expected.x + alpha * off[0],
        expected.y + alpha * off[1],
        expected.width + ALPHA * (seen.width - expected.width),
        expected.height + ALPHA * (seen.height - expected.height),
    )
    _seen(track, moment)


def _seen(track: Track, moment: Moment) -> None:
    track.last = moment
    track.seen += 1
    track.path.append((moment, track.place))


def _vote(track: Track, detection: Detection) -> None:
    prediction = detection.prediction
    track.votes[prediction.label] = track.votes.get(prediction.label, 0.0) + prediction.score
    track.voters[prediction.label] += 1


def _place(detection: Detection) -> Place:
    left, top, right, bottom = detection.box
    return Place((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def _union(places: Sequence[Place]) -> Place:
    left, right = min(p.x - p.width / 2 for p in places), max(p.x + p.width / 2 for p in places)
    top, bottom = min(p.y - p.height / 2 for p in places), max(p.y + p.height / 2 for p in places)
    return Place((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def _common(one: Place, two: Place) -> float:
    wide = min(one.x + one.width / 2, two.x + two.width / 2) - max(one.x - one.width / 2, two.x - two.width / 2)
    high = min(one.y + one.height / 2, two.y + two.height / 2) - max(one.y - one.height / 2, two.y - two.height / 2)
    return max(0.0, wide) * max(0.0, high)


def _overlap(one: Place, two: Place) -> float:
    """Intersection over union."""
    common = _common(one, two)
    return common / (one.width * one.height + two.width * two.height - common)


def _share(inner: Place, outer: Place) -> float:
    """How much of `inner` is inside of `outer`, 0..1."""
    return _common(inner, outer) / (inner.width * inner.height)
