"""What a camera showed in a quarter of an hour, as counts: small enough to keep for days."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.frame import WHOLE_FRAME

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS = "labels"
DAY_S = 86_400.0


class Scale(NamedTuple):
    """The bins of a number from 0 to `most`: how many there are, and the least change that can be drift."""

    most: float
    bins: int
    least: float

    @property
    def width(self) -> float:
        """The width of a bin."""
        return self.most / self.bins

    def bin_of(self, value: float) -> int:
        """Return the bin of a value; those beyond the scale count as its ends."""
        return min(self.bins - 1, max(0, int(value / self.width)))


LEAST_LABELS = 0.25
"""The least Jensen-Shannon distance that can be drift: one observation of eight with a label that did not occur before."""
SCALES = {
    "score": Scale(1.0, 40, 0.08),
    "unknown": Scale(1.0, 2, 0.08),
    "novelty": Scale(4.0, 64, 0.12),
    "brightness": Scale(8.0, 64, 1.0),
    "sharpness": Scale(1.0, 50, 0.08),
    "scene": Scale(1.0, 20, 0.3),
}
"""What is counted besides labels. Brightness is in stops: one more is twice the light."""
OF_PICTURE = ("brightness", "sharpness", "scene")


class Look(NamedTuple):
    """A picture as a whole.

    Attributes:
        brightness: Its mean level in stops, 0..8.
        sharpness: How steep its edges are, 0..1; None if it has none.
        scene: The share of it that looks as in the reference, 0..1; None if that cannot be told.
    """

    brightness: float
    sharpness: float | None = None
    scene: float | None = None


class Seen(NamedTuple):
    """One independent observation of a region: an object that has passed, or a minute of a zone.

    Attributes:
        region: The name of the region.
        label: Its label, perhaps "unknown".
        score: 0..1.
        unknown: Whether it is of no class.
        novelty: Its distance from the training pictures; None if the model does not compute it.
    """

    region: str
    label: str
    score: float
    unknown: bool = False
    novelty: float | None = None


@dataclass(slots=True)
class Slot:
    """The counts of one slot, which begins at `start_s`, by region and what is counted."""

    start_s: float
    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def look(self, look: Look) -> None:
        """Count a picture."""
        for what, value in look._asdict().items():
            if value is not None:
                self._count(WHOLE_FRAME, what, value)

    def seen(self, seen: Seen) -> None:
        """Count an observation of a region."""
        self.counts.setdefault((seen.region, LABELS), Counter())[seen.label] += 1
        self._count(seen.region, "score", seen.score)
        self._count(seen.region, "unknown", float(seen.unknown))
        if seen.novelty is not None:
            self._count(seen.region, "novelty", seen.novelty)

    def _count(self, region: str, what: str, value: float) -> None:
        self.counts.setdefault((region, what), Counter())[str(SCALES[what].bin_of(value))] += 1

    def total(self, key: tuple[str, str]) -> int:
        """Return how often something was counted."""
        return self.counts[key].total() if key in self.counts else 0

    @property
    def hour(self) -> float:
        """The time of day when it begins, in hours, of UTC."""
        return self.start_s % DAY_S / 3600

    @property
    def light(self) -> float | None:
        """The mean brightness, in stops; None without a picture."""
        counts = self.counts.get((WHOLE_FRAME, "brightness"))
        if not counts:
            return None
        return sum((int(place) + 0.5) * n for place, n in counts.items()) * SCALES["brightness"].width / counts.total()

    def to_record(self) -> list[Any]:
        """Return it as plain values."""
        return [self.start_s, [[*key, dict(counts)] for key, counts in self.counts.items()]]

    @staticmethod
    def from_record(record: list[Any]) -> Slot:
        """Return the slot of a record. Raises ValueError, TypeError or KeyError if it is none."""
        start_s, found = record
        counts = {(str(region), str(what)): _counter(one, what) for region, what, one in found}
        return Slot(float(start_s), counts)


def _counter(counts: Mapping[str, int], what: str) -> Counter[str]:
    bins = None if what == LABELS else SCALES[what].bins
    if any(type(n) is not int or n < 1 or not (bins is None or 0 <= int(place) < bins) for place, n in counts.items()):
        raise ValueError(f"wrong counts of {what}")
    return Counter(counts)
