"""A configured run, from the cameras to the sinks and the caller.

    with Run("cameras.toml") as run:
        for result, events in run:
            ...

`edgecls run` uses this class, both for a cameras.toml and for options, so both behave the same.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

from edgecls.log import Say, log_warning
from edgecls.run.arguments import check_arguments
from edgecls.run.bundle_keeper import BundleKeeper, begin_with_bundle, known_failures
from edgecls.run.cameras import open_cameras
from edgecls.run.detectors import Detectors
from edgecls.run.given import configured, read_given
from edgecls.run.model import load_classifier
from edgecls.run.pipeline import Pipeline
from edgecls.run.ready import checks_of
from edgecls.run.reload import Reload
from edgecls.run.shadow import load_shadow
from edgecls.run.site import Site
from edgecls.vitals.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from edgecls.detect.detector import Detector
    from edgecls.detect.settings import DetectorSettings
    from edgecls.drift.history import DriftState
    from edgecls.event import Event
    from edgecls.events.rules import CountingLine, Zone
    from edgecls.frame import Result, StateChange
    from edgecls.model.classifier import Classifier
    from edgecls.regions.motion import MotionSettings
    from edgecls.run.config import Config
    from edgecls.run.model_state import ModelState
    from edgecls.run.shadow import Shadow
    from edgecls.sink import Sink, SinkSettings
    from edgecls.source import Merged


class Run:
    """Reads cameras, classifies their frames, detects events, and passes results and events to the sinks and the caller.

    Model, cameras and sinks are opened when a run is created, and closed by `close` or at the end of the `with` block. One
    thread iterates over the results; other threads may call `stop` and `reload`.

    Attributes:
        config: The current configuration.
        frames: The opened cameras; `frames.skipped` is the number of skipped frames.
        sinks: The open sinks. You may append others, which you then close yourself.
        bundles: The signed bundles of this device; None without a table [bundle].
        vitals: Whether the loop moves, and what is not delivered. May be asked from any thread.

    Example:
        sources = ["gate=rtsp://10.0.0.7/1"]
        with edgecls.Run(model="street.onnx", sources=sources, motion=True, sinks=["mqtt://broker/traffic"]) as run:
            for result, events in run:
                for event in events:
                    print(event.camera, event.kind, event.label)
    """

    def __init__(  # noqa: PLR0913 - each is an option of the command
        self,
        config: Config | str | Path | None = None,
        *,
        model: str | Path | None = None,
        sources: Sequence[int | str | Path] = (),
        zones: Mapping[str, Sequence[float]] | Sequence[Zone] | None = None,
        lines: Mapping[str, Sequence[float]] | Sequence[CountingLine] | None = None,
        motion: bool | MotionSettings = False,
        detector: str | Path | DetectorSettings | None = None,
        sinks: Sequence[str | SinkSettings] = (),
        spool: str | Path | None = None,
        say: Say = log_warning,
        shield: Callable[[Callable[[], None]], None] | None = None,
        read: Callable[[], Config] | None = None,
    ) -> None:
        """Load the model, open the cameras and the sinks.

        Args:
            config: The path of a cameras.toml, or a `Config`. Without it, `sources` are required, and `model` or `detector`.
            model: The .onnx file; overrides the model in `config`.
            sources: Camera numbers or devices, video files, folders of pictures and URLs, each with an optional name:
                "gate=rtsp://10.0.0.7/1". Cannot be combined with `config`.
            zones: Parts of every frame to classify, by name: (x, y, width, height) as fractions of the frame, 0 to 1. Or a list
                of `Zone`, which may also watch moving objects. Cannot be combined with `config`.
            lines: Lines at which objects are counted, by name: (x1, y1, x2, y2) as fractions of the frame, 0 to 1. Their sides
                are called "left" and "right", as seen from the first point. Or a list of `CountingLine`, whose sides have names
                of your own. Cannot be combined with `config`.
            motion: Whether to classify and track moving objects instead of the whole frame, or what counts as motion. Lines and
                zones of objects imply it. Cannot be combined with `config`.
            detector: A detector that finds the objects instead: its file, or its settings. Given its file, it names the
                objects, and with a model both do, such as "vehicle/van". Cannot be combined with `config`.
            sinks: Where results and events go besides the caller: specifications such as "jsonl:out.jsonl", or settings. They
                are added to those in `config`.
            spool: Folder for events that wait for delivery; default as in `open_sink`.
            say: Called with a one-line message for problems that do not end the run.
            shield: Called with a function that must not be interrupted. Only for programs whose signal handlers raise.
            read: Reads the configuration again when another bundle is in use. Default: as the arguments say.

        Raises:
            ConfigError: An argument or a setting is invalid, or a rule names a label that the model does not have.
            ModelError: The model cannot be loaded.
            SourceError: A file or folder cannot be opened. Cameras and streams that are offline are opened later.
            SinkError: A sink cannot be opened.
        """
        self._shield = shield or (lambda write: write())
        self._stopped = threading.Event()
        self._is_finished = False
        self.last_events: list[Event] = []
        """Events that ended because the run ended; empty until then."""
        check_arguments(
            config=config, model=model, sources=sources, zones=zones, lines=lines, motion=motion, detector=detector,
            sinks=sinks, spool=spool, say=say,
        )  # fmt: skip
        again = partial(
            configured, config, model, sources, zones=zones, lines=lines, motion=motion, detector=detector, sinks=sinks
        )  # fmt: skip
        read = read or again
        config = again()
        with known_failures(config):
            config = begin_with_bundle(config, read, say)
            classifier, detectors = load_classifier(config, say), Detectors.load(config, say)
            self._detectors = detectors
            with ExitStack() as stack:
                self.frames: Merged = stack.enter_context(open_cameras(config, classifier=classifier, say=say))
                site = Site(config, self.frames, classifier=classifier, detectors=detectors, spool=spool, say=say)
                self._site = stack.enter_context(site)
                self.frames.on_state(self._write_state)
                shadow = load_shadow(config, classifier, say)
                self._stack = stack.pop_all()
            pipeline = Pipeline(classifier, regions=self._site.regions, health=self._site.health, shadow=shadow)
            self._results = pipeline.over(self.frames)
            self._reload = Reload(
                self._site, classifier, shadow=shadow, frames=self.frames, pipeline=pipeline, shield=self._shield, say=say
            )
            self._stack.callback(self._reload.keeper.close)
            self.vitals = Vitals(checks_of(self._site, self._reload.keeper))
            self._reload.begin(self.vitals)
            self.bundles: BundleKeeper | None = None
            if config.bundle is not None:
                self.bundles = BundleKeeper(config.bundle, read=read, reload=self._reload, say=say)
                self._stack.callback(self._close_bundles)

    @property
    def config(self) -> Config:
        """The current configuration; `reload` changes it."""
        return self._site.config

    @property
    def sinks(self) -> list[Sink]:
        """The open sinks. You may append others, which you then close yourself."""
        return self._site.sinks

    @property
    def classifier(self) -> Classifier | None:
        """The loaded model; `reload` may change it. None if detectors name all objects."""
        return self._reload.classifier

    @property
    def shadow(self) -> Shadow | None:
        """The shadow model that sees the same crops; None without one."""
        return self._reload.shadow

    @property
    def detectors(self) -> dict[str, Detector]:
        """The loaded detector of each camera that has one, by the name of the camera."""
        return self._detectors.in_use

    @property
    def drift(self) -> list[DriftState]:
        """What is known of the drift of each camera. May be asked for from any thread."""
        return self._site.drift.states()

    @property
    def named_sinks(self) -> dict[str, Sink]:
        """The sinks of the configuration, by their names in messages."""
        return self._site.named_sinks

    @property
    def models(self) -> ModelState:
        """How the model, its shadow and its trial are doing. May be asked for from any thread."""
        return self._reload.keeper.state()

    def __iter__(self) -> Iterator[tuple[Result, list[Event]]]:
        """Yield each result with the events that begin or end with it, after the sinks have received both.

        Ends when all cameras have ended, a sink is done, or `stop` is called. Events that end because the run ends are in
        `last_events`.
        """
        while (result := self.read()) is not None:
            yield result, self.write(result)
        self.finish()

    def read(self) -> Result | None:
        """Wait for the next result. Returns None at the end. Pass each result to `write` before reading the next."""
        if self.vitals.stage == "starting":
            self.vitals.running(self.frames.between)
        if self._stopped.is_set() or any(sink.done for sink in self.sinks):
            return None
        try:
            return next(self._results, None)
        except _StoppedError:
            return None

    def write(self, result: Result) -> list[Event]:
        """Pass a result, and the events that begin or end with it, to all sinks. Returns these events."""
        events = self._site.write(result) + self._reload.keeper.step(result)
        self.vitals.saw(result)
        if self.bundles is not None:
            self.bundles.step(result)
        return events

    def finish(self) -> None:
        """End all ongoing events, after the last result. The sinks get them, and they are in `last_events`."""
        if not self._is_finished:
            self._is_finished = True
            self.vitals.over()
            self.last_events = self._site.finish()

    def stop(self) -> None:
        """End the run without waiting for the next frame. May be called from any thread."""
        self._stopped.set()
        self.frames.between(_stop)

    def reload(self, config: Config | str | Path, *, is_over: threading.Event | None = None) -> str:
        """Switch to another configuration without a pause. Whatever is the same in both keeps running.

        Call this from another thread than the one that reads the results. It blocks until the change is in effect.

        Args:
            config: The path of a cameras.toml, or a `Config`.
            is_over: An event that ends the wait because no more results are read. Default: set by `stop`.

        Returns:
            One line that describes the changes; "" if the run ended first.

        Raises:
            EdgeclsError: The new configuration cannot be run. The run goes on as before.
        """
        return self._reload(read_given(config), is_over or self._stopped)

    def close(self) -> None:
        """Close the sinks and the cameras."""
        self._stack.close()

    def __enter__(self) -> Self:
        """Return the run, which is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Call `finish`, unless an error ended the run, and close everything."""
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()

    def _close_bundles(self) -> None:
        if self.bundles is not None:
            self.bundles.close(is_clean=self._is_finished)

    def _write_state(self, change: StateChange) -> None:
        self.vitals.changed(change)
        self._shield(partial(self._site.write_state, change))


class _StoppedError(Exception):
    """Ends the wait for the next frame."""


def _stop() -> None:
    raise _StoppedError
