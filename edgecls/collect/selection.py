"""Choose the pictures of a camera that are worth a label, while they come.

A day of one camera has a million pictures and a person labels some hundred. Three kinds are worth it:

- Random ones, at a steady rate: without them nobody knows how often the model is wrong, and what is usual is forgotten.
- Doubtful ones: the model is unsure, or calls them unknown (uncertainty sampling, Lewis and Gale 1994).
- Those unlike what is kept: each kept picture should add something (farthest-first traversal, Gonzalez 1985).

An hour may take only a share of the day's pictures. Once it is full, a better picture replaces the worst one of this hour, so
neither the morning nor a broken lamp takes the whole day. An event gives one picture.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from edgecls.settings import check_limits, limited

if TYPE_CHECKING:
    import numpy as np

HOUR_S, DAY_S = 3600.0, 86_400.0
HOURS = 24
BURST = 3.0
"""An hour may take this many times its even share, so that a camera of a shop that is closed at night fills its day too."""
BITS = 64
UNRELATED = BITS // 2
"""The hashes of unrelated pictures differ in half of their bits."""
DOUBT_BITS = 24
"""A picture of which the model knows nothing counts as this many bits more unlike the others than one of which it is sure."""
REMEMBERED = 2000
"""Pictures of a camera, and events, that are remembered."""
Reason = Literal["random", "unknown", "doubtful", "new"]


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """Which pictures are kept of each camera.

    Attributes:
        per_day: The most pictures of a camera in a day.
        random: The share of them that is chosen at random times, 0..1.
        doubtful: A picture whose score is below this is doubtful, 0..1.
        unlike: A picture is new if its perceptual hash differs in at least this many of 64 bits from each one that is kept.
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


class _Kept(NamedTuple):
    number: int
    worth: float


@dataclass(slots=True)
class _Hour:
    """What was chosen in an hour, without the random ones."""

    index: int
    kept: list[_Kept] = field(default_factory=list)


class Selection:
    """The choice of one camera. `may_be_worth` needs no pixels and may be asked by another thread than the other methods.

    Example:
        if selection.may_be_worth(candidate) and (choice := selection.choose(candidate, image.perceptual_hash(crop))):
            selection.keep(candidate, store.add(crop), image.perceptual_hash(crop), choice)
    """

    def __init__(self, settings: SelectionSettings, rng: np.random.Generator) -> None:
        """Start without pictures.

        Args:
            settings: Which pictures are kept.
            rng: Draws the times of the random pictures.
        """
        self._settings = settings
        self._rng = rng
        self._hour = _Hour(-1)
        self._day = -1
        self._today = 0
        self._next_random_s: float | None = None
        self._hashes: OrderedDict[int, int] = OrderedDict()  # of kept pictures, by their number
        self._looked_s: OrderedDict[str, float] = OrderedDict()  # when a subject was looked at
        self._events: OrderedDict[str, None] = OrderedDict()  # those that gave a picture

    def remember(self, number: int, hash_bits: int) -> None:
        """Add a picture that was kept before, so that nothing like it is kept again."""
        self._hashes[number] = hash_bits
        _shorten(self._hashes)

    def may_be_worth(self, candidate: Candidate) -> bool:
        """Whether to look at the pixels of a picture: those of a region are looked at every `apart_s` seconds."""
        looked_s = self._looked_s.get(candidate.subject)
        if looked_s is not None and (candidate.is_event or 0 <= candidate.at_s - looked_s < self._settings.apart_s):
            return False
        self._looked_s[candidate.subject] = candidate.at_s
        self._looked_s.move_to_end(candidate.subject)
        _shorten(self._looked_s)
        return True

    def choose(self, candidate: Candidate, hash_bits: int) -> Choice | None:
        """Decide whether to keep a picture.

        Args:
            candidate: The picture.
            hash_bits: Its perceptual hash.

        Returns:
            The choice, or None: it is like one that is kept, or the day or the hour has better ones.
        """
        self._begin(candidate.at_s)
        if candidate.is_event and candidate.subject in self._events:
            return None
        if candidate.at_s >= (self._next_random_s or 0.0):
            return Choice("random") if self._today < self._settings.per_day else None
        distance = self._distance(hash_bits)
        if distance < self._settings.unlike:
            return None
        reason = _reason(candidate, self._settings.doubtful)
        hour = self._hour.kept
        if len(hour) < self._settings.per_hour and self._today < self._settings.per_day:
            return Choice(reason)
        worst = min(hour, key=lambda kept: kept.worth, default=None)
        if worst is None or _worth(candidate, distance) <= worst.worth:
            return None
        return Choice(reason, worst.number)

    def keep(self, candidate: Candidate, number: int, hash_bits: int, choice: Choice) -> None:
        """Record that a picture was stored with this number."""
        if candidate.is_event:
            self._events[candidate.subject] = None
            _shorten(self._events)
        worth = _worth(candidate, self._distance(hash_bits))
        if choice.replaces is None:
            self._today += 1
        else:
            self._hour.kept = [kept for kept in self._hour.kept if kept.number != choice.replaces]
            self._hashes.pop(choice.replaces, None)
        if choice.reason == "random":
            self._next_random_s = candidate.at_s + self._wait_s()
        else:
            self._hour.kept.append(_Kept(number, worth))
        self.remember(number, hash_bits)

    def _begin(self, at_s: float) -> None:
        """Begin another hour and another day, if it is time."""
        if int(at_s // DAY_S) != self._day:
            self._day, self._today = int(at_s // DAY_S), 0
        if int(at_s // HOUR_S) != self._hour.index:
            self._hour = _Hour(int(at_s // HOUR_S))
        if self._next_random_s is None:
            self._next_random_s = at_s + self._wait_s()

    def _wait_s(self) -> float:
        """Draw the seconds until the next random picture, so that no rhythm of the scene can meet it (a Poisson process)."""
        every_s = self._settings.random_every_s
        return float(self._rng.exponential(every_s)) if every_s < float("inf") else every_s

    def _distance(self, hash_bits: int) -> int:
        """Return in how many bits a picture differs from the most similar one that is kept, at most those of unrelated ones."""
        return min(((hash_bits ^ kept).bit_count() for kept in self._hashes.values()), default=UNRELATED)


def _worth(candidate: Candidate, distance: int) -> float:
    doubt = 1.0 if candidate.is_unknown else 1 - (1.0 if candidate.score is None else candidate.score)
    return distance + DOUBT_BITS * doubt


def _reason(candidate: Candidate, doubtful: float) -> Reason:
    if candidate.is_unknown:
        return "unknown"
    return "doubtful" if candidate.score is not None and candidate.score < doubtful else "new"


def _shorten(remembered: OrderedDict[Any, Any]) -> None:
    """Forget the oldest, beyond what is remembered."""
    while len(remembered) > REMEMBERED:
        remembered.popitem(last=False)
