"""One track: where a moving object is, how it moves, and what it is called."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edgecls.events.center_box import CenterBox, off_visible, union
from edgecls.events.hidden import STILL_WIDTHS, Hiding, Seen
from edgecls.model.confidence import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.event import Moment
    from edgecls.frame import Detection

ALPHA, BETA = 0.6, 0.3
"""Gains of the alpha-beta filter: how far a new box corrects the predicted position, and the speed."""
SIZE_GAIN = 0.3
"""How far a new box corrects the size of a confirmed track: low, because arms, legs and shadows come and go."""
FAIR_SHARE = 0.25
"""A track whose label is said by a smaller share of its frames is unknown."""

PARTLY = 0.7
"""Of an object that is seen narrower than this share of its width, a part is hidden, for example behind a pole."""
CLOSE = 0.25
"""Its visible side is at most this many widths away from where it was predicted."""
PASSING = 0.6
"""Only what moves this many widths a second passes behind something. What slows down and shrinks turns or is absorbed."""
WIDTH_GAIN = 0.1
"""How far a box corrects the usual width, which must not follow what disappears slowly."""
HIDDEN_S = 1.0
"""After being narrower for so many seconds, an object has become narrower."""
KNOWN_FRAMES = 8
"""The width of an object is known after so many frames."""
KEPT_BOXES = 100
"""So many boxes of a track are kept, to tell where it disappears."""


class Step(NamedTuple):
    """One track in one frame: its filtered box; if it had boxes of its own, the box around them and their label; and whether it
    has turned out to be farther back than it was thought to be.
    """

    moment: Moment
    place: CenterBox
    box: CenterBox | None = None
    label: str = ""
    is_back: bool = False


@dataclass(slots=True, eq=False)
class Track:
    """One moving object.

    Attributes:
        place: Its predicted box, in pixels.
        first: The first frame that showed it.
        last: The last frame that showed it.
        whole: The last frame in which it had a single box of its own.
        id: 0 until the track is confirmed.
        seen: The number of frames that showed it.
        apart: The number of frames that showed it by itself, not as what may be a part of a larger one.
        origin: Its box in the first frame.
        travelled: How far it has been from there, as a share of its size.
        speed: Along x and y, in pixels per second.
        width: Its usual width when nothing is hidden, in pixels.
        path: Its steps since the last `take_path`.
        votes: The sum of the scores of each label.
        voters: The number of frames with each label.
        seen_as: Its last boxes, as they were seen.
        behind: From where to where reaches what it has passed behind, along x.
    """

    place: CenterBox
    first: Moment
    last: Moment
    whole: Moment
    id: int = 0
    seen: int = 0
    apart: int = 0
    origin: CenterBox | None = None
    travelled: float = 0.0
    speed: tuple[float, float] = (0.0, 0.0)
    width: float = 0.0
    path: list[Step] = field(default_factory=list)
    votes: dict[str, float] = field(default_factory=dict)
    voters: Counter[str] = field(default_factory=Counter)
    seen_as: list[Seen] = field(default_factory=list)
    behind: tuple[float, float] = (-math.inf, math.inf)

    def label(self, leaving_out: Sequence[str] = ()) -> str:
        """Return the label with the most votes, weighted by score, if at least FAIR_SHARE of the frames say so; else "unknown".

        Frames that say a label of `leaving_out` do not count.
        """
        frames = {label: count for label, count in self.voters.items() if label not in leaving_out}
        best = max(frames.keys() - {UNKNOWN}, key=lambda label: (self.votes[label], label), default=UNKNOWN)
        return best if frames.get(best, 0) >= FAIR_SHARE * sum(frames.values()) else UNKNOWN

    def score(self, label: str) -> float:
        """Return the mean score (0..1) of the frames with this label."""
        return self.votes.get(label, 0.0) / max(1, self.voters[label])

    def is_settled(self, frames: int, travel: float) -> bool:
        """Whether it is certainly an object: seen by itself in `frames` frames, and moved by `travel` times its size."""
        return self.apart >= frames and self.travelled >= travel

    @property
    def is_alone(self) -> bool:
        """Whether it was last seen in a box of its own."""
        return bool(self.seen_as) and self.seen_as[-1].time_s == self.last.time_s

    def take_path(self) -> list[Step]:
        """Return its steps since the last call."""
        path, self.path = self.path, []
        return path

    def expect(self, passed_s: float) -> None:
        """Predict its box `passed_s` seconds later."""
        x, y, width, height = self.place
        self.place = CenterBox(x + self.speed[0] * passed_s, y + self.speed[1] * passed_s, width, height)

    def correct(self, moment: Moment, seen: Sequence[CenterBox], label: str) -> None:
        """Correct the predicted box by the observed one, whose parts are `seen`, and record its label.

        While it passes behind something, it is corrected by its visible side and keeps its width.
        """
        box, expected = union(seen), self.place
        gain = SIZE_GAIN if self.id else ALPHA
        height = expected.height + gain * (box.height - expected.height)
        if self._is_passing(moment, box):
            expected = expected._replace(width=self.width)
            self.shift(moment, (off_visible(expected, box), box.y - expected.y))
            self.place = self.place._replace(width=self.width, height=height)
        else:
            self.shift(moment, (box.x - expected.x, box.y - expected.y))
            self.place = self.place._replace(width=expected.width + gain * (box.width - expected.width), height=height)
            is_new = self.seen < KNOWN_FRAMES or moment.time_s - self.whole.time_s > HIDDEN_S
            self.width += (1.0 if is_new else WIDTH_GAIN) * (box.width - self.width)
            if len(seen) == 1 or self._is_beside(seen):
                self.whole = moment
        self.show(moment, box, label)

    def _is_beside(self, seen: Sequence[CenterBox]) -> bool:
        """Whether it is seen in parts on both sides of what hides it."""
        sides = sorted(seen)
        return max(self._off_behind(sides[0])[0], self._off_behind(sides[-1])[1]) <= STILL_WIDTHS * self.width

    def _off_behind(self, box: CenterBox) -> tuple[float, float]:
        """Return how far a box on the left and one on the right is from what hides it."""
        return abs(self.behind[0] - box.reach(0, 1)), abs(self.behind[1] + box.reach(0, -1))

    def _is_passing(self, moment: Moment, box: CenterBox) -> bool:
        """Whether the observed box shows only a part of it, because it passes behind something."""
        width = self.width
        is_partly = box.width < PARTLY * width
        is_low = box.height < PARTLY * self.place.height  # what is smaller in both directions breaks up, or is absorbed
        if not self.id or self.seen < KNOWN_FRAMES or not is_partly or is_low:
            return False
        moves_on = (
            moment.time_s - self.whole.time_s <= HIDDEN_S
            and abs(self.speed[0]) >= PASSING * width
            and abs(off_visible(self.place._replace(width=width), box)) <= CLOSE * width
        )
        return moves_on or min(self._off_behind(box)) <= STILL_WIDTHS * width

    def go_on(self, young: Track, hidden: Hiding | None) -> None:
        """Go on as a young track: this object beside or behind what has hidden it; None if it leaves a box that it shared."""
        if hidden is None:
            self._leave_group(young)
        else:
            first = young.seen_as[0].box
            sides = sorted((hidden.sign * hidden.at, first.x - hidden.sign * first.width / 2))
            self.behind = sides[0], sides[1]
            if self.last == young.last:
                self._show_both(young)
            else:
                self._come_out(young, hidden)
        self.place = self.path[-1].place
        self.seen += young.seen
        self.apart += young.seen
        for label, votes in young.votes.items():
            self.votes[label] = self.votes.get(label, 0.0) + votes
        self.voters += young.voters

    def _show_both(self, young: Track) -> None:
        """Take the young track for its other part."""
        place = union([self.seen_as[-1].box, young.seen_as[-1].box])
        self.path[-1] = Step(self.last, place, place, young.path[-1].label)
        self.seen_as[-1] = Seen(self.last.time_s, place)
        self.width = place.width

    def _come_out(self, young: Track, hidden: Hiding) -> None:
        """Go on as the young track, of which a part may still be hidden."""
        width = max(self.width, young.width)
        self.path += [step._replace(place=step.place.widened(width, hidden.sign)) for step in young.path]
        self.width, self.speed = width, (hidden.sign * hidden.speed, young.speed[1])
        self.seen_as, self.last, self.whole = young.seen_as, young.last, young.last

    def _leave_group(self, young: Track) -> None:
        """Go on as the young track, from where that is now."""
        is_back = (young.place.x - self.place.x) * self.speed[0] < 0
        known = len(self.path) - (self.last == young.last)
        self.path[known:] = [step for step in young.path if step.moment.frame > self.last.frame] or young.path[-1:]
        self.path[known] = self.path[known]._replace(is_back=is_back)
        self.width, self.speed = young.width, young.speed
        self.seen_as, self.last, self.whole = young.seen_as, young.last, young.last

    def shift(self, moment: Moment, off: tuple[float, float]) -> None:
        """Correct the predicted position and the speed by a share of the error `off`. The first step sets the speed directly,
        as there is nothing to smooth yet.
        """
        passed_s = moment.time_s - self.last.time_s
        alpha, beta = (1.0, 1.0) if self.seen == 1 else (ALPHA, BETA)
        if passed_s > 0:
            self.speed = (self.speed[0] + beta * off[0] / passed_s, self.speed[1] + beta * off[1] / passed_s)
        self.place = self.place.at(self.place.x + alpha * off[0], self.place.y + alpha * off[1])

    def show(self, moment: Moment, box: CenterBox | None = None, label: str = "") -> None:
        """Record that a frame shows it, with its own box and label if it has one."""
        self.last = moment
        self.seen += 1
        self.path.append(Step(moment, self.place, box, label))
        if box is not None:
            self.seen_as = [*self.seen_as[1 - KEPT_BOXES :], Seen(moment.time_s, box)]
        self.origin = self.origin or self.place
        away = math.hypot(self.place.x - self.origin.x, self.place.y - self.origin.y)
        self.travelled = max(self.travelled, away / math.sqrt(self.place.area))

    def vote(self, detection: Detection) -> None:
        """Count the label of its box in a frame."""
        prediction = detection.prediction
        self.votes[prediction.label] = self.votes.get(prediction.label, 0.0) + prediction.score
        self.voters[prediction.label] += 1
