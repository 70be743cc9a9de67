"""The cameras of a cameras.toml at work, and how they become those of another one while they go on.

    config = read_config("cameras.toml")
    with open_cameras(config) as frames, Site(config, frames) as site:
        for result in Pipeline(Classifier.load(config.model), regions=site.regions, health=site.health).over(frames):
            print(*site.write(result))  # the events that begin or end with it, which the sinks have as well
        print(*site.finish())  # and those that end because no more frames come

A change has two parts. `prepare` opens what is new, which takes its time and may fail: in any thread, while frames are still
classified as before. `change` puts it in place, at once, when all frames that were taken are dealt with:

    plan = site.prepare(read_config("cameras.toml"))
    frames.between(lambda: site.change(plan))

What is the same in both configurations is not touched: its source stays open, no frame is left out, and background, tracks and
states go on.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self, cast

from edgecls.frame import StateChange
from edgecls.run.events import Events
from edgecls.run.health import Health
from edgecls.run.regions import by_camera
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink import SINKS, close_sink, keep_s, open_sinks, place_of, spool_name
from edgecls.run.source import open_each, open_named
from edgecls.run.wire import observe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from edgecls.event import Event
    from edgecls.frame import Result
    from edgecls.run.config import Camera, Config
    from edgecls.run.health import HealthRule
    from edgecls.run.regions import Regions
    from edgecls.run.rules import Rules
    from edgecls.run.sink import Buffered, Out, Sink
    from edgecls.run.source import Merged, Reading, Source

GONE = "it was taken out of the configuration"


def open_cameras(config: Config, *, say: Say = say_on_stderr) -> Merged:
    """Open the cameras of a configuration, as `open_source` does, with the packets kept that its sinks need."""
    return open_named(_places(config.camera, keep_s(config.outputs)), say=say)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `Site.prepare` has opened for another configuration, and what becomes of each camera and sink. Put it in place by
    `Site.change`, or `drop` it.
    """

    config: Config
    kept_s: float
    sources: tuple[Source, ...]
    sinks: dict[Out, Sink]
    looks: dict[str, Regions]
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    closed: tuple[Out, ...] = ()
    replaced: tuple[tuple[Out, Out], ...] = ()

    def __str__(self) -> str:
        """Say in one line what is different."""
        parts = {
            "new": self.new,
            "gone": self.gone,
            "reopened": self.reopened,
            "other settings": self.changed,
            "sinks opened": tuple(map(place_of, self.sinks)),
            "sinks closed": tuple(map(place_of, self.closed)),
            "sinks changed": tuple(place_of(new) for _, new in self.replaced),
        }
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names) or "nothing is different"

    def drop(self) -> None:
        """Close what was opened."""
        for source in self.sources:
            source.close()
        for sink in self.sinks.values():
            sink.close()


