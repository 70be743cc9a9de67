"""Turn the results of single frames into events. This is the last step before the sinks.

Events are computed only from what a line of labels contains (camera, index, time, regions, boxes, labels, scores), rounded in
the same way. A replayed recording of labels therefore gives exactly the events of the original run.

    events = Events(Rules(lines=(...,)))
    for result in pipeline.over(source):
        for event in events.step(observe(result)):
            ...
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.event import Event, Moment
from edgecls.events.best_view import BestView
from edgecls.events.counts import Counts
from edgecls.events.crossings import ObjectWatch
from edgecls.events.health_events import Faults
from edgecls.events.hidden import LONGEST_HIDDEN_S
from edgecls.events.left_watch import LeftWatch, Standing
from edgecls.events.overlay_history import OverlayHistory
from edgecls.events.region_states import RegionStates
from edgecls.events.rules import Rules, check_labels
from edgecls.events.tracker import Tracker
from edgecls.frame import LEFT, MOTION, REMOVED, WHOLE_FRAME
from edgecls.settings.per_camera import PerCamera

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from edgecls.events.center_box import CenterBox
    from edgecls.events.crossings import Activity
    from edgecls.events.observation import Observation
    from edgecls.events.paths import Paths
    from edgecls.events.track import Track
    from edgecls.frame import Detection, StateChange, Unfit
    from edgecls.overlay import Overlay, TrackView
    from edgecls.regions.geometry import Point


class Events:
    """Detects events at any number of cameras, independently of each other.

    A camera without rules gets the default: the state of its whole frame.

    Example:
        events = edgecls.Events({"north": edgecls.Rules(lines=(stop_line,))}, model="street")
        for result in pipeline.over(source):
            for event in events.step(edgecls.observe(result)):
                print(event.kind, event.phase, event.label)
        for event in events.close():
            print(event.kind, event.phase, event.label)
    """

    def __init__(
        self, rules: Rules | Mapping[str, Rules], *, model: str = "", labels: Iterable[str] | None = None
    ) -> None:  # fmt: skip
        """Start with no events in progress.

        Args:
            rules: The rules for all cameras, or a mapping from camera names to rules.
            model: The name of the model file, stored with each event.
            labels: All labels of the model (`classifier.card.labels`), to check the rules against. None: no check.

        Raises:
            ConfigError: A rule names a label that is not in `labels`, so its events would never occur.
        """
        if labels is not None:
            check_labels(rules, labels, model)
        self._rules = PerCamera(rules, Rules())
        self._model = model
        self._cameras: dict[str, CameraEvents] = {}
        self._last: dict[str, Moment] = {}

    def step(self, seen: Observation) -> list[Event]:
        """Process one frame of any camera.

        If a camera's frame index starts again, as in a recording of several runs, the camera starts afresh: its open events
        end with the frame before.

        Args:
            seen: The frame's observation, see `edgecls.observe`. Each camera's frames must come in order.

        Returns:
            The events that begin or end with this frame.
        """
        last = self._last.get(seen.camera)
        over = self._end(seen.camera) if last is not None and seen.moment.begins_anew(last) else []
        self._last[seen.camera] = seen.moment
        return over + self._camera(seen.camera).step(seen.moment, seen.size_hw, seen.detections, unfit=seen.unfit)

    def change(self, change: StateChange) -> list[Event]:
        """Process a state change of any camera, in order with its frames. Returns the events that begin or end with it."""
        over = self._end(change.camera) if change.state == "connecting" else []  # sent once per run, before the first frame
        return over + self._camera(change.camera).change(change)

    def overlay(self, camera: str) -> Overlay:
        """Return what to draw on a camera's last frame in addition to labels: zones, lines with totals, tracks and paths."""
        return self._camera(camera).overlay()

    def of_model(self, step: str, score: float) -> list[Event]:
        """Return a step in the life of the model as an event of each camera, at its last frame."""
        last = self._last.items()
        return [Event("model", name, WHOLE_FRAME, step, score, at, at, model=self._model) for name, at in last]

    def tracks(self, camera: str) -> tuple[TrackView, ...]:
        """Return all confirmed tracks of a camera as they are followed, whether its last frame shows them or not."""
        return self._camera(camera).tracks()

    def use(self, rules: Rules | Mapping[str, Rules], *, model: str | None = None, anew: Collection[str] = ()) -> list[Event]:
        """Switch to other rules, and optionally another model.

        Cameras whose rules have changed start afresh, and so do those in `anew`. A new model restarts all of them.

        Args:
            rules: The new rules for all cameras, or by camera name.
            model: The name of the new model file. None: the model stays.
            anew: Names of further cameras to restart, for example because their source has changed.

        Returns:
            The events that end with the switch.
        """
        now = PerCamera(rules, Rules())
        is_other = model is not None and model != self._model
        over = self._rules.others(self._cameras, now, anew=self._cameras.keys() if is_other else anew)
        self._rules, self._model = now, self._model if model is None else model
        return [event for name in over for event in self._end(name)]

    def close(self) -> list[Event]:
        """Finish all cameras. Returns the events that end."""
        return [event for camera in self._cameras.values() for event in camera.close()]

    def _end(self, name: str) -> list[Event]:
        """Forget a camera's history. Returns the events that end."""
        self._last.pop(name, None)
        camera = self._cameras.pop(name, None)
        return [] if camera is None else camera.close()

    def _camera(self, name: str) -> CameraEvents:
        camera = self._cameras.get(name)
        if camera is None:
            camera = self._cameras[name] = CameraEvents(name, self._rules[name], model=self._model)
        return camera


