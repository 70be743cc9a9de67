"""Detect the drift of one camera from observations, by their own clock, so that a week can be simulated in a second.

The first days are the reference. At the end of each slot the last hour is compared with it (see `reference`). A change that two
slots in a row show is drift; it has ended when there was none for six hours, so that one drift is one event, and the night,
when little passes, does not end it. Pictures that are less sharp while labels are as sure as ever must last for six hours: that
is mostly weather. A camera has one drift at a time, as a dirty
lens changes scores and labels too: its cause is the first in `CAUSES` that fits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.drift.distances import wasserstein
from edgecls.drift.history import DriftState, History, Hour
from edgecls.drift.reference import LONGEST_H, Change, Reference
from edgecls.drift.settings import SLOT_H
from edgecls.drift.slots import SCALES, Slot
from edgecls.event import Event, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.drift.settings import DriftSettings
    from edgecls.drift.slots import Look, Seen

CAUSES = ("place", "lens", "light", "new objects", "label mix")
"""The likely causes, as the labels of events.

place         the camera sees another scene, as it was turned or moved
lens          its pictures are less sharp (or sharper): dirt, water, focus
light         they are darker or brighter than ever at this time of day
new objects   objects are less sure, more often unknown, or farther from the training pictures, in pictures that look as usual
label mix     known labels occur in other shares
"""
_OF_PICTURE = {"scene": "place", "sharpness": "lens", "brightness": "light"}
BEGINS, ENDS = 2, 24
"""How many slots in a row must show a change for drift to begin, and none for it to end."""
BEGINS_LENS = 24
"""How many slots in a row must be less sharp if nothing else has changed: rain and fog pass, dirt stays."""
BACK = 0.6
"""A change has ended when it is below this share of its limit."""
UNLIKE_TRAINING = 0.5
"""The distance of novelties from those of the training pictures that is drift without any reference, in units of the limit of
`unknown`. As much as if half of the pictures had become unknown."""
LONGEST_KEPT_S = LONGEST_H * 3600
SLOT_S = SLOT_H * 3600


class Saved(NamedTuple):
    """What is kept over restarts: the slots of the reference, the last ones, whether the reference is complete, and the hours
    of the last days.
    """

    reference: list[Slot]
    recent: list[Slot]
    is_learned: bool
    hours: tuple[Hour, ...] = ()


class CameraDrift:
    """Takes the observations of one camera in order, and returns the events that begin or end with them.

    Example:
        drift = CameraDrift(DriftSettings(), Event("drift", "gate", "", "", 0.0, Moment(0, 0.0)))
        for moment, label, score in log:
            events = drift.step(moment)
            drift.seen(Seen("motion", label, score))
    """

    def __init__(
        self, settings: DriftSettings, blank: Event, *, training: Sequence[float] = (), saved: Saved | None = None
    ) -> None:  # fmt: skip
        """Start with an empty reference, or the one that was `saved`.

        Args:
            settings: When a change is drift.
            blank: Has the camera and the model of the events.
            training: Quantiles of the novelty of the training pictures (`NoveltyLimit.quantiles`); empty if they are not known.
            saved: An earlier `saved`.
        """
        self._settings = settings
        self._blank = blank
        novelty = SCALES["novelty"]
        self._training = np.bincount([novelty.bin_of(x) for x in training], minlength=novelty.bins).astype(np.float64)
        self._slots, recent, self._is_learned, hours = saved or Saved([], [], is_learned=False)
        self._history = History(hours)
        self._recent = deque(recent, maxlen=round(LONGEST_H / SLOT_H))
        self._reference: Reference | None = None
        self._slot: Slot | None = None
        self._shows, self._is_more, self._calm = 0, 0, 0
        self._found: dict[tuple[str, str], Change] = {}  # the largest of each kind, since the first slot that showed one
        self._since: Moment | None = None
        self._event: Event | None = None
        self._last: Moment | None = None
        self.slots_done = 0
        """How many slots have ended; after each of them, `saved` is another."""
        self.changes: list[Change] = []
        """The last comparison with the reference."""

    @property
    def saved(self) -> Saved:
        """What to keep over a restart."""
        return Saved(self._slots, list(self._recent), is_learned=self._is_learned, hours=self._history.hours)

    @property
    def state(self) -> DriftState:
        """What is known at this moment. May be asked for by another thread."""
        slots, learn_h = self._slots, self._settings.learn_h
        learned_h = (slots[-1].start_s + SLOT_S - slots[0].start_s) / 3600 if slots else 0.0
        return DriftState(
            self._blank.camera, not self._is_learned, min(learned_h, learn_h), learn_h, self._event, self._history.hours
        )

    @property
    def is_learning(self) -> bool:
        """Whether the reference is still incomplete."""
        return not self._is_learned

    def look(self, look: Look) -> None:
        """Count a picture of the current slot. Call `step` first."""
        if self._slot is not None:
            self._slot.look(look)

    def seen(self, seen: Seen) -> None:
        """Count an observation of the current slot. Call `step` first."""
        if self._slot is not None:
            self._slot.seen(seen)

    def step(self, moment: Moment) -> list[Event]:
        """Advance the clock: seconds since 1970 of a live source, otherwise media time. Returns events that begin or end."""
        now_s, events = _clock(moment), []
        self._last = moment
        if self._slot is not None and now_s - self._slot.start_s >= SLOT_S:
            ended, self._slot = self._slot, None
            events = self._end_slot(ended, moment)
        if self._slot is None:
            self._slot = Slot(now_s // SLOT_S * SLOT_S)
        return events

    def close(self) -> list[Event]:
        """Finish. Drift that lasts ends with the last moment."""
        return [] if self._event is None or self._last is None else [self._ended(self._last)]

    def _end_slot(self, slot: Slot, moment: Moment) -> list[Event]:
        self.slots_done += 1
        if not slot.counts:
            return []
        while self._recent and slot.start_s - self._recent[0].start_s >= LONGEST_KEPT_S:
            self._recent.popleft()
        self._recent.append(slot)
        if not self._is_learned:
            self._slots.append(slot)
            self._is_learned = slot.start_s + SLOT_S - self._slots[0].start_s >= self._settings.learn_h * 3600
            if self._is_learned:
                self._recent.clear()
            self.changes = self._unlike_training()
        else:
            self.changes = [*self._compared().changes(list(self._recent)), *self._unlike_training()]
        self._history.add(slot.start_s, self.changes)
        return self._settle(moment)

    def _compared(self) -> Reference:
        if self._reference is None:
            rule = self._settings
            self._reference = Reference(
                self._slots, window_h=rule.window_h, fewest=rule.fewest, tolerance=rule.tolerance
            )  # fmt: skip
        return self._reference

    def _unlike_training(self) -> list[Change]:
        """Compare the last novelties of each region with those of the training pictures."""
        regions = {region for slot in self._recent for region, what in slot.counts if what == "novelty"}
        found = []
        for region in sorted(regions) if self._training.any() else ():
            now = np.zeros(len(self._training))
            for slot in list(self._recent)[-round(self._settings.window_h / SLOT_H) :]:
                for place, n in slot.counts.get((region, "novelty"), {}).items():
                    now[int(place)] += n
            if now.sum() >= self._settings.fewest:
                distance = wasserstein(now, self._training, SCALES["novelty"].width)
                bins = np.arange(len(now))
                is_up = bool(bins @ now / now.sum() > bins @ self._training / self._training.sum())
                if is_up:
                    found.append(Change(region, "training", distance, UNLIKE_TRAINING, is_up))
        return found

    def _settle(self, moment: Moment) -> list[Event]:
        """Begin or end drift."""
        shown = [change for change in self.changes if change.ratio >= 1]
        self._shows = self._shows + 1 if shown else 0
        self._is_more = self._is_more + 1 if any(change.what != "sharpness" for change in shown) else 0
        if shown and self._since is None:
            self._since = moment
        explaining = [one for one in self.changes if one.what in _OF_PICTURE and one.ratio >= BACK] if shown else []
        for change in [*shown, *explaining]:
            before = self._found.get(change[:2])
            self._found[change[:2]] = change if before is None or before.ratio < change.ratio else before
        still = any(change.ratio >= BACK for change in self.changes if change[:2] in self._found)
        self._calm = 0 if still else self._calm + 1
        if self._event is None:
            if self._shows >= BEGINS_LENS or self._is_more >= BEGINS:
                self._event = self._described()
                return [self._event]
            if not shown:
                self._forget()
            return []
        if self._calm >= ENDS:
            return [self._ended(moment)]
        if _clock(moment) - _clock(self._event.start) >= self._settings.stays_h * 3600:
            ended = self._ended(moment)
            self._slots, self._reference, self._is_learned = [], None, False
            return [ended]
        return []

    def _ended(self, moment: Moment) -> Event:
        ended = replace(self._described(), end=moment)
        self._forget()
        return ended

    def _forget(self) -> None:
        self._event, self._since, self._found = None, None, {}
        self._shows = self._is_more = self._calm = 0

    def _described(self) -> Event:
        """Return the event, with the cause and the size of what was found so far."""
        cause, change = likely_cause(list(self._found.values()))
        region = self._event.region if self._event is not None else change.region  # the id depends on it
        start = self._since or Moment(0, 0.0)
        return replace(self._blank, kind="drift", region=region, label=cause, score=min(1.0, change.distance), start=start)


def likely_cause(changes: Sequence[Change]) -> tuple[str, Change]:
    """Return the likely cause of changes, at least one, and the change that shows it best."""
    causes = {cause: [change for change in changes if _cause_of(change) == cause] for cause in CAUSES}
    cause = next(cause for cause in CAUSES if causes[cause])
    return cause, max(causes[cause], key=lambda change: change.ratio)


def _cause_of(change: Change) -> str:
    if change.what in _OF_PICTURE:
        return _OF_PICTURE[change.what]
    return "label mix" if change.what == "labels" else "new objects"


def _clock(moment: Moment) -> float:
    return moment.time_s if moment.at_s is None else moment.at_s
