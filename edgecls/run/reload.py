"""Switching a run to another configuration while its cameras keep running.

New sources and sinks are opened, and a new model is loaded, while frames are still classified as before. The switch then
happens between two frames. If anything fails, the run goes on with its last good configuration.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.files import stamp_of
from edgecls.run.keeper import Keeper
from edgecls.run.model import labels_in, load_classifier
from edgecls.run.notes import notes_on
from edgecls.run.shadow import load_shadow
from edgecls.sink import close_sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.log import Say
    from edgecls.model.classifier import Classifier
    from edgecls.run.config import Config
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.plan import Plan
    from edgecls.run.shadow import Shadow
    from edgecls.run.site import Site
    from edgecls.sink import Sink
    from edgecls.source import Merged
    from edgecls.vitals.vitals import Vitals

ASK_EVERY_S = 0.1


class Reload:
    """Switches a run to other configurations: its site, its cameras and its model."""

    def __init__(
        self, site: Site, classifier: Classifier | None, *, shadow: Shadow | None, frames: Merged, pipeline: Pipeline,
        shield: Callable[[Callable[[], None]], None], say: Say,
    ) -> None:  # fmt: skip
        """Start with `classifier`, which has just been loaded for the configuration of the site."""
        self.classifier = classifier
        self.keeper = Keeper(site, reload=self, is_behind=self._is_behind, say=say)
        self._shadow = shadow
        self._lock = threading.Lock()
        self._site = site
        self._frames = frames
        self._pipeline = pipeline
        self._shield = shield
        self._say = say
        self._vitals: Vitals | None = None
        self._loaded, self._loaded_shadow = _model_of(site.config), _shadow_of(site.config)
        self.keeper.start(classifier, shadow)

    def begin(self, vitals: Vitals) -> None:
        """Pass the vital signs of the run to its sinks, and to those that later configurations open."""
        self._vitals = vitals
        for sink in self._site.sinks:
            sink.attend(vitals)

    @property
    def config(self) -> Config:
        """The configuration of the run."""
        return self._site.config

    @property
    def shadow(self) -> Shadow | None:
        """The loaded shadow model."""
        return self._shadow

    def __call__(self, config: Config, is_over: threading.Event) -> str:
        """Switch to a configuration. Must be called from another thread than the one that reads the frames.

        Args:
            config: The new configuration.
            is_over: Is set when the run has ended, so that no more frames are read.

        Returns:
            One line that describes the changes; "" if the run ended first.

        Raises:
            EdgeclsError: The configuration cannot be run. Nothing has changed.
        """
        with self._lock:  # the keeper of the model may reload, too
            return self._reload(config, is_over)

    def _reload(self, config: Config, is_over: threading.Event) -> str:
        _check_same_bundle(self._site.config, config)
        model, of_shadow = _model_of(config), _shadow_of(config)
        is_other = model != self._loaded
        classifier = load_classifier(config, self._say) if is_other else self.classifier
        is_anew = is_other or of_shadow != self._loaded_shadow
        shadow = load_shadow(config, classifier, self._say) if is_anew else self._shadow
        before = notes_on(self._site.config, labels_in(self.classifier))
        for note in notes_on(config, labels_in(classifier)):
            if note not in before:
                self._say(f"note: {note}")
        plan = self._site.prepare(config, classifier=classifier)
        done = threading.Event()
        leaving: list[Sink] = []
        self._frames.between(partial(self._shield, partial(self._change, plan, classifier, shadow, leaving, done)))
        while not (done.wait(ASK_EVERY_S) or is_over.is_set()):
            pass
        if not done.is_set():
            plan.drop()
            return ""
        self._loaded, self._loaded_shadow, self._shadow = model, of_shadow, shadow
        for sink in leaving:
            close_sink(sink, self._say)
        return f"{plan}; model: {config.model or 'none'}" if is_other else str(plan)

    def _change(
        self, plan: Plan, classifier: Classifier | None, shadow: Shadow | None, leaving: list[Sink], done: threading.Event
    ) -> None:  # fmt: skip
        """Make the switch, in the thread that reads the frames."""
        before, is_other = self._site.config.model, classifier is not self.classifier
        self._pipeline.use(classifier, shadow)
        self.classifier = classifier
        leaving += self._site.change(plan)
        if self._vitals is not None:
            self.begin(self._vitals)
        if is_other or shadow is not self._shadow:
            is_same_path = before == self._site.config.model
            self.keeper.switched(classifier, shadow, is_other_model=is_other, is_same_path=is_same_path)
        done.set()

    def _is_behind(self) -> bool:
        """Return whether the model file was replaced since it was loaded."""
        now = _model_of(self._site.config)
        return now[:4] == self._loaded[:4] and len(now) > 4 and now != self._loaded


def _check_same_bundle(now: Config, then: Config) -> None:
    """Raise ConfigError if a run would change to another bundle than the one in use, because that one does not fit."""
    if then.bundled is not None and then.bundled.fault and (now.bundled is None or now.bundled.id != then.bundled.id):
        raise ConfigError(then.bundled.fault)


def _model_of(config: Config) -> tuple[object, ...]:
    """Return what identifies the model, including size and time of its file, which may have been replaced."""
    try:
        stat = Path(config.model).stat()
    except OSError:  # loading it reports the error
        return config.model, config.device, config.threads, config.on_mismatch
    return config.model, config.device, config.threads, config.on_mismatch, *stamp_of(stat)


def _shadow_of(config: Config) -> tuple[object, ...]:
    """Return what identifies the shadow model, including its file."""
    try:
        stat = Path(config.shadow.model if config.shadow else "").stat()
    except OSError:
        return (config.shadow,)
    return config.shadow, *stamp_of(stat)
