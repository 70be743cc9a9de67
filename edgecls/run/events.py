"""From what frames show to what happened: the last step before the sinks.

It reads only what a line of labels holds (camera, index, time, regions, boxes, labels, scores), rounded as it is there, so a
recording of labels gives the very events that the cameras gave.

    events = Events(Rules(gates=(...,)))
    for result in pipeline.over(source):
        for event in events.step(observe(result)):
            ...
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgecls.event import Event, Moment
from edgecls.run.faults import Faults
from edgecls.run.objects import Counts, ObjectWatch
from edgecls.run.per_camera import PerCamera
from edgecls.run.rules import MOTION, Rules
from edgecls.run.sights import Sights
from edgecls.run.states import Change, StateMachine
from edgecls.run.track import Tracker

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from edgecls.frame import Detection, StateChange, Unfit
    from edgecls.run.objects import News
    from edgecls.run.place import Place
    from edgecls.run.shapes import Point
    from edgecls.run.track import Track
    from edgecls.run.wire import Observation


class Events:
    """What happens at several cameras, each on its own. One without rules has the usual ones: the state of its whole frame."""

    def __init__(self, rules: Rules | Mapping[str, Rules], *, model: str = "") -> None:
        """Take the rules of all cameras, or of each by its name. `model` is the name of the file that the labels are from."""
        self._rules = PerCamera(rules, Rules())
        self._model = model
        self._cameras: dict[str, CameraEvents] = {}
        self._last: dict[str, Moment] = {}

    def step(self, seen: Observation) -> list[Event]:
        """Take one frame of any of the cameras. Returns what begins or ends with it.

        A camera whose frames are counted from the beginning again, as where several runs stand in one recording, begins anew:
        whatever goes on ends with the last frame before.
        """
        last = self._last.get(seen.camera)
        over = self._end(seen.camera) if last is not None and seen.moment.begins_anew(last) else []
        self._last[seen.camera] = seen.moment
        return over + self._camera(seen.camera).step(seen.moment, seen.size_hw, seen.detections, unfit=seen.unfit)

    def change(self, change: StateChange) -> list[Event]:
        """Take a change of the state of any of the cameras, in order with its frames. Returns what begins or ends with it."""
        over = self._end(change.camera) if change.state == "connecting" else []  # which a run says once, before any frame
        return over + self._camera(change.camera).change(change)

    def use(self, rules: Rules | Mapping[str, Rules], *, model: str | None = None, anew: Collection[str] = ()) -> list[Event]:
        """Go on with these rules, and with labels of another model if one is named. Returns what ends by it: whatever goes on
        at cameras whose rules are others now, and at those in `anew`, whose frames are; with another model at all of them.
        """
        now = PerCamera(rules, Rules())
        is_other = model is not None and model != self._model
        over = self._rules.others(self._cameras, now, anew=self._cameras.keys() if is_other else anew)
        self._rules, self._model = now, self._model if model is None else model
        return [event for name in over for event in self._end(name)]

    def close(self) -> list[Event]:
        """No more frames come."""
        return [event for camera in self._cameras.values() for event in camera.close()]

    def _end(self, name: str) -> list[Event]:
        """Forget what a camera has shown so far. Returns what ends by it."""
        self._last.pop(name, None)
        camera = self._cameras.pop(name, None)
        return [] if camera is None else camera.close()

    def _camera(self, name: str) -> CameraEvents:
        camera = self._cameras.get(name)
        if camera is None:
            camera = self._cameras[name] = CameraEvents(name, self._rules[name], model=self._model)
        return camera


class CameraEvents:
    """What happens at one camera. Give it every frame in order, then `close` it."""

    def __init__(self, camera: str, rules: Rules, *, model: str = "") -> None:
        """Nothing has happened yet. `model` is the name of the file that the labels are from."""
        self._blank = Event("state", camera, "", "", 0.0, Moment(0, 0.0), model=model)
        self._rules = rules
        self._tracker = Tracker(rules.track)
        self._states: dict[str, StateMachine] = {}
        self._objects: dict[int, ObjectWatch] = {}
        self._sights: dict[int, Sights] = {}
        self._told: set[int] = set()
        self._counts = Counts(rules)
        self._faults = Faults()

    def step(
        self, moment: Moment, size_hw: tuple[int, int], detections: Sequence[Detection], *, unfit: Unfit | None = None
    ) -> list[Event]:
        """Take one frame, and whether its camera was unfit. Returns what begins or ends with it."""
        faults = self._of_faults(self._faults.step(moment, unfit)) if self._rules.health else []
        if unfit and not unfit.classified:
            return faults + self._skip(moment)
        return faults + self._show(moment, size_hw, detections)

    def change(self, change: StateChange) -> list[Event]:
        """Take a change of the camera's state. Returns what begins or ends with it."""
        return self._of_faults(self._faults.change(change)) if self._rules.health else []

    def _skip(self, moment: Moment) -> list[Event]:
        """Pass over a frame that says nothing: no state begins or goes on, no object moves, nobody is counted."""
        events = [self._of_state(name, change) for name, machine in self._states.items() for change in machine.skip(moment)]
        for track in self._tracker.skip(moment):
            events += self._end(track)
        self._counts.skip(events)
        return events

    def _show(self, moment: Moment, size_hw: tuple[int, int], detections: Sequence[Detection]) -> list[Event]:
        seen = {d.region for d in detections}
        events = [event for d in detections if d.region != MOTION for event in self._state(moment, d)]
        for name, machine in self._states.items():
            if name not in seen:
                events += [self._of_state(name, change) for change in machine.wait(moment)]
        _, over = self._tracker.step(moment, [d for d in detections if d.region == MOTION])
        for track in over:
            events += self._end(track)
        for track in self._tracker.tracks:
            events += self._follow(track, size_hw)
        counts = self._counts.step(moment, events, self._inside()) if self._rules.count_every_s else []
        return events + [replace(self._blank, kind="count", **count) for count in counts]

    def close(self) -> list[Event]:
        """No more frames come: whatever goes on ends with the last frame that showed it."""
        events = [self._of_state(name, change) for name, machine in self._states.items() for change in machine.close()]
        for track in self._tracker.close():
            events += self._end(track)
        events += [replace(self._blank, kind="count", **count) for count in self._counts.close(events)]
        return events + self._of_faults(self._faults.close())

    def _state(self, moment: Moment, detection: Detection) -> list[Event]:
        name, prediction = detection.region, detection.prediction
        machine = self._states.get(name)
        if machine is None:
            rule = next((zone.state for zone in self._rules.zones if zone.name == name), self._rules.state)
            machine = self._states[name] = StateMachine(rule)
        return [self._of_state(name, change) for change in machine.step(moment, prediction.label, prediction.score)]

    def _of_faults(self, faults: Sequence[Mapping[str, Any]]) -> list[Event]:
        return [replace(self._blank, **fault) for fault in faults]

    def _of_state(self, region: str, change: Change) -> Event:
        return replace(self._blank, region=region, label=change.label, score=change.score, start=change.start, end=change.end)

    def _follow(self, track: Track, size_hw: tuple[int, int]) -> list[Event]:
        """Where the track has been since it was last asked, and what this makes of it."""
        known = self._objects.setdefault(track.id, ObjectWatch(self._rules, self._rules.track.lost_s))
        sights = self._sights.setdefault(track.id, Sights())
        for step in track.take_path():
            known.move(step.moment, self._anchor(step.place, size_hw))
            sights.add(step, size_hw)
        return self._tell(track, known) if track.seen >= self._rules.track.settle else []

    def _anchor(self, place: Place, size_hw: tuple[int, int]) -> Point:
        down = place.height / 2 if self._rules.track.anchor == "bottom" else 0.0
        return place.x / size_hw[1], (place.y + down) / size_hw[0]

    def _tell(self, track: Track, known: ObjectWatch) -> list[Event]:
        """What is not told of yet, once the track is something that counts."""
        if track.id not in self._told and track.label() in self._rules.track.ignore:
            return []
        thing = self._thing(track)
        begin = [] if track.id in self._told else [thing]
        self._told.add(track.id)
        news = [one for one in known.take_news() if not one.labels or thing.label in one.labels]
        return begin + [self._of_news(one, thing, self._sights[track.id]) for one in news]

    def _of_news(self, news: News, thing: Event, sights: Sights) -> Event:
        kind, region, start, end, direction, _ = news
        view = sights.at(start)
        return replace(thing, kind=kind, region=region, start=start, end=end, direction=direction, view=view)

    def _thing(self, track: Track) -> Event:
        """That it is there, from its first frame on."""
        label, sights = track.label(self._rules.track.ignore), self._sights[track.id]
        return replace(
            self._blank,
            kind="object",
            region=MOTION,
            label=label,
            score=track.score(label),
            track_id=track.id,
            start=track.first,
            view=sights.best(label) or sights.at(track.first),
        )

    def _end(self, track: Track) -> list[Event]:
        known = self._objects.pop(track.id)
        known.leave()
        events = self._tell(track, known)
        thing = replace(self._thing(track), end=track.last)
        del self._sights[track.id]
        if track.id not in self._told:
            return []
        self._told.discard(track.id)
        return [*events, thing]

    def _inside(self) -> dict[str, dict[int, str]]:
        """The label of each object in each zone, by its track."""
        labels = {track.id: track.label(self._rules.track.ignore) for track in self._tracker.tracks if track.id in self._told}
        names = [zone.name for zone in self._rules.entered]
        return {name: {n: label for n, label in labels.items() if name in self._objects[n].zones} for name in names}
