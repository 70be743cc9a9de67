"""Track moving objects from frame to frame, and vote on their labels.

A small tracker in the style of SORT (Bewley et al. 2016): each track predicts its next box, boxes are assigned to the track
they overlap most, and unmatched boxes start new tracks. It uses an alpha-beta filter instead of a Kalman filter, which amounts
to the same with constant noise, and greedy matching instead of the Hungarian method, because moving boxes rarely overlap: in
9,396 frames of five real cameras, the Hungarian method assigned 3 frames differently, and counted the same crossings.
Boxes come from motion, not from an object detector, so they merge and split (McKenna et al. 2000 track people as such groups):

- Several boxes inside one predicted box are parts of it. If they stay apart for long, they become separate tracks.
- A track that has hardly been seen by itself, but beside or inside a larger box, was a part of that object: it is not reported,
  and when they share a box it joins it.
- Tracks without a box of their own that are predicted inside another track's box share it. They move on as predicted, and
  each side of the box corrects the track that reaches farthest to that side.
- A box that suddenly becomes narrower shows a part of an object that passes behind something. Its visible side corrects it.
- What disappears behind something goes on as what comes out, up to four seconds later: see `hidden`.
- Boxes diagonal to each other are several objects. The track goes on as the one ahead.
- A box that suddenly becomes much larger than its track also shows something else. The track moves on as predicted inside it.

With the boxes of a detector, none of this is done except for narrower boxes: each shows one object, even in front of another.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

from edgecls.events.center_box import (
    CenterBox,
    are_diagonal,
    center_box,
    may_be_part,
    off_inside,
    off_sides,
    overlap,
    share,
    union,
)
from edgecls.events.hidden import LONGEST_HIDDEN_S, hiding
from edgecls.events.joining import joints
from edgecls.events.track import Track
from edgecls.settings import check, check_limits, limited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.event import Moment
    from edgecls.frame import Detection

PART = 0.7
"""A box with at least this share of its area inside a predicted box is part of it. An object this far behind another is hidden.
"""
WITHIN = 0.5
"""A track whose predicted box has at least this share of its area inside a box is in that box."""
MORE = 2.0
"""A box more than this many times larger than predicted also shows something else."""


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How boxes become tracks.

    Attributes:
        overlap: A box belongs to a track if it overlaps the predicted box by at least this intersection over union (0..1).
        frames: A track is confirmed, and gets its id, after this many frames with a box.
        settle: A track is reported, with its label, after this many frames in which it was not just a part of a larger box.
            At least `frames`.
        travel: A track is reported once it has moved this many times its size (the square root of its box's area), so leaves,
            flags and arms are not objects. It may stand still later.
        lost_s: A track ends this many seconds after its last box, or 4 s after it if it has disappeared behind something.
        anchor: The point of the box that is tested against lines and zones: the "middle" of the box, or of its "bottom" edge,
            where an object that stands on the ground touches it.
        ignore: Objects with these labels are not reported.
    """

    overlap: float = limited(0.2, above=0, below=1)
    frames: int = limited(4, at_least=1)
    settle: int = limited(8, at_least=1)
    travel: float = limited(0.5, at_least=0, unit="times the object's size")
    lost_s: float = limited(1.0, above=0, unit="seconds")
    anchor: Literal["middle", "bottom"] = "middle"
    ignore: tuple[str, ...] = ("background",)

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)
        check("settle", self.settle, self.settle >= self.frames, f"{self.frames} (frames) or more")


