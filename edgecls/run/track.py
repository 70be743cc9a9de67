"""Follow what moves from frame to frame, and vote on what it is.

A short tracker in the manner of SORT (Bewley et al. 2016): each track says where its box should be now, boxes go to the track
they overlap most, and what nobody claims begins a track. Instead of a Kalman filter an alpha-beta filter, which is what it
comes to with constant noise; instead of the Hungarian method the greedy one, as boxes of moving things hardly overlap. Boxes
come from motion, not from a detector, so they merge and split (McKenna et al. 2000 follow people as such groups):

- several boxes within one expected box are its parts, until they have been apart for long: then they are several
- tracks that have no box of their own and are expected in another one's share it: they go on as expected, and the sides of the
  box correct those that reach farthest there
- a box that suddenly is much larger than the track in it shows something else besides: the track goes on as expected in it
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.confidence import UNKNOWN
from edgecls.run.place import Place, off_inside, off_sides, overlap, place_of, share, union
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.event import Moment
    from edgecls.frame import Detection

ALPHA, BETA = 0.6, 0.3
"""How far a new box corrects the expected place, and the speed."""
SIZE_GAIN = 0.3
"""How far a new box corrects the size of a track that counts: arms, legs and shadows come and go."""
PART = 0.7
"""A box with so much of its area inside an expected one is a part of it; who is so much behind another one is not seen."""
WITHIN = 0.5
"""A track that is expected with so much of its area inside a box is in it."""
MORE = 2.0
"""A box that is so many times as large as it should be shows something else besides."""


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


class Step(NamedTuple):
    """Where a track was in one frame: its place, and where it had boxes of its own what is around them, and their label."""

    moment: Moment
    place: Place
    box: Place | None = None
    label: str = ""


@dataclass(slots=True)
class Track:
    """One thing that moves, from `first` to `last`. `place` is where it should be now, `path` where it was since the path was
    last taken; `whole` is when it last had a box of its own in one piece. Its id is 0 until it counts.
    """

    place: Place
    first: Moment
    last: Moment
    whole: Moment
    id: int = 0
    seen: int = 0
    speed: tuple[float, float] = (0.0, 0.0)
    path: list[Step] = field(default_factory=list)
    votes: dict[str, float] = field(default_factory=dict)
    voters: Counter[str] = field(default_factory=Counter)

    def label(self, leaving_out: Sequence[str] = ()) -> str:
        """What most of its frames say that it is, each weighed by its score. "unknown" has no vote where anything else has."""
        known = {label: votes for label, votes in self.votes.items() if label not in (UNKNOWN, *leaving_out)}
        return max(known, key=lambda label: known[label]) if known else UNKNOWN

    def score(self, label: str) -> float:
        """The mean score (0..1) of the frames that say `label`."""
        return self.votes.get(label, 0.0) / max(1, self.voters[label])

    def take_path(self) -> list[Step]:
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
        places = [place_of(detection.box) for detection in detections]
        owner = self._match(places)
        shared = self._share_out(places, owner)
        grouped = [track for tracks in shared.values() for track in tracks]
        alone = [track for track in self._tracks if not any(track is one for one in grouped)]
        self._take_parts(moment, places, owner, alone)
        for track in alone:
            own = [i for i, of in enumerate(owner) if of is track]
            if own and not self._shows_more(track, moment, union([places[i] for i in own])):
                largest = detections[max(own, key=lambda i: places[i].area)]
                _correct(track, moment, [places[i] for i in own], largest.prediction.label)
                _vote(track, largest)
            elif own:
                _shift(track, moment, off_inside(track.place, places[own[0]]))
                _seen(track, moment)
        for i, tracks in shared.items():
            _correct_group(tracks, moment, places[i])
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

    def _match(self, places: Sequence[Place]) -> list[Track | None]:
        """The track of each box, one for each, the best pairs first."""
        owner: list[Track | None] = [None] * len(places)
        pairs = [(overlap(track.place, place), n, i) for n, track in enumerate(self._tracks) for i, place in enumerate(places)]
        taken: set[int] = set()
        for common, n, i in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if common >= self._rule.overlap and n not in taken and owner[i] is None:
                owner[i] = self._tracks[n]
                taken.add(n)
        return owner

    def _share_out(self, places: Sequence[Place], owner: list[Track | None]) -> dict[int, list[Track]]:
        """The tracks of each box that shows several: the one that it is most like, and those that are expected in it and have
        no box of their own.
        """
        shared: dict[int, list[Track]] = {}
        for track in self.tracks if places else ():
            i = max(range(len(places)), key=lambda i: share(track.place, places[i]))
            if not any(of is track for of in owner) and share(track.place, places[i]) >= WITHIN:
                shared.setdefault(i, []).append(track)
        for i, tracks in shared.items():
            of = owner[i]
            if of is not None and of.id:
                tracks.insert(0, of)
            owner[i] = tracks[0]
        return {i: tracks for i, tracks in shared.items() if len(tracks) > 1}

    def _take_parts(self, moment: Moment, places: Sequence[Place], owner: list[Track | None], alone: Sequence[Track]) -> None:
        """Give boxes that nobody has and that lie in an expected one to its track, as its parts. Where it has been in parts for
        long, one of them is the track and the others are others.
        """
        parts: dict[int, list[int]] = {}
        for i, place in enumerate(places):
            if owner[i] is None and alone:
                n = max(range(len(alone)), key=lambda n: share(place, alone[n].place))
                if share(place, alone[n].place) >= PART:
                    parts.setdefault(n, []).append(i)
        for n, boxes in parts.items():
            track = alone[n]
            own = [i for i, of in enumerate(owner) if of is track] + boxes
            if len(own) > 1 and self._lasts(track, moment):
                own = own[:1]
                track.place = places[own[0]]
            for i in own:
                owner[i] = track

    def _lasts(self, track: Track, moment: Moment) -> bool:
        """Whether it is long ago that the track was seen as one box of its own."""
        return moment.time_s - track.whole.time_s > self._rule.lost_s

    def _shows_more(self, track: Track, moment: Moment, place: Place) -> bool:
        """Whether a box suddenly is so much larger than the track that it shows something else besides. What lasts it is."""
        known = track.seen >= self._rule.settle and not self._lasts(track, moment)
        return known and place.area > MORE * track.place.area

    def _begin(self, moment: Moment, place: Place, detection: Detection) -> Track:
        track = Track(place, moment, moment, moment)
        _seen(track, moment, place, detection.prediction.label)
        _vote(track, detection)
        self._tracks.append(track)
        return track


def _correct(track: Track, moment: Moment, seen: Sequence[Place], label: str) -> None:
    """Bring the expected place nearer to the seen one, of which these are the parts and which has this label."""
    box, expected = union(seen), track.place
    _shift(track, moment, (box.x - expected.x, box.y - expected.y))
    if len(seen) == 1:
        track.whole = moment
    gain = SIZE_GAIN if track.id else ALPHA
    track.place = track.place._replace(
        width=expected.width + gain * (box.width - expected.width),
        height=expected.height + gain * (box.height - expected.height),
    )
    _seen(track, moment, box, label)


def _correct_group(tracks: Sequence[Track], moment: Moment, seen: Place) -> None:
    """Bring those that share a box nearer to its sides. Who is behind the first of them is not seen."""
    expected = [track.place for track in tracks]
    for track, place in zip(tracks, expected, strict=True):
        _shift(track, moment, off_sides(place, seen, expected))
        if track is tracks[0] or share(place, expected[0]) < PART:
            _seen(track, moment)


def _shift(track: Track, moment: Moment, off: tuple[float, float]) -> None:
    """Move the expected place and change the speed by a part of what it is off. The first step sets the speed; there is nothing
    to smooth yet.
    """
    passed_s = moment.time_s - track.last.time_s
    alpha, beta = (1.0, 1.0) if track.seen == 1 else (ALPHA, BETA)
    if passed_s > 0:
        track.speed = (track.speed[0] + beta * off[0] / passed_s, track.speed[1] + beta * off[1] / passed_s)
    track.place = track.place.at(track.place.x + alpha * off[0], track.place.y + alpha * off[1])


def _seen(track: Track, moment: Moment, box: Place | None = None, label: str = "") -> None:
    track.last = moment
    track.seen += 1
    track.path.append(Step(moment, track.place, box, label))


def _vote(track: Track, detection: Detection) -> None:
    prediction = detection.prediction
    track.votes[prediction.label] = track.votes.get(prediction.label, 0.0) + prediction.score
    track.voters[prediction.label] += 1
