"""Choose the pictures of a camera that are worth a label, while they come.

A day of one camera has a million pictures and a person labels some hundred. Three kinds are worth it:

- Random ones, at a steady rate: without them nobody knows how often the model is wrong, and what is usual is forgotten.
- Doubtful ones: the model is unsure, or calls them unknown (uncertainty sampling, Lewis and Gale 1994).
- Those unlike what is kept: each kept picture should add something (farthest-first traversal, Gonzalez 1985).

An hour may take only a share of the day's pictures. Once it is full, a better picture replaces the worst one of this hour, so
neither the morning nor a broken lamp takes the whole day. Once the day is full, an hour with fewer pictures takes the place of
the worst one of the fullest hour. The worst one is that of which most is known: it is like others, and the model is sure of it.
An event gives one picture.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from edgecls.collect.likeness import UNRELATED, Likeness, Look, Nearest, bits_between
from edgecls.settings import check_limits, limited

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

HOUR_S, DAY_S = 3600.0, 86_400.0
HOURS = 24
BURST = 3.0
"""An hour may take this many times its even share, so that a camera of a shop that is closed at night fills its day too."""
DOUBT_BITS = 24
"""A picture of which the model knows nothing counts as this many bits more unlike the others than one of which it is sure."""
BETTER_BITS = 1.0
"""A picture takes the place of another one only if it is worth this many bits more, so that not every one is written."""
REMEMBERED_EVENTS = 2000
Reason = Literal["random", "unknown", "doubtful", "new"]


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """Which pictures are kept of each camera.

    Attributes:
        per_day: The most pictures of a camera in a day.
        random: The share of them that is chosen at random times, 0..1.
        doubtful: A picture whose score is below this is doubtful, 0..1.
        unlike: A picture is new if it differs from each one that is kept in at least this many of the 64 bits of a perceptual
            hash, or as much by its embedding.
        apart_s: Seconds between two pictures of the same region without an event.
    """

    per_day: int = limited(200, at_least=1)
    random: float = limited(0.2, at_least=0, at_most=1)
    doubtful: float = limited(0.7, at_least=0, at_most=1)
    unlike: int = limited(12, at_least=1, at_most=UNRELATED)
    apart_s: float = limited(10.0, at_least=0, unit="seconds")

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)

    @property
    def per_hour(self) -> int:
        """The most chosen pictures of a camera in an hour, without the random ones."""
        return max(1, round(BURST * self.per_day * (1 - self.random) / HOURS))

    @property
    def random_every_s(self) -> float:
        """Seconds between two random pictures, on average; infinite without any."""
        return DAY_S / (self.per_day * self.random) if self.random else float("inf")


class Candidate(NamedTuple):
    """A picture that a run sees, before anything is done with its pixels.

    Attributes:
        subject: What it shows: an event, or a region. Of one event a single picture is kept.
        at_s: When, in seconds.
        score: How sure the model is, 0..1; None: there is no model.
        is_unknown: Whether the model calls it unknown.
        is_event: Whether `subject` is an event, not a region that is seen again and again.
    """

    subject: str
    at_s: float
    score: float | None = None
    is_unknown: bool = False
    is_event: bool = False


class Choice(NamedTuple):
    """That a picture is kept: why, and the number of the one that it replaces, None for none."""

    reason: Reason
    replaces: int | None = None


@dataclass(slots=True)
class _Kept:
    """A picture that was chosen today, and the one that is most like it."""

    number: int
    look: Look
    doubt: float
    nearest: Nearest

    @property
    def worth(self) -> float:
        """How much would be lost with it, in bits."""
        return self.nearest.bits + DOUBT_BITS * self.doubt


class Selection:
    """The choice of one camera. `may_be_worth` needs no pixels and may be asked by another thread than the other methods.

    Example:
        look = Look(image.perceptual_hash(crop))
        if selection.may_be_worth(candidate) and (choice := selection.choose(candidate, look)):
            selection.keep(candidate, store.add(crop), look, choice)
    """

    def __init__(self, settings: SelectionSettings, rng: np.random.Generator) -> None:
        """Start without pictures.

        Args:
            settings: Which pictures are kept.
            rng: Draws the times of the random pictures.
        """
        self._settings = settings
        self._rng = rng
        self._day = -1
        self._hour = -1
        self._earlier: Counter[int] = Counter()  # pictures of other runs, by their day
        self._fixed = 0  # random pictures of today, and those of other runs
        self._hours: dict[int, list[_Kept]] = {}  # what was chosen today, without the random ones
        self._next_random_s: float | None = None
        self._likeness = Likeness()
        self._looked_s: OrderedDict[str, float] = OrderedDict()  # when a subject was looked at
        self._events: OrderedDict[str, None] = OrderedDict()  # those that gave a picture

    def remember(self, number: int, look: Look, at_s: float | None = None) -> None:
        """Add a picture that an earlier run kept, so that nothing like it is kept again.

        Args:
            number: Its number in the store.
            look: What it looks like.
            at_s: When it was taken. It counts as one of the pictures of that day.
        """
        self._likeness.add(number, look)
        if at_s is not None:
            self._earlier[int(at_s // DAY_S)] += 1

    def may_be_worth(self, candidate: Candidate) -> bool:
        """Whether to look at the pixels of a picture: those of a region are looked at every `apart_s` seconds."""
        looked_s = self._looked_s.get(candidate.subject)
        if looked_s is not None and (candidate.is_event or 0 <= candidate.at_s - looked_s < self._settings.apart_s):
            return False
        self._looked_s[candidate.subject] = candidate.at_s
        self._looked_s.move_to_end(candidate.subject)
        _shorten(self._looked_s)
        return True

    def choose(self, candidate: Candidate, look: Look) -> Choice | None:
        """Decide whether to keep a picture.

        Args:
            candidate: The picture.
            look: What it looks like.

        Returns:
            The choice, or None: it is like one that is kept, or the day or the hour has better ones.
        """
        self._begin(candidate.at_s)
        if candidate.is_event and candidate.subject in self._events:
            return None
        hour = self._hours[self._hour]
        today = self._fixed + sum(map(len, self._hours.values()))
        if candidate.at_s >= (self._next_random_s or 0.0):
            if today < self._settings.per_day:
                return Choice("random")
            fullest = self._fullest()
            return Choice("random", min(fullest, key=_worth).number) if fullest else None
        if self._likeness.nearest(look).bits < self._settings.unlike:
            return None
        reason = _reason(candidate, self._settings.doubtful)
        if len(hour) < self._settings.per_hour and today < self._settings.per_day:
            return Choice(reason)
        fullest = hour if len(hour) >= self._settings.per_hour else self._fullest()
        if not fullest:
            return None
        worst = min(fullest, key=_worth)
        worth = self._likeness.nearest(look, without=worst.number).bits + DOUBT_BITS * _doubt(candidate)
        is_better = worth >= worst.worth + BETTER_BITS or len(fullest) > len(hour) + 1
        return Choice(reason, worst.number) if is_better else None

    def keep(self, candidate: Candidate, number: int, look: Look, choice: Choice) -> None:
        """Record that a picture was stored with this number."""
        if candidate.is_event:
            self._events[candidate.subject] = None
            _shorten(self._events)
        if choice.replaces is not None:
            self._forget(choice.replaces)
        kept = _Kept(number, look, _doubt(candidate), self._likeness.nearest(look))
        for other in self._chosen():
            distance = bits_between(other.look, look)
            if distance < other.nearest.bits:
                other.nearest = Nearest(number, distance)
        self._likeness.add(number, look)
        if choice.reason == "random":
            self._fixed += 1
            self._next_random_s = candidate.at_s + self._wait_s()
        else:
            self._hours[self._hour].append(kept)

    def _begin(self, at_s: float) -> None:
        """Begin another hour and another day, if it is time."""
        if int(at_s // DAY_S) != self._day:
            self._day = int(at_s // DAY_S)
            self._fixed = self._earlier[self._day]
            self._hours = {}
        self._hour = int(at_s // HOUR_S)
        self._hours.setdefault(self._hour, [])
        if self._next_random_s is None:
            self._next_random_s = at_s + self._wait_s()

    def _wait_s(self) -> float:
        """Draw the seconds until the next random picture, so that no rhythm of the scene can meet it (a Poisson process)."""
        every_s = self._settings.random_every_s
        return float(self._rng.exponential(every_s)) if every_s < float("inf") else every_s

    def _chosen(self) -> Iterator[_Kept]:
        return (kept for hour in self._hours.values() for kept in hour)

    def _fullest(self) -> list[_Kept]:
        """Return what was chosen in the hour of today with most pictures."""
        return max(self._hours.values(), key=len)

    def _forget(self, number: int) -> None:
        """Forget a picture that another one replaces, and find out again what those are like that were most like it."""
        self._likeness.drop(number)
        for hour in self._hours.values():
            hour[:] = [kept for kept in hour if kept.number != number]
        for kept in self._chosen():
            if kept.nearest.number == number:
                kept.nearest = self._likeness.nearest(kept.look, without=kept.number)


def _worth(kept: _Kept) -> float:
    return kept.worth


def _doubt(candidate: Candidate) -> float:
    return 1.0 if candidate.is_unknown else 1 - (1.0 if candidate.score is None else candidate.score)


def _reason(candidate: Candidate, doubtful: float) -> Reason:
    if candidate.is_unknown:
        return "unknown"
    return "doubtful" if candidate.score is not None and candidate.score < doubtful else "new"


def _shorten(remembered: OrderedDict[str, Any]) -> None:
    """Forget the oldest, beyond what is remembered."""
    while len(remembered) > REMEMBERED_EVENTS:
        remembered.popitem(last=False)