class Tracker:
    """Tracks the boxes of one camera. Ids count from 1, in the order in which tracks are confirmed."""

    def __init__(self, rule: TrackSettings) -> None:
        """Start without tracks."""
        self._rule = rule
        self._tracks: list[Track] = []
        self._ids = itertools.count(1)
        self._now_s = -inf
        self._wide = inf
        self._hidden: list[Track] = []

    @property
    def tracks(self) -> list[Track]:
        """The confirmed tracks that have not ended, whether the last frame showed them or not."""
        return [track for track in self._tracks if track.id]

    def step(self, moment: Moment, detections: Sequence[Detection], *, wide: float) -> tuple[list[int | None], list[Track]]:
        """Process the boxes of one frame, which is `wide` pixels wide.

        Returns:
            The track id of each detection, None if its track is not confirmed yet; and the tracks that have ended.
        """
        self._wide = wide
        whole = any(detection.box_score is not None for detection in detections)  # a detector finds objects, never their parts
        over = self._end_lost(moment, is_seen=not whole)
        self._predict(moment)
        places = [center_box(detection.box) for detection in detections]
        owner = self._match(places)
        shared = {} if whole else self._share_out(places, owner, over)
        grouped = [track for tracks in shared.values() for track in tracks]
        alone = [track for track in self._tracks if not any(track is one for one in grouped)]
        if not whole:
            self._take_parts(moment, places, owner, alone)
        for track in alone:
            own = [i for i, of in enumerate(owner) if of is track]
            if own and (whole or not self._shows_more(track, moment, union([places[i] for i in own]))):
                largest = detections[max(own, key=lambda i: places[i].area)]
                track.correct(moment, [places[i] for i in own], largest.prediction.label)
                track.vote(largest)
            elif own:
                track.shift(moment, off_inside(track.place, places[own[0]]))
                track.show(moment)
        for i, tracks in shared.items():
            _correct_group(tracks, moment, places[i])
        for i, of in enumerate(owner):
            if of is None:
                owner[i] = self._begin(moment, places[i], detections[i])
        if not whole:
            self._join(moment, owner, over)
        self._confirm(moment, whole=whole)
        return [of.id if of and of.id else None for of in owner], over

    def close(self) -> list[Track]:
        """Finish. Returns the tracks, which have all ended now."""
        over, self._tracks, self._hidden = [*self.tracks, *self._hidden], [], []
        return over

    def skip(self, moment: Moment) -> list[Track]:
        """Skip a frame that was not classified. Returns the tracks that have ended because they were lost for too long."""
        return self._end_lost(moment, is_seen=False)

    def _end_lost(self, moment: Moment, *, is_seen: bool) -> list[Track]:
        """Return the tracks that have ended. Those that have disappeared behind something, as far as the frame `is_seen`, are
        waited for.
        """
        lost = [track for track in self._tracks if moment.time_s - track.last.time_s > self._rule.lost_s]
        self._tracks = [track for track in self._tracks if track not in lost]
        lost = [track for track in lost if track.id]
        known = [track for track in lost if is_seen and self._is_known(track)]
        self._hidden += [track for track in known if not track.is_alone or hiding(track.seen_as, self._wide)]
        late = [track for track in self._hidden if moment.time_s - track.last.time_s > LONGEST_HIDDEN_S]
        over = [track for track in lost if track not in self._hidden] + late
        self._hidden = [track for track in self._hidden if track not in late]
        return over

    def _predict(self, moment: Moment) -> None:
        """Predict the box of every track."""
        passed_s = moment.time_s - self._now_s
        self._now_s = moment.time_s
        for track in self._tracks:
            track.expect(passed_s)

    def _match(self, places: Sequence[CenterBox]) -> list[Track | None]:
        """Match boxes and tracks one to one, greedily by overlap. Returns the track of each box."""
        owner: list[Track | None] = [None] * len(places)
        pairs = [(overlap(track.place, place), n, i) for n, track in enumerate(self._tracks) for i, place in enumerate(places)]
        taken: set[int] = set()
        for common, n, i in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if common >= self._rule.overlap and n not in taken and owner[i] is None:
                owner[i] = self._tracks[n]
                taken.add(n)
        return owner

    def _share_out(
        self, places: Sequence[CenterBox], owner: list[Track | None], over: list[Track]
    ) -> dict[int, list[Track]]:  # fmt: skip
        """Find the boxes that show several tracks: the matched one, and those predicted inside it without a box of their own.

        A track that has hardly been seen by itself was a part of the object: it joins another one, and is added to `over`.

        Returns:
            For the index of each such box, its tracks.
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
            proven = [track for track in tracks if track.apart >= self._rule.settle]
            kept = proven or [max(tracks, key=lambda track: track.place.area)]
            parts = [track for track in tracks if not any(track is one for one in kept)]
            self._tracks = [track for track in self._tracks if not any(track is part for part in parts)]
            over += parts
            tracks[:] = kept
            owner[i] = kept[0]
        return {i: tracks for i, tracks in shared.items() if len(tracks) > 1}

    def _take_parts(
        self, moment: Moment, places: Sequence[CenterBox], owner: list[Track | None], alone: Sequence[Track]
    ) -> None:
        """Assign unmatched boxes inside a predicted box to its track, as its parts. If the track has been in parts for long, it
        keeps only the first one, and the others start new tracks.
        """
        parts: dict[int, list[int]] = {}
        for i, place in enumerate(places):
            if owner[i] is None and alone:
                n = max(range(len(alone)), key=lambda n: share(place, alone[n].place))
                if share(place, alone[n].place) < PART:
                    continue
                other = next((j for j, of in enumerate(owner) if of is alone[n] and are_diagonal(place, places[j])), None)
                if other is None:
                    parts.setdefault(n, []).append(i)
                elif (place.x - places[other].x) * alone[n].speed[0] > 0:
                    owner[i], owner[other] = alone[n], None
        for n, boxes in parts.items():
            track = alone[n]
            own = [i for i, of in enumerate(owner) if of is track] + boxes
            if len(own) > 1 and self._lasts(track, moment):
                own = own[:1]
                track.place = places[own[0]]
            for i in own:
                owner[i] = track

    def _lasts(self, track: Track, moment: Moment) -> bool:
        """Whether the track was last seen as a single box of its own long ago."""
        return moment.time_s - track.whole.time_s > self._rule.lost_s

    def _shows_more(self, track: Track, moment: Moment, place: CenterBox) -> bool:
        """Whether a box is suddenly so much larger than its track that it also shows something else. If it stays so large, the
        track has grown.
        """
        known = track.seen >= self._rule.settle and not self._lasts(track, moment)
        return known and place.area > MORE * track.place.area

    def _join(self, moment: Moment, owner: list[Track | None], over: list[Track]) -> None:
        """Let hidden tracks go on as the young ones that come out. Young ones with an id are added to `over`."""
        young = [track for track in self._tracks if track.last == moment and self._is_young(track)]
        known = [track for track in (*self.tracks, *self._hidden) if self._is_known(track)]
        for track, one, where in joints(known, young, self._wide):
            track.go_on(one, where)
            self._hidden = [other for other in self._hidden if other is not track]
            self._tracks = [other for other in self._tracks if other is not one and other is not track] + [track]
            owner[:] = [track if of is one else of for of in owner]
            over += [one] if one.id else []

    def _is_known(self, track: Track) -> bool:
        """Whether enough has been seen of it to find it again."""
        return track.apart >= self._rule.settle and bool(track.seen_as)

    def _is_young(self, track: Track) -> bool:
        """Whether it is likely to be an object, and is not reported yet."""
        is_settled = track.is_settled(self._rule.settle, self._rule.travel)
        return self._rule.frames <= track.seen == len(track.path) and not is_settled

    def _confirm(self, moment: Moment, *, whole: bool) -> None:
        """Count the tracks that are seen by themselves in this frame, and give ids to those that have been seen often enough.

        Args:
            moment: The frame.
            whole: Whether each box is a whole object.
        """
        shown = [track for track in self._tracks if track.last == moment]
        for track in shown:
            is_part = any(may_be_part(track.place, other.place) for other in shown if other is not track)
            track.apart += whole or not is_part
        for track in self._tracks:
            if not track.id and track.seen >= self._rule.frames:
                track.id = next(self._ids)

    def _begin(self, moment: Moment, place: CenterBox, detection: Detection) -> Track:
        track = Track(place, moment, moment, moment)
        track.show(moment, place, detection.prediction.label)
        track.vote(detection)
        self._tracks.append(track)
        return track


def _correct_group(tracks: Sequence[Track], moment: Moment, seen: CenterBox) -> None:
    """Correct tracks that share a box by its sides. Those hidden behind the first one count as not seen."""
    expected = [track.place for track in tracks]
    for track, place in zip(tracks, expected, strict=True):
        track.shift(moment, off_sides(place, seen, expected))
        if track is tracks[0] or share(place, expected[0]) < PART:
            track.show(moment)
