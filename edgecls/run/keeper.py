"""Watches over the model of a run: compares it with its shadow, promotes that, tries it out, and takes it back.

`step` is called after each frame by the thread that reads them, and `switched` by the same thread between two frames. Files are
replaced and models loaded in a thread of their own, so no frame waits.
"""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import EdgeclsError
from edgecls.run.agreement import Agreement
from edgecls.run.model_state import ModelState
from edgecls.run.shadow_settings import PromoteSettings, TrialSettings
from edgecls.run.swap import previous_of, swap_back, swap_model
from edgecls.run.trial import FEWEST, Scores, Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.frame import Result
    from edgecls.log import Say
    from edgecls.model.classifier import Classifier
    from edgecls.run.config import Config
    from edgecls.run.shadow import Shadow
    from edgecls.run.site import Site

WATCH_EVERY_S = 1.0
"""How often it is checked whether the model file was replaced."""
END_WAIT_S = 10.0


class Keeper:
    """Keeps the best model in place. Created together with a run, and closed with it."""

    def __init__(
        self, site: Site, *, reload: Callable[[Config, threading.Event], str], is_behind: Callable[[], bool], say: Say
    ) -> None:
        """Watch over the model of a site.

        Args:
            site: The site, to which the steps are reported.
            reload: Switches to a configuration, as `Reload` does.
            is_behind: Returns whether the model file is another one than the loaded one.
            say: Called with a one-line message for each step.
        """
        self._site = site
        self._reload = reload
        self._is_behind = is_behind
        self._say = say
        self._shadow: Shadow | None = None
        self._common: set[str] | None = None
        self._window = self._whole = Agreement()
        self._cost_ms = self._whole_cost_ms = 0.0
        self._last: tuple[str, float | None] = ("", None)
        self._scores = Scores()
        self._trial: Trial | None = None
        self._digest = ""
        self._reason = ("", "", 1.0)
        self._told: list[Event] = []
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._checked_s = time.monotonic()
        self._is_noticed = False

    def start(self, classifier: Classifier | None, shadow: Shadow | None) -> None:
        """Begin with the models that a run has loaded."""
        self._digest = _digest(self._site.config.model)
        self._use(classifier, shadow)

    def state(self) -> ModelState:
        """Return how the models are doing. May be called from any thread."""
        shadow, trial, whole, (last, at_s) = self._shadow, self._trial, self._whole.copy(), self._last
        return ModelState(
            model=self._site.config.model,
            shadow="" if shadow is None else shadow.settings.model,
            agreement=None if shadow is None else whole,
            cost_ms=self._whole_cost_ms / max(1, whole.frames),
            trial=None if trial is None else trial.state,
            last=last,
            last_at_s=at_s,
        )

    @property
    def digest(self) -> str:
        """The SHA-256 of the model file in use, in hexadecimal digits; "" without a model."""
        return self._digest

    def because(self, step: str, why: str, score: float) -> None:
        """Name the step that the next switch to another model is."""
        self._reason = step, why, score

    def step(self, result: Result) -> list[Event]:
        """Process a frame, after the sinks have received it. Returns the steps of the model since the last call, as events."""
        if self._trial is not None:
            self._try(self._trial, result)
        else:
            self._scores.add(result)
        if self._shadow is not None and result.timing.shadow_ms is not None:
            self._compare(self._shadow, result, result.timing.shadow_ms)
        self._watch()
        told, self._told = self._told, []
        return told

    def switched(
        self, classifier: Classifier | None, shadow: Shadow | None, *, is_other_model: bool, is_same_path: bool
    ) -> None:
        """Note that the run has just switched to other models."""
        if is_other_model:
            before, self._digest = self._digest, _digest(self._site.config.model)
            (step, why, score), self._reason = self._reason, ("", "", 1.0)
            step = step or "swapped"
            settings = self._site.config.shadow
            trial = TrialSettings() if settings is None else settings.trial
            level, self._scores, self._trial = self._scores.level(), Scores(), None
            may_return = is_same_path and step != "put back" and _digest(previous_of(self._site.config.model)) == before
            if may_return and trial.frames and level.labels >= FEWEST:
                self._trial = Trial(level, trial)
                why += f"{', ' if why else ''}on trial for {trial.frames} frames"
            self._tell(step, score, why)
        self._use(classifier, shadow)

    def close(self) -> None:
        """Wait for the thread, say how far the shadow has agreed since it was last said, and close its store."""
        self._over.set()
        if self._shadow is not None and self._window.frames:
            self._say(f"model {self._site.config.model_name}: compared until the end: {self._compared(self._shadow)}")
        if self._thread is not None:
            self._thread.join(END_WAIT_S)
        if self._shadow is not None and self._shadow.pictures is not None:
            self._shadow.pictures.close()

    def _use(self, classifier: Classifier | None, shadow: Shadow | None) -> None:
        if self._shadow is not None and self._shadow is not shadow and self._shadow.pictures is not None:
            self._shadow.pictures.stop()
        self._shadow = shadow
        self._begin_window(classifier)

    def _begin_window(self, classifier: Classifier | None) -> None:
        common = None
        if self._shadow is not None and classifier is not None:
            common = set(classifier.card.labels) & set(self._shadow.classifier.card.labels)
        self._common = common
        self._window, self._cost_ms = Agreement(common), 0.0
        self._whole, self._whole_cost_ms = Agreement(common), 0.0

    def _compare(self, shadow: Shadow, result: Result, cost_ms: float) -> None:
        if shadow.pictures is not None:
            shadow.pictures.add(result, self._site.config.model_name)
        window = self._window
        for agreement in (window, self._whole):
            agreement.add(result.detections)
        self._cost_ms += cost_ms
        self._whole_cost_ms += cost_ms
        rule = shadow.settings.promote
        if window.frames < (rule or PromoteSettings()).frames:
            return
        holds = rule is not None and window.share >= rule.agree and all(
            one.share >= rule.worst for one in window.classes() if one.crops >= FEWEST
        )  # fmt: skip
        self._tell("compared", window.share, self._compared(shadow))
        self._window, self._cost_ms = Agreement(self._common), 0.0
        if holds and shadow.may_promote and self._trial is None:
            self._work(lambda config: self._promote(config, shadow, window))

    def _compared(self, shadow: Shadow) -> str:
        """Return the agreement since it was last said in a line."""
        cost_ms = self._cost_ms / self._window.frames
        return f"{Path(shadow.settings.model).name}: {self._window}; {cost_ms:.2f} ms of CPU a frame"

    def _promote(self, config: Config, shadow: Shadow, window: Agreement) -> None:
        shadow.may_promote = False  # once, whatever comes of it
        swap_model(config.model, shadow.settings.model, config=config)
        self._reason = "promoted", f"{Path(shadow.settings.model).name}, {window}", window.share

    def _try(self, trial: Trial, result: Result) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        if worse := trial.step(result):
            level, self._trial = trial.level, None
            self._work(lambda config: self._put_back(config, worse, level.score))
        elif trial.is_over:
            self._trial, level = None, trial.level
            self._tell("kept", level.score, f"its trial is over: mean score {level.score:.2f}, {level.unknown:.1%} unknown")

    def _put_back(self, config: Config, worse: str, score: float) -> None:
        swap_back(config.model, config=config)
        self._reason = "put back", f"the last good model is in place again, because with the new one {worse}", score

    def _watch(self) -> None:
        """Take a model that was put in place by another program, once its file stays the same from one look to the next."""
        now_s = time.monotonic()
        if now_s - self._checked_s < WATCH_EVERY_S or (self._thread is not None and self._thread.is_alive()):
            return
        self._checked_s = now_s
        was_noticed, self._is_noticed = self._is_noticed, self._is_behind()
        if was_noticed and self._is_noticed:
            self._is_noticed = False
            self._work(lambda _: None)

    def _work(self, act: Callable[[Config], None]) -> None:
        """Do something with the files and reload the model, in a thread."""
        if self._thread is not None and self._thread.is_alive():
            return
        config = self._site.config

        def work() -> None:
            try:
                act(config)
                self._reload(config, self._over)
            except EdgeclsError as error:
                self._say_failed(str(error))
            except Exception as error:  # noqa: BLE001 - no error may end the run
                self._say_failed(f"{type(error).__name__}: {error}")

        self._thread = threading.Thread(target=work, name="swap the model", daemon=True)
        self._thread.start()

    def _say_failed(self, why: str) -> None:
        line = f"not swapped, the run goes on with its model: {why}"
        self._last = line, time.time()
        self._say(f"model: {line}")

    def _tell(self, step: str, score: float, why: str) -> None:
        self._told += self._site.tell_of_model(step, score)
        line = f"{step}{': ' if why else ''}{why}"
        self._last = line, time.time()
        self._say(f"model {self._site.config.model_name}: {line}")


def _digest(path: str | Path) -> str:
    """Return what identifies the content of a file; "" if there is none."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""
