"""The first days of a camera, and how far a later window is from them.

A slot is compared with the slots of the reference that are nearest in time of day and in light. So neither night, nor dusk, nor
the traffic of the morning is a change. How much such windows differ among themselves is found by leaving out one day after
another: what the reference itself shows, such as rain, is usual. That is a control chart (Shewhart 1931) whose limits come from
the process itself.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.drift.distances import jensen_shannon, jensen_shannon_by_chance, wasserstein, wasserstein_by_chance
from edgecls.drift.settings import SLOT_H
from edgecls.drift.slots import DAY_S, LABELS, LEAST_LABELS, OF_PICTURE, SCALES, Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Key = tuple[str, str]
    Array = NDArray[np.float64]

NEAREST = 8
"""How many slots of the reference a slot is compared with."""
HOURS, STOPS = 1.0, 0.5
"""So many hours count as much as so many stops when the nearest slots are chosen."""
SEASON_H = 3.0
"""Brightness is compared with the most similar slot within this time: sunset moves by two hours in two months."""
LONGEST_H = 12.0
"""The longest window."""
FEWEST_LOOKS = 6
"""The fewest pictures in a window."""
MOST_DISTANCES = 512
"""For how many slots the distances are kept; those of the last twelve hours are used again and again."""
STEP = 2
"""The distances within the reference are computed for each second slot."""


class Change(NamedTuple):
    """How far a window is from the reference, and from which distance on that is a change; above 0 both."""

    region: str
    what: str
    distance: float
    limit: float
    is_up: bool

    @property
    def ratio(self) -> float:
        """From 1 on it is a change."""
        return self.distance / self.limit


class Reference:
    """The slots that later ones are compared with."""

    def __init__(self, slots: Sequence[Slot], *, window_h: float, fewest: int, tolerance: float) -> None:
        """Prepare the comparison with `slots`, in order, at least one. For the others see `DriftSettings`."""
        self.slots = list(slots)
        self._window, self._fewest, self._tolerance = max(1, round(window_h / SLOT_H)), fewest, tolerance
        self._hours = np.array([slot.hour for slot in self.slots])
        self._lights = np.array([_light(slot) for slot in self.slots])
        self._blocks = _blocks(self.slots)
        self._distances: dict[float, tuple[Array, Array, Array]] = {}
        self._labels: dict[str, list[str]] = {}
        self._tables = {key: self._table(key) for key in sorted({key for slot in self.slots for key in slot.counts})}

    def changes(self, recent: Sequence[Slot]) -> list[Change]:
        """Compare the last slots with the reference. Returns all comparisons for which there are enough observations."""
        found = []
        for key in self._tables:
            window = self._last(recent, key)
            measured = window and self._measure(window, key)
            if measured:
                distance, by_chance, is_up = measured
                limit = max(_least(key[1]), self._tolerance * self._usual.get(key, 0.0), by_chance)
                found.append(Change(*key, distance, limit, is_up))
        return found

    @cached_property
    def _usual(self) -> dict[Key, float]:
        """The largest distances within the reference."""
        usual: dict[Key, float] = {}
        for key in self._tables:
            for end in range(self._window, len(self.slots) + 1, STEP):
                window = self._last(self.slots[:end], key)
                measured = window and self._measure(window, key, without=int(self._blocks[end - 1]))
                if measured:
                    usual[key] = max(usual.get(key, 0.0), measured[0])
        return usual

    def _last(self, slots: Sequence[Slot], key: Key) -> list[Slot]:
        """Return the last slots that make a window, none if there are too few observations."""
        fewest, total, window = FEWEST_LOOKS if key[1] in OF_PICTURE else self._fewest, 0, []
        for slot in reversed(slots[-round(LONGEST_H / SLOT_H) :]):
            window.append(slot)
            total += slot.total(key)
            if len(window) >= self._window and total >= fewest:
                return window
        return []

    def _measure(self, window: list[Slot], key: Key, *, without: int = -1) -> tuple[float, float, bool] | None:
        """Return the distance of a window, that by chance alone, and whether values are higher than usual."""
        what, table = key[1], self._tables[key]
        allowed = (self._blocks != without) & (table.sum(axis=1) > 0)
        now = np.stack([self._row(slot, key, table.shape[1]) for slot in window])
        if not allowed.any():
            return None
        nearest = [self._nearest(slot, allowed, what) for slot in window]
        usual = np.stack([table[places].sum(axis=0) for places in nearest])
        shares = usual / usual.sum(axis=1, keepdims=True)
        expected, sample = (now.sum(axis=1, keepdims=True) * shares).sum(axis=0), now.sum(axis=0)
        of_now, of_usual = float(sample.sum()), float(table[np.unique(np.concatenate(nearest))].sum())
        if what == LABELS:
            labels = int(((sample > 0) | (expected > 0)).sum())
            return jensen_shannon(sample, expected), jensen_shannon_by_chance(labels, of_now, of_usual), True
        width, bins = SCALES[what].width, np.arange(table.shape[1])
        is_up = float(bins @ sample) > float(bins @ expected)
        by_chance = 0.0 if what in OF_PICTURE else wasserstein_by_chance(expected, width, of_now, of_usual)
        return wasserstein(sample, expected, width), by_chance, is_up

    def _nearest(self, slot: Slot, allowed: NDArray[np.bool_], what: str) -> NDArray[np.intp]:
        """Return the slots of the reference that a slot is compared with."""
        hours, lights, cost = self._apart(slot)
        if what == "brightness":
            close = np.flatnonzero(allowed & (hours <= SEASON_H))
            close = close if len(close) else np.flatnonzero(allowed)
            return close[[int(lights[close].argmin())]]
        places = np.flatnonzero(allowed)
        return places[np.argsort(cost[places], kind="stable")[:NEAREST]]

    def _apart(self, slot: Slot) -> tuple[Array, Array, Array]:
        """Return how far a slot is from each of the reference: in hours, in stops, and in both."""
        if slot.start_s not in self._distances:
            if len(self._distances) > MOST_DISTANCES:
                self._distances.clear()
            hours = np.abs((self._hours - slot.hour + 12) % 24 - 12)
            lights = np.abs(self._lights - _light(slot))
            lights[np.isnan(lights)] = 0.0
            self._distances[slot.start_s] = hours, lights, (hours / HOURS) ** 2 + (lights / STOPS) ** 2
        return self._distances[slot.start_s]

    def _table(self, key: Key) -> Array:
        """Return the counts of each slot, (slots, bins or labels). The last column is for labels that do not occur."""
        region, what = key
        if what == LABELS:
            self._labels[region] = sorted({label for slot in self.slots for label in slot.counts.get(key, ())})
        bins = len(self._labels[region]) + 1 if what == LABELS else SCALES[what].bins
        return np.stack([self._row(slot, key, bins) for slot in self.slots])

    def _row(self, slot: Slot, key: Key, bins: int) -> Array:
        row = np.zeros(bins)
        for name, n in slot.counts.get(key, {}).items():
            row[self._place(key, name)] += n
        return row

    def _place(self, key: Key, name: str) -> int:
        if key[1] != LABELS:
            return int(name)
        labels = self._labels[key[0]]
        return labels.index(name) if name in labels else len(labels)


def _light(slot: Slot) -> float:
    return np.nan if slot.light is None else slot.light


def _least(what: str) -> float:
    return LEAST_LABELS if what == LABELS else SCALES[what].least


def _blocks(slots: Sequence[Slot]) -> NDArray[np.int64]:
    """Return the day of each slot, counted from the first; of a reference that is not longer than a day, the hour."""
    passed_s = np.array([slot.start_s - slots[0].start_s for slot in slots])
    return (passed_s // (DAY_S if passed_s[-1] >= DAY_S else 3600)).astype(np.int64)
