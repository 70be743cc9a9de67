"""The states of a camera's regions: one label at a time, or of a model with several labels a picture, each label by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.events.states import StateMachine

if TYPE_CHECKING:
    from collections.abc import Collection

    from edgecls.event import Event, Moment
    from edgecls.events.rules import Rules
    from edgecls.events.states import Change
    from edgecls.frame import Detection

Key = tuple[str, str]
"""A region and one of its several labels; "" for a region with one label at a time."""


class RegionStates:
    """Turns the labels of one camera's regions into events. Pass it each frame in order, then `close` it."""

    def __init__(self, rules: Rules, blank: Event) -> None:
        """Start without states. `blank` has the camera and the model of the events."""
        self._rules = rules
        self._blank = blank
        self._machines: dict[Key, StateMachine] = {}

    def step(self, moment: Moment, detection: Detection) -> list[Event]:
        """Process the label or the labels of a region in a frame. A label that is not listed has a score of 0."""
        name, prediction = detection.region, detection.prediction
        if prediction.labels is None:
            return self._step(moment, (name, ""), prediction.label, prediction.score)
        scores = dict(prediction.top)
        known = [label for region, label in self._machines if region == name and label]
        labels = dict.fromkeys((*known, *scores))
        return [event for label in labels for event in self._step(moment, (name, label), label, scores.get(label, 0.0))]

    def wait(self, moment: Moment, seen: Collection[str]) -> list[Event]:
        """Process a frame for the regions that are not `seen` in it, because nothing moves there. Their states stay."""
        waiting = [(key, machine) for key, machine in self._machines.items() if key[0] not in seen]
        return [self._event(key, change) for key, machine in waiting for change in machine.wait(moment)]

    def skip(self, moment: Moment) -> list[Event]:
        """Ignore a frame that cannot be trusted."""
        return [self._event(key, change) for key, machine in self._machines.items() for change in machine.skip(moment)]

    def close(self) -> list[Event]:
        """Finish. Each state ends with the last frame that showed it."""
        return [self._event(key, change) for key, machine in self._machines.items() for change in machine.close()]

    def _step(self, moment: Moment, key: Key, label: str, score: float) -> list[Event]:
        machine = self._machines.get(key)
        if machine is None:
            rule = next((zone.state for zone in self._rules.zones if zone.name == key[0]), self._rules.state)
            machine = self._machines[key] = StateMachine(rule)
        return [self._event(key, change) for change in machine.step(moment, label, score)]

    def _event(self, key: Key, change: Change) -> Event:
        region, of_several = key
        event = replace(self._blank, region=region, label=change.label, score=change.score, start=change.start, end=change.end)
        return replace(event, kind="label") if of_several else event
