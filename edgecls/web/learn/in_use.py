"""The models of a run on the page: which one is in use, its shadow and its trial, and how they change."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.run.swap import is_of_bundle, is_same, previous_of, rejected_of, swap_back, swap_model
from edgecls.text.redaction import public_text
from edgecls.web.answers import NotPossibleError
from edgecls.web.config.shadow_text import with_shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.run.agreement import Agreement
    from edgecls.run.config import Config
    from edgecls.run.model_state import TrialState
    from edgecls.run.run import Run
    from edgecls.web.config.file import ConfigFile

NO_RUN = "this page shows no run whose model could be changed"
NO_MODEL = "this run has no model; its detectors name all objects"
OF_BUNDLE = "the model in use is that of a signed bundle, which changes as a whole"
NO_FILE = "this run has no cameras.toml that the page may change"
CHANGING = "somebody else is changing the models of this run; look again in a moment"
MOST_INSTEAD = 3


class ModelsInUse:
    """The models of a run, and their changes, one at a time."""

    def __init__(self, run: Run | None, file: ConfigFile | None) -> None:
        """Begin.

        Args:
            run: The run; None if the page has none.
            file: Its cameras.toml, into which a shadow is written; None if it may not be changed.
        """
        self._run = run
        self._file = file
        self._over = threading.Event()
        self._changing = threading.Lock()

    @property
    def config(self) -> Config:
        """The configuration of the run. Raises NotPossibleError if there is no run, or no model in it."""
        return self._with_model().config

    def close(self) -> None:
        """Wait for no further frame."""
        self._over.set()

    def why_not_written(self) -> str:
        """Return why no model can be written beside the one in use, "" if one can."""
        folder = Path(self.config.model).parent
        if is_of_bundle(self.config.model):
            return OF_BUNDLE
        return "" if os.access(folder, os.W_OK) else f"the folder of {Path(self.config.model).name} is read-only"

    def why_no_swap(self) -> str:
        """Return why the model in use cannot be replaced, "" if it can."""
        place = Path(self.config.model).resolve()
        if is_of_bundle(self.config.model):
            return OF_BUNDLE
        if not os.access(place, os.W_OK):
            return f"{place.name} is read-only"
        return "" if os.access(place.parent, os.W_OK) else f"the folder of {place.name} is read-only"

    def why_no_way_back(self) -> str:
        """Return why the model before cannot be taken back, "" if it can."""
        place, last = Path(self.config.model), previous_of(self.config.model)
        if is_of_bundle(place):
            return OF_BUNDLE
        if not last.is_file():
            return "no model has been put in place yet"
        if is_same(place, last):
            return "the model before is in place"
        return self.why_no_swap()

    def why_no_shadow(self) -> str:
        """Return why the shadow cannot be changed, "" if it can."""
        return NO_FILE if self._file is None else str(self._file.state()["why"])

    def state(self) -> dict[str, Any]:
        """Return the shadow with its agreement, the trial, and the last step."""
        run = self._with_model()
        now, wanted = run.models, run.config.shadow
        is_running = wanted is not None and now.shadow == wanted.model
        idle = wanted is not None and not is_running
        return {
            "shadow": {
                "model": "" if wanted is None else Path(wanted.model).name,
                "share": None if wanted is None else wanted.share,
                "is_running": is_running,
                "why": "it is the model in use, so there is nothing to compare" if idle else "",
                "agreement": agreement_record(now.agreement) if is_running and now.agreement is not None else None,
                "cost_ms": round(now.cost_ms, 3),
            },
            "trial": None if now.trial is None else _trial_record(now.trial),
            "last": self.without_folders(now.last),
            "last_at_s": now.last_at_s,
        }

    def place(self, model: Path) -> None:
        """Put a model in place of the one in use, which is kept as the model before.

        Raises NotPossibleError with the reason. Then the model in use is the one before.
        """
        with self._one_change() as config:
            swap_model(config.model, model, config=config)
            self._switch(config, partial(swap_back, config.model))

    def take_back(self) -> None:
        """Put the model before back in place. Raises NotPossibleError."""
        with self._one_change() as config:
            swap_back(config.model, config=config)
            self._switch(config, partial(swap_model, config.model, rejected_of(config.model)))

    def set_shadow(self, model: Path | None) -> None:
        """Start a shadow, in the run and in cameras.toml, or stop it. Raises NotPossibleError."""
        if self._file is None:
            raise NotPossibleError(NO_FILE)
        with self._one_change():
            self._file.edit(partial(with_shadow, model=None if model is None else str(model)))

    def without_folders(self, text: str) -> str:
        """Return a text in which files are named without their folders, and addresses without secrets."""
        folders = {Path(self.config.model).parent, Path(self.config.model).resolve().parent} - {Path()}
        for folder in sorted(map(str, folders), key=len, reverse=True):
            text = text.replace(f"{folder}{os.sep}", "")
        return public_text(text)

    def _with_model(self) -> Run:
        if self._run is None:
            raise NotPossibleError(NO_RUN)
        if not self._run.config.model:
            raise NotPossibleError(NO_MODEL)
        return self._run

    def _switch(self, config: Config, undo: Callable[[], object]) -> None:
        """Let the run take the model that is in place now; if it cannot, change the file back."""
        try:
            self._with_model().reload(config, is_over=self._over)
        except BaseException as error:
            try:
                undo()
            except (EdgeclsError, OSError) as other:
                place = Path(config.model)
                raise ConfigError(
                    f"{error}; {place.name} is not the model that runs, and cannot be changed back: {other}"
                ) from error
            raise

    @contextmanager
    def _one_change(self) -> Iterator[Config]:
        config = self.config
        if not self._changing.acquire(blocking=False):
            raise NotPossibleError(CHANGING)
        try:
            yield config
        except EdgeclsError as error:
            raise NotPossibleError(self.without_folders(str(error))) from error
        finally:
            self._changing.release()


def agreement_record(found: Agreement) -> dict[str, Any]:
    """Return how far two models agree, by class, with what the shadow says instead."""
    classes = []
    for of in found.classes():
        others = sorted(((n, other) for (one, other), n in found.pairs.items() if one == of.label != other), reverse=True)
        instead = [{"label": other, "crops": n} for n, other in others[:MOST_INSTEAD]]
        classes.append({**of._asdict(), "share": round(of.share, 5), "instead": instead})
    counts = {"frames": found.frames, "crops": found.crops, "left_out": found.left_out}
    return {**counts, "share": round(found.share, 5), "classes": classes}


def _trial_record(trial: TrialState) -> dict[str, Any]:
    levels = {
        name: {"labels": level.labels, "score": round(level.score, 4), "unknown": round(level.unknown, 4)}
        for name, level in (("now", trial.now), ("before", trial.before))
    }
    return {"frames": trial.frames, "of": trial.of, **levels}