class Site:
    """Where to look in the frames of each camera, whether it is fit, what happens there, and the sinks that hear of it.

    `sinks` is always the list of those that are open, to which others may be added by whoever closes them; `config` is what
    the cameras and sinks are.
    """

    def __init__(self, config: Config, frames: Merged, *, spool: str | Path | None = None, say: Say = say_on_stderr) -> None:
        """Open the sinks, for frames of `open_cameras`, whose changes of state they hear from now on; `spool` is that of
        `open_sink`. After an error none stays open.
        """
        self.config = config
        self._frames = frames
        self._spool = spool
        self._say = say
        self._kept_s = keep_s(config.outputs)
        self._looks = {camera.name: camera.looks() for camera in config.camera}
        self.regions = by_camera(self._looks)
        self.health = Health(_health(config))
        self.events = Events(_rules(config), model=config.model_name)
        self._open = dict(zip(config.outputs, open_sinks(config.outputs, spool=spool, say=say), strict=True))
        self.sinks: list[Sink] = list(self._open.values())
        frames.on_state(self.write_state)

    def write(self, result: Result) -> list[Event]:
        """Give a result to all sinks, with the events that begin or end with it, which are returned."""
        events = self.events.step(observe(result))
        for sink in self.sinks:
            sink.write(result)
        self._write_events(events)
        return events

    def write_state(self, change: StateChange) -> None:
        """Say a change of a camera's state, and give it to all sinks, with the events that begin or end with it. The frames
        call this by themselves.
        """
        if change.state != "ended":  # of that its error tells, or it was a file
            self._say(str(change))
        events = self.events.change(change)
        self._write_state(change)
        self._write_events(events)

    def finish(self) -> list[Event]:
        """No more frames come: give all sinks what ends with that. Returns it."""
        events = self.events.close()
        self._write_events(events)
        return events

    def prepare(self, config: Config) -> Plan:
        """Open what this configuration has and the present one has not. Raises what the opening raises; then none stays open.

        Frames and sinks go on meanwhile, so another thread may call this; not two at a time.
        """
        was, now = ({camera.name: camera for camera in one.camera} for one in (self.config, config))
        kept_s = max(self._kept_s, keep_s(config.outputs))
        new = [camera for camera in config.camera if camera.name not in was]
        both = [(was[name], camera) for name, camera in now.items() if name in was]
        reopened = [after for before, after in both if _read_as(before, self._kept_s) != _read_as(after, kept_s)]
        changed = [after for before, after in both if before != after and after not in reopened]
        anew = [*new, *reopened, *(camera for camera in changed if not _looks_alike(was[camera.name], camera))]
        closed = {out: None for out in self._open if out not in config.outputs}
        fresh = [out for out in config.outputs if out not in self._open]
        spools = {spool_name(out): out for out in closed if SINKS[out.kind].buffered}
        replaced = [(spools[name], out) for out in fresh if SINKS[out.kind].buffered and (name := spool_name(out)) in spools]
        to_open = [out for out in fresh if out not in dict(replaced).values()]
        with ExitStack() as stack:
            sources = open_each(_places([*new, *reopened], kept_s), say=self._say)
            for source in sources:
                stack.callback(source.close)
            sinks = open_sinks(to_open, spool=self._spool, say=self._say)
            stack.pop_all()
        return Plan(
            config,
            kept_s,
            tuple(sources),
            dict(zip(to_open, sinks, strict=True)),
            {camera.name: camera.looks() for camera in anew},
            new=_names(new),
            gone=tuple(name for name in was if name not in now),
            reopened=_names(reopened),
            changed=_names(changed),
            closed=tuple(out for out in closed if out not in dict(replaced)),
            replaced=tuple(replaced),
        )

    def change(self, plan: Plan) -> list[Sink]:
        """Put a plan in place. Call it by `between` of the frames, as others may wait in a batch. Events of cameras that are
        gone, reopened or watched by other rules end, as at the end of a run.

        Returns sinks that are gone and may take seconds to be closed, as a thread of theirs still writes: close them, best in
        another thread.
        """
        config = plan.config
        self._write_events(self.events.use(_rules(config), model=config.model_name, anew=(*plan.gone, *plan.reopened)))
        self.health.use(_health(config), anew=(*plan.gone, *plan.reopened))
        for name in plan.gone:
            self._write_state(StateChange(name, "ended", GONE, time.time()))
            del self._looks[name]
        self._frames.change((*plan.gone, *plan.reopened), plan.sources)
        self._looks |= plan.looks
        leaving = self._change_sinks(plan)
        self.config, self._kept_s = config, plan.kept_s
        return leaving

    def close(self) -> None:
        """Close all sinks; one that cannot be closed does not stop the others."""
        with ExitStack() as stack:
            for sink in self._open.values():
                stack.callback(sink.close)

    def __enter__(self) -> Self:
        """Return it; its sinks are open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the sinks."""
        self.close()

    def _change_sinks(self, plan: Plan) -> list[Sink]:
        leaving = []
        others = [sink for sink in self.sinks if sink not in self._open.values()]
        for out in plan.closed:
            sink = self._open.pop(out)
            if SINKS[out.kind].aside:
                leaving.append(sink)
            else:
                close_sink(sink, self._say)
        for before, after in plan.replaced:
            buffer = self._open[after] = self._open.pop(before)
            cast("Buffered", buffer).replace(partial(SINKS[after.kind].open, after, self._say))
        self._open |= plan.sinks
        self.sinks[:] = [*self._open.values(), *others]
        names = {place_of(out): sink for out, sink in self._open.items()}
        for sink in self.sinks:
            sink.beside(names)
        return leaving

    def _write_state(self, change: StateChange) -> None:
        for sink in self.sinks:
            sink.write_state(change)

    def _write_events(self, events: Iterable[Event]) -> None:
        for event in events:
            for sink in self.sinks:
                sink.write_event(event)


def _places(cameras: Iterable[Camera], kept_s: float) -> dict[str, tuple[int | str, Reading]]:
    return {camera.name: _read_as(camera, kept_s) for camera in cameras}


def _read_as(camera: Camera, kept_s: float) -> tuple[int | str, Reading]:
    """What a camera is opened by."""
    return camera.source, replace(camera.reading, keep_s=max(camera.reading.keep_s, kept_s))


def _looks_alike(before: Camera, after: Camera) -> bool:
    """Whether what is looked at is the same, so that the background that was learned goes on."""
    only_rules = {name: getattr(after, name) for name in ("line", "state", "track", "count_every_s", "health")}
    return before.follows == after.follows and replace(before, **only_rules) == after


def _rules(config: Config) -> dict[str, Rules]:
    return {camera.name: camera.rules for camera in config.camera}


def _health(config: Config) -> dict[str, HealthRule]:
    return {camera.name: camera.health for camera in config.camera}


def _names(cameras: Iterable[Camera]) -> tuple[str, ...]:
    return tuple(camera.name for camera in cameras)
