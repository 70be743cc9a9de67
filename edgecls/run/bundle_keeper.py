"""Watches over the bundles of a run: takes a new one, tries it out, keeps it, or rolls it back.

`step` is called after each frame by the thread that reads them. Files are read and written, and models loaded, in a thread of
their own, so no frame waits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from edgecls.bundle import BundleError, SlotState
from edgecls.bundle.state import STATE
from edgecls.errors import ConfigError, EdgeclsError
from edgecls.files import stamp_of
from edgecls.run.bundled import candidate
from edgecls.run.model import load_classifier
from edgecls.run.model_state import Level
from edgecls.run.swap import check_fits
from edgecls.run.trial import FEWEST, Scores, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgecls.bundle import Installed, PublicKey, Slot, Slots
    from edgecls.frame import Result
    from edgecls.log import Say
    from edgecls.run.bundle_settings import BundleSettings
    from edgecls.run.config import Config
    from edgecls.run.reload import Reload

WATCH_EVERY_S = 1.0
"""How often it is looked whether another program has changed the bundles."""
END_WAIT_S = 10.0
NEVER_WORSE = Level(0, 0.0, 1.0)
"""The level of a model before of which nothing is known."""


class BundleKeeper:
    """The bundles of a run. Created together with a run whose cameras.toml has a table [bundle], and closed with it.

    Attributes:
        slots: The bundles on this device.
        keys: The keys that are trusted.
    """

    def __init__(self, settings: BundleSettings, *, read: Callable[[], Config], reload: Reload, say: Say) -> None:
        """Start with the configuration of a run.

        Args:
            settings: The table [bundle].
            read: Reads the configuration again, with the bundle that is in use then.
            reload: Switches the run to another configuration.
            say: Called with a one-line message for each step.
        """
        self.slots: Slots = settings.slots
        self.keys: tuple[PublicKey, ...] = settings.trusted
        self._settings = settings
        self._read = read
        self._reload = reload
        self._say = say
        self._callbacks: list[Callable[[SlotState], None]] = []
        self._scores = Scores()
        self._before = NEVER_WORSE
        self._trial: Trial | None = None
        self._since_s = self._looked_s = time.monotonic()
        self._id = self._running_id
        self._to_keep = ""
        self._stamp = self._stamp_of_state()
        self._told: tuple[str, str, str] | None = None
        self._over = threading.Event()
        self._todo: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        state = self.state()
        if state.on_trial and state.current == self._id:
            self._begin(None if state.before is None else Level(int(state.before[0]), *state.before[1:]))
            self._todo.put(partial(self.slots.taken, state.before, id_=self._id))
        self._thread = threading.Thread(target=self._work, name="bundles", daemon=True)
        self._thread.start()

    @property
    def kept(self) -> tuple[str, ...]:
        """The settings of the bundle that the device's own cameras.toml overrides."""
        bundled = self._reload.config.bundled
        return () if bundled is None else bundled.kept

    def state(self) -> SlotState:
        """Return how the newest bundle is doing; if that is not known, only why. May be called from any thread."""
        try:
            return self.slots.state()
        except BundleError as error:
            return SlotState(reason=str(error))

    def on_change(self, callback: Callable[[SlotState], None]) -> None:
        """Call a function, in a thread of the run, whenever the newest bundle comes to another outcome."""
        self._callbacks.append(callback)

    def install(self, path: str | Path) -> Installed:
        """Check a bundle, try its model and settings on this device, and put it in use; the run takes it by itself.

        May be called from any thread but the one that reads the frames.

        Args:
            path: The bundle.

        Raises:
            BundleError: It is refused. The run goes on as before.
        """
        installed = self.slots.install(path, self.keys, check=lambda slot: check_candidate(slot, self._read))
        self._todo.put(self._look)
        return installed

    def step(self, result: Result) -> None:
        """Process a frame, after the sinks have received it."""
        if self._id != self._running_id:
            self._switched()
        now_s = time.monotonic()
        if self._trial is None:
            self._scores.add(result)
        else:
            self._try(self._trial, result, now_s)
        if now_s - self._looked_s >= WATCH_EVERY_S:
            self._looked_s = now_s
            if self._stamp_of_state() != self._stamp:
                self._todo.put(self._look)

    def close(self, *, is_clean: bool) -> None:
        """Wait for the thread, and note that the run has ended properly, if it has."""
        self._over.set()
        self._todo.put(None)
        self._thread.join(END_WAIT_S)
        if is_clean:
            self._guarded(self.slots.ended)

    @property
    def _running_id(self) -> str:
        bundled = self._reload.config.bundled
        return "" if bundled is None else bundled.id

    def _begin(self, before: Level | None) -> None:
        is_known = before is not None and before.labels >= FEWEST
        trial = self._settings.trial
        self._before = before or NEVER_WORSE
        self._trial = Trial(before if before is not None and is_known else NEVER_WORSE, trial)
        self._since_s = time.monotonic()
        limit = f"for {trial.frames} frames or {self._settings.settle_s:g} s" if trial.frames else "without a trial"
        compared = "" if is_known or not trial.frames else ", and nothing is known of the model before"
        self._say(f"{self._reload.config.bundled}: in use {limit}{compared}")

    def _switched(self) -> None:
        """Note that the run has just switched to another bundle, or to none."""
        level = self._scores.level() if self._trial is None else self._before
        self._id = self._running_id
        self._scores, self._trial = Scores(), None
        if self._id and self._id == self._waiting:
            self._begin(level)
            self._todo.put(partial(self.slots.taken, (level.labels, level.score, level.unknown), id_=self._id))
            self._todo.put(self._tell)

    @property
    def _waiting(self) -> str:
        state = self.state()
        return state.current if state.on_trial else ""

    def _try(self, trial: Trial, result: Result, now_s: float) -> None:
        worse = trial.step(result) if self._settings.trial.frames else ""
        if worse:
            self._trial = None
            self._todo.put(partial(self._roll_back, self._id, f"with it {worse}", trial.level.score))
        elif trial.is_over or now_s - self._since_s >= self._settings.settle_s:
            self._trial = None
            self._to_keep = self._id
            self._todo.put(self._keep)

    def _keep(self) -> None:
        if self.slots.keep_current(id_=self._to_keep):  # a newer bundle may be in its place, which has proved nothing
            self._say(f"{self._reload.config.bundled}: kept, its trial is over")
        self._tell()

    def _roll_back(self, id_: str, why: str, score: float) -> None:
        bad = self._reload.config.bundled
        try:
            self.slots.roll_back(why, id_=id_)
        except BundleError as error:
            if error.reason != "other":
                raise
            self._look()  # a newer bundle is in its place, or somebody has rolled it back
            return
        self._reload.keeper.because("put back", f"the bundle before is in use again, because {why}", score)
        self._take()
        self._say(f"{bad}: rolled back, because {why}; now {self._reload.config.bundled}")
        self._tell()

    def _look(self) -> None:
        """Take the bundle that is in use now, if it is another one than that of the run."""
        self._stamp = self._stamp_of_state()
        state = self.state()
        if state.current != self._running_id:
            try:
                self._take()
            except EdgeclsError as error:
                if not (state.on_trial and state.id == state.current):
                    raise
                self.slots.roll_back(str(error), outcome="refused", id_=state.current)
                self._say(f"bundle {state.name} {state.version}: refused, the run goes on as before: {error}")
        self._tell()

    def _take(self) -> None:
        config = self._read()
        if config.bundled is not None and config.bundled.fault:  # then it holds another bundle, perhaps the one that runs
            raise ConfigError(config.bundled.fault)
        self._reload(config, self._over)

    def _tell(self) -> None:
        """Tell those who want to know of another outcome."""
        state = self.state()
        now = (state.id, state.outcome, state.reason)
        if now != self._told:
            self._told = now
            for callback in self._callbacks:
                callback(state)

    def _work(self) -> None:
        while (act := self._todo.get()) is not None:
            if not self._over.is_set() or act == self._keep:
                self._guarded(act)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except EdgeclsError as error:
            self._say(f"bundles: {error}")
        except Exception as error:  # noqa: BLE001 - no error may end the run
            self._say(f"bundles: {type(error).__name__}: {error}")

    def _stamp_of_state(self) -> tuple[int, ...]:
        try:
            return stamp_of((self.slots.folder / STATE).stat())
        except OSError:
            return ()