class CameraEvents:
    """Detects the events of one camera. Pass it every frame in order, then `close` it."""

    def __init__(self, camera: str, rules: Rules, *, model: str = "", paths: Paths | None = None) -> None:
        """Start with no events in progress. `model` is the name of the model file, stored with each event. `paths` gets the
        whole path of each track.
        """
        self._blank = Event("state", camera, "", "", 0.0, Moment(0, 0.0), model=model)
        self._rules = rules
        self._tracker = Tracker(rules.track)
        self._states = RegionStates(rules, self._blank)
        self._objects: dict[int, ObjectWatch] = {}
        self._views: dict[int, BestView] = {}
        self._reported: set[int] = set()
        self._counts = Counts(rules, self._blank)
        self._faults = Faults(self._blank)
        self._left = None if rules.left is None else LeftWatch(rules.left, rules.track.ignore, self._blank)
        self._overlay = OverlayHistory(rules, paths)

    def overlay(self) -> Overlay:
        """Return what to draw on the last frame in addition to labels."""
        return self._overlay.overlay(self._tracker.tracks, self._inside())

    def tracks(self) -> tuple[TrackView, ...]:
        """Return all confirmed tracks as they are followed."""
        return self._overlay.tracks(self._tracker.tracks)

    def step(
        self, moment: Moment, size_hw: tuple[int, int], detections: Sequence[Detection], *, unfit: Unfit | None = None
    ) -> list[Event]:
        """Process one frame, with the camera's fault if it has one. Returns the events that begin or end with it."""
        faults = self._faults.step(moment, unfit) if self._rules.health else []
        if unfit and not unfit.classified:
            return faults + self._skip(moment)
        return faults + self._show(moment, size_hw, detections)

    def change(self, change: StateChange) -> list[Event]:
        """Process a state change of the camera. Returns the events that begin or end with it."""
        return self._faults.change(change) if self._rules.health else []

    def _skip(self, moment: Moment) -> list[Event]:
        """Skip a frame that was not classified: no state changes, no object moves, nothing is counted."""
        self._overlay.show(())
        events = self._states.skip(moment)
        for track in self._tracker.skip(moment):
            events += self._end(track)
        events += [] if self._left is None else self._left.skip(moment)
        self._counts.skip(events)
        self._overlay.count(events)
        return events

    def _show(self, moment: Moment, size_hw: tuple[int, int], detections: Sequence[Detection]) -> list[Event]:
        seen = {d.region for d in detections}
        states = [d for d in detections if d.region not in (MOTION, LEFT, REMOVED)]
        events = [event for d in states for event in self._states.step(moment, d)]
        events += self._states.wait(moment, seen)
        ids, over = self._tracker.step(moment, [d for d in detections if d.region == MOTION], wide=size_hw[1])
        of_each = iter(ids)
        self._overlay.show([next(of_each) if d.region == MOTION else None for d in detections])
        for track in over:
            events += self._end(track)
        for track in self._tracker.tracks:
            events += self._follow(track, size_hw)
        if self._left is not None:
            still = [d for d in detections if d.region in (LEFT, REMOVED)]
            events += self._left.step(moment, size_hw, still, [self._standing(track) for track in self._reported_tracks()])
        self._overlay.count(events)
        counts = self._counts.step(moment, events, self._inside()) if self._rules.count_every_s else []
        return events + counts

    def close(self) -> list[Event]:
        """Finish. Each open event ends with the last frame that showed it."""
        events = self._states.close()
        for track in self._tracker.close():
            events += self._end(track)
        events += [] if self._left is None else self._left.close()
        events += self._counts.close(events)
        return events + self._faults.close()

    def _follow(self, track: Track, size_hw: tuple[int, int]) -> list[Event]:
        """Process the track's path since the last call. Returns the resulting events."""
        watch = self._objects.setdefault(track.id, ObjectWatch(self._rules, max(self._rules.track.lost_s, LONGEST_HIDDEN_S)))
        best_view = self._views.setdefault(track.id, BestView())
        for step in track.take_path() if self._is_settled(track) else ():  # a young one may be a hidden one that comes out
            point = self._anchor(step.place, size_hw)
            if step.is_back:
                watch.forget_sides()
            size = step.place.width / size_hw[1], step.place.height / size_hw[0]
            watch.move(step.moment, point, size, seen=None if step.box is None else self._anchor(step.box, size_hw))
            self._overlay.move(track.id, step.moment, point, size)
            best_view.add(step, size_hw)
        return self._report(track, watch) if self._is_settled(track) else []

    def _is_settled(self, track: Track) -> bool:
        return track.id in self._reported or track.is_settled(self._rules.track.settle, self._rules.track.travel)

    def _anchor(self, place: CenterBox, size_hw: tuple[int, int]) -> Point:
        down = place.height / 2 if self._rules.track.anchor == "bottom" else 0.0
        return place.x / size_hw[1], (place.y + down) / size_hw[0]

    def _report(self, track: Track, watch: ObjectWatch) -> list[Event]:
        """Return the track's unreported events, unless its label is ignored."""
        if track.id not in self._reported and track.label() in self._rules.track.ignore:
            return []
        object_event = self._object_event(track)
        begin = [] if track.id in self._reported else [object_event]
        self._reported.add(track.id)
        activities = [one for one in watch.take_activities() if not one.labels or object_event.label in one.labels]
        return begin + [self._of_activity(one, object_event, self._views[track.id]) for one in activities]

    def _of_activity(self, activity: Activity, object_event: Event, best_view: BestView) -> Event:
        kind, region, start, end, direction, _ = activity
        view = best_view.at(start)
        return replace(object_event, kind=kind, region=region, start=start, end=end, direction=direction, view=view)

    def _object_event(self, track: Track) -> Event:
        """Return the event that this object is present, from its first frame on."""
        label, best_view = track.label(self._rules.track.ignore), self._views[track.id]
        return replace(
            self._blank,
            kind="object",
            region=MOTION,
            label=label,
            score=track.score(label),
            track_id=track.id,
            start=track.first,
            view=best_view.best(label) or best_view.at(track.first),
        )

    def _end(self, track: Track) -> list[Event]:
        watch = self._objects.pop(track.id)
        watch.leave()
        self._overlay.forget(track.id)
        events = self._report(track, watch) if self._is_settled(track) else []
        object_event = replace(self._object_event(track), end=track.last)
        del self._views[track.id]
        if track.id not in self._reported:
            return []
        if self._left is not None:
            self._left.remember(self._standing(track))
        self._reported.discard(track.id)
        return [*events, object_event]

    def _reported_tracks(self) -> list[Track]:
        return [track for track in self._tracker.tracks if track.id in self._reported]

    def _standing(self, track: Track) -> Standing:
        label = track.label(self._rules.track.ignore)
        return Standing(track.id, track.place, label, track.score(label), track.last.time_s)

    def _inside(self) -> dict[str, dict[int, str]]:
        """Return the label of each object in each zone, by track id."""
        labels = {track.id: track.label(self._rules.track.ignore) for track in self._reported_tracks()}
        names = [zone.name for zone in self._rules.object_zones]
        return {name: {n: label for n, label in labels.items() if name in self._objects[n].zones} for name in names}
