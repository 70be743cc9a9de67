"""The regions, rules and sinks of a configuration, and how to switch to another configuration during a run.

    config = read_config("cameras.toml")
    classifier = Classifier.load(config.model)
    with open_cameras(config) as frames, Site(config, frames, classifier=classifier) as site:
        for result in Pipeline(classifier, regions=site.regions, health=site.health).over(frames):
            print(*site.write(result))  # events that begin or end with it, which the sinks have received too
        print(*site.finish())  # events that end because there are no more frames

A switch has two steps. `prepare` opens what is new, which may take time and may fail; it can run in any thread while frames are
still classified as before. `change` makes the switch instantly, between two batches of frames:

    plan = site.prepare(read_config("cameras.toml"))
    frames.between(lambda: site.change(plan))

Whatever is the same in both configurations keeps running: its source stays open, no frame is lost, and background, tracks and
states continue.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self, cast

from edgecls.events.detector import Events
from edgecls.events.explained import explained
from edgecls.events.observation import observe
from edgecls.files.locks import of_run
from edgecls.frame import GONE, MOTION, StateChange
from edgecls.health import Health
from edgecls.log import Say, log_warning
from edgecls.regions.regions import by_camera
from edgecls.regions.suitability import MotionChecks
from edgecls.run.cameras import demand_of, places, read_as
from edgecls.run.detectors import Detectors
from edgecls.run.drifting import open_drift, use_drift
from edgecls.run.model import labels_in
from edgecls.run.notes import UnknownObjects, notes_on
from edgecls.run.plan import Plan
from edgecls.sink import BUFFERED, SINKS, close_sink, open_sinks, places_of, spool_name
from edgecls.source import open_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from edgecls.event import Event
    from edgecls.events.rules import Rules
    from edgecls.frame import Result
    from edgecls.health import HealthSettings
    from edgecls.model.classifier import Classifier
    from edgecls.overlay import TrackView
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config
    from edgecls.sink import Sink, SinkSettings, Spooled
    from edgecls.source import Merged

CARRIED_STEPS = 1.5
"""An object is drawn for this many times the detector's interval after it was seen."""