def check_candidate(slot: Slot, read: Callable[[], Config]) -> None:
    """Try a bundle with the configuration of this device. Raises EdgeclsError if it does not fit, or answers otherwise here."""
    with candidate(slot):
        config = read()
    classifier = load_classifier(config, lambda _: None)
    if classifier is not None:
        check_fits(config, classifier, config.model)


def begin_with_bundle(config: Config, read: Callable[[], Config], say: Say) -> Config:
    """Note that a run begins with a configuration. Returns the one to use.

    A bundle on trial is rolled back if it does not fit, or if the runs before have ended without closing.
    """
    if config.bundle is None or config.bundled is None:
        return config
    slots = config.bundle.slots
    try:
        before, state = slots.state(), slots.starting()
        if state.current != before.current:
            say(f"bundle {state.name} {state.version}: rolled back, because {state.reason}")
            config = read()
        elif state.on_trial:
            config = _tried(config, read, say)
        elif config.bundled is not None and config.bundled.fault:
            say(f"the run begins with {config.bundled}: {config.bundled.fault}")
    except BundleError as error:
        say(f"the run begins with {config.bundled}: {error}")
    for setting in () if config.bundled is None else config.bundled.kept:
        say(f"note: {config.bundled} sets {setting} too; the value of cameras.toml is kept")
    return config


@contextlib.contextmanager
def known_failures(config: Config) -> Iterator[None]:
    """Do not count a start within the trial of a bundle that fails for a known reason, such as a missing file or a signal."""
    try:
        yield
    except BaseException as error:
        if config.bundle is not None and (isinstance(error, EdgeclsError) or not isinstance(error, Exception)):
            with contextlib.suppress(EdgeclsError):
                config.bundle.slots.ended()
        raise


def _tried(config: Config, read: Callable[[], Config], say: Say) -> Config:
    """Return a configuration with a bundle on trial that can be used, or else with the one before."""
    bundled, settings = config.bundled, config.bundle
    if bundled is None or settings is None:
        return config
    fault = bundled.fault
    if not fault and bundled.slot is not None:
        try:
            check_candidate(bundled.slot, read)
        except EdgeclsError as error:
            fault = str(error)
    if not fault:
        return config
    state = settings.slots.state()
    settings.slots.roll_back(fault, outcome="refused", id_=state.current)
    found = read()
    say(f"bundle {state.name} {state.version}: refused, the run begins with {found.bundled}: {fault}")
    return found