class Site:
    """The regions, health checks, events and sinks of a configuration.

    Attributes:
        config: The current configuration.
        regions: Returns the regions of a frame to classify, for `Pipeline`.
        health: Returns why a frame is unfit, or None, for `Pipeline`.
        sinks: The open sinks. You may append others, which you then close yourself.
    """

    def __init__(
        self, config: Config, frames: Merged, *, classifier: Classifier | None = None, detectors: Detectors | None = None,
        spool: str | Path | None = None, say: Say = log_warning,
    ) -> None:  # fmt: skip
        """Open the sinks, which receive state changes of the cameras from now on. After an error no sink stays open.

        Args:
            config: The configuration.
            frames: Its cameras, from `open_cameras`.
            classifier: The model, to check the labels in the rules against. None: they are not checked.
            detectors: The detectors of the configuration. None: they are loaded now.
            spool: Folder for events that wait for delivery; default as in `open_sink`.
            say: Called with a one-line message for problems that do not end the run.

        Raises:
            ConfigError: A rule names a label that cannot occur, or a detector does not have a class that is named.
            ModelError: A detector cannot be loaded.
            SinkError: A sink cannot be opened.
        """
        self._detectors = detectors or Detectors.load(config, say)
        if classifier is not None or not config.model:
            self._detectors.check_labels(config, classifier)
            for note in notes_on(config, labels_in(classifier)):
                say(f"note: {note}")
        self.config, self._model_name = config, config.model_name
        self._frames = frames
        self._spool = spool
        self._say = say
        self._demand = demand_of(config, classifier)
        self._regions = {camera.name: self._detectors.regions(config, camera) for camera in config.camera}
        self.regions = by_camera(self._regions)
        self._detector_fps = _detector_fps(config)
        self.health = Health(_health(config))
        self.events = Events(_rules(config), model=config.model_name)
        self.drift = open_drift(config, classifier, say)
        self._motion_checks = MotionChecks(say)
        self._unknown_objects = UnknownObjects()
        self._open = dict(zip(config.outputs, self._open_sinks(config.outputs), strict=True))
        self.sinks: list[Sink] = list(self._open.values())
        frames.on_state(self.write_state)

    @property
    def named_sinks(self) -> dict[str, Sink]:
        """The sinks of the configuration, by their names in messages."""
        opened = dict(self._open)
        return dict(zip(places_of(tuple(opened)), opened.values(), strict=True))

    def write(self, result: Result) -> list[Event]:
        """Pass a result, and the events that begin or end with it, to all sinks. Returns these events."""
        events = self.events.step(observe(result))
        events += self.drift.step(result, events)
        self._motion_checks.step(result.frame, result.unfit)
        is_explained = any(sink.explains for sink in self.sinks)
        camera = result.frame.camera
        overlay = explained(self.events, camera, events) if is_explained else self.events.overlay(camera)
        if camera in self._detector_fps and not any(one.region == MOTION for one in result.detections):
            tracks = _lasting(self.events.tracks(camera), result.frame.time_s, self._detector_fps[camera])
            overlay = replace(overlay, carried=tracks)
        result = replace(result, overlay=overlay, model=self._model_name)
        for sink in self.sinks:
            sink.write(result)
        self._write_events(events)
        return events

    def write_state(self, change: StateChange) -> None:
        """Report a camera's change of state, and pass it with the resulting events to all sinks. Called by the cameras."""
        if change.state != "ended":  # that is the end of a file, or its error is reported
            self._say(str(change))
        events = self.events.change(change)
        self._write_state(change)
        self._write_events(events)

    def tell_of_model(self, step: str, score: float) -> list[Event]:
        """Report a step in the life of the model to all sinks, as an event of each camera. Returns these events."""
        told = self.events.of_model(step, score)
        self._write_events(told)
        return told

    def finish(self) -> list[Event]:
        """End all ongoing events, after the last frame, and pass them to all sinks. Returns these events."""
        events = [*self.events.close(), *self.drift.close()]
        self._write_events(events)
        self._motion_checks.close()
        for note in self._unknown_objects.notes(self.config.model_name):
            self._say(f"note: {note}")
        return events

    def prepare(self, config: Config, *, classifier: Classifier | None = None) -> Plan:
        """Open the sources and sinks that are new in a configuration. After an error none stays open.

        The site keeps running meanwhile, so another thread may call this, but only one at a time.

        Args:
            config: The new configuration.
            classifier: Its model.

        Returns:
            The plan for `change`.

        Raises:
            ConfigError: A rule names a label that cannot occur, or a detector does not have a class that is named.
            ModelError: A detector cannot be loaded.
            SourceError: A file or folder cannot be opened.
            SinkError: A sink cannot be opened.
        """
        if classifier is not None or not config.model:
            self._detectors.check_labels(config, classifier)
        was, now = ({camera.name: camera for camera in one.camera} for one in (self.config, config))
        demand = demand_of(config, classifier)
        demand = demand._replace(keep_s=max(self._demand.keep_s, demand.keep_s))
        new = [camera for camera in config.camera if camera.name not in was]
        both = [(was[name], camera) for name, camera in now.items() if name in was]
        reopened = [after for before, after in both if read_as(before, self._demand) != read_as(after, demand)]
        others = {after.name for _, after in both if self._detectors.is_other(config, after)}
        changed = [after for before, after in both if (before != after or after.name in others) and after not in reopened]
        alike = [after for after in changed if after.name not in others and after.looks_like(was[after.name])]
        anew = [*new, *reopened, *(camera for camera in changed if camera not in alike)]
        regions = {camera.name: self._detectors.regions(config, camera) for camera in anew}
        closed = {out: None for out in self._open if out not in config.outputs}
        fresh = [out for out in config.outputs if out not in self._open]
        spools = {spool_name(out): out for out in closed if out.kind in BUFFERED}
        replaced = [(spools[name], out) for out in fresh if out.kind in BUFFERED and (name := spool_name(out)) in spools]
        to_open = [out for out in fresh if out not in dict(replaced).values()]
        with ExitStack() as stack:
            sources = open_each(places([*new, *reopened], demand), say=self._say)
            for source in sources:
                stack.callback(source.close)
            sinks = self._open_sinks(to_open)
            stack.pop_all()
        return Plan(
            config,
            demand,
            tuple(sources),
            dict(zip(to_open, sinks, strict=True)),
            regions,
            None if classifier is None else classifier.card,
            new=_names(new),
            gone=tuple(name for name in was if name not in now),
            reopened=_names(reopened),
            changed=_names(changed),
            closed=tuple(out for out in closed if out not in dict(replaced)),
            replaced=tuple(replaced),
        )

    def change(self, plan: Plan) -> list[Sink]:
        """Switch to the configuration of a plan. Call it through `frames.between`, so that no batch is in progress.

        Events of cameras that are removed, reopened or watched by other rules end, as at the end of a run.

        Returns:
            Removed sinks that the caller must close, preferably in another thread: their threads may need seconds to finish.
        """
        config = plan.config
        self._write_events(self.events.use(_rules(config), model=config.model_name, anew=(*plan.gone, *plan.reopened)))
        self._write_events(use_drift(self.drift, config, plan.card, (*plan.gone, *plan.reopened)))
        self.health.use(_health(config), anew=(*plan.gone, *plan.reopened))
        for name in plan.gone:
            self._write_state(StateChange(name, "ended", GONE, time.time()))
            del self._regions[name]
        self._frames.change((*plan.gone, *plan.reopened), plan.sources)
        self._regions |= plan.regions
        self._detectors.use(config)
        self._detector_fps = _detector_fps(config)
        leaving = self._change_sinks(plan)
        self.config, self._model_name, self._demand = config, config.model_name, plan.demand
        return leaving

    def close(self) -> None:
        """Close all sinks, even if one of them fails to close."""
        with ExitStack() as stack:
            for sink in self._open.values():
                stack.callback(sink.close)

    def __enter__(self) -> Self:
        """Return the site, whose sinks are already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the sinks."""
        self.close()

    def _open_sinks(self, outs: Sequence[SinkSettings]) -> list[Sink]:
        """Open sinks for this run: one with new settings may share the file of one that is still open."""
        with of_run(self):
            return open_sinks(outs, spool=self._spool, say=self._say)

    def _change_sinks(self, plan: Plan) -> list[Sink]:
        leaving = []
        others = [sink for sink in self.sinks if sink not in self._open.values()]
        for out in plan.closed:
            sink = self._open.pop(out)
            if SINKS[out.kind].queue is not None:
                leaving.append(sink)
            else:
                close_sink(sink, self._say)
        for before, after in plan.replaced:
            buffer = self._open[after] = self._open.pop(before)
            cast("Spooled", buffer).replace(partial(SINKS[after.kind].open, after, self._say))
        self._open |= plan.sinks
        self.sinks[:] = [*self._open.values(), *others]
        names = self.named_sinks
        for sink in self.sinks:
            sink.beside(names)
        return leaving

    def _write_state(self, change: StateChange) -> None:
        for sink in self.sinks:
            sink.write_state(change)

    def _write_events(self, events: Sequence[Event]) -> None:
        self._unknown_objects.add(events)
        for event in events:
            for sink in self.sinks:
                sink.write_event(event)


def _rules(config: Config) -> dict[str, Rules]:
    return {camera.name: camera.rules for camera in config.camera}


def _detector_fps(config: Config) -> dict[str, float]:
    return {camera.name: camera.detector.fps for camera in config.camera if camera.detector is not None}


def _lasting(tracks: Iterable[TrackView], now_s: float, fps: float) -> tuple[TrackView, ...]:
    """Return the tracks that the detector saw when it last looked."""
    return tuple(track for track in tracks if now_s - track.last_s <= CARRIED_STEPS / fps)


def _health(config: Config) -> dict[str, HealthSettings]:
    return {camera.name: camera.health for camera in config.camera}


def _names(cameras: Iterable[Camera]) -> tuple[str, ...]:
    return tuple(camera.name for camera in cameras)
