"""From labels to a model in place: learn beside the run, compare, try as a shadow, put in place, take back."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.log import log_progress
from edgecls.text.strict_json import loads
from edgecls.web.answers import NotPossibleError, NotThereError
from edgecls.web.jobs import Job, JobRunner, record_in
from edgecls.web.learn.enough import Enough
from edgecls.web.learn.files import LearnedFiles, LearnedModel, name_of_new, work_folder
from edgecls.web.learn.in_use import ModelsInUse
from edgecls.web.teach.teaching import UNKNOWN_STORE, store_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.run.config import Config
    from edgecls.run.run import Run
    from edgecls.sink.kinds import SinkSettings
    from edgecls.web.config.file import ConfigFile

DETAILS = ("groups", "folds", "classes", "curve", "forecasts", "advice", "notes")
IS_FAIR = "Each picture counts by an answer that the model gave before it had seen the picture, or one of the same moment."
MAY_FLATTER = (
    "Nothing here is known of what {name} has learned from. If it has seen some of these pictures, its figure is too good."
)
ONE_CORE = ("--device", "cpu", "--threads", "1")
PAIRED = "Only pictures on which one model is right and the other wrong tell them apart."


class Learning:
    """What the page does with learned models. Its methods may be called from several threads."""

    def __init__(
        self, run: Run | None, outs: Callable[[], Sequence[SinkSettings]], file: ConfigFile | None, runner: JobRunner
    ) -> None:
        """Begin.

        Args:
            run: The run whose model is in use; None if the page has none.
            outs: Returns the sinks of the run, among them its stores.
            file: Its cameras.toml; None if it may not be changed.
            runner: Runs the commands; the caller closes it.
        """
        self._outs = outs
        self._in_use = ModelsInUse(run, file)
        self._files = LearnedFiles()
        self._enough = Enough()
        self._runner = runner

    def close(self) -> None:
        """Wait for no further frame."""
        self._in_use.close()

    def state(self) -> dict[str, Any]:
        """Return all that the page shows, but the details of the learned models."""
        job = self._runner.latest("learn", "compare")
        about = {"job": None if job is None else self._job_record(job)}
        try:
            config = self._in_use.config
        except NotPossibleError as error:
            nothing = {"shadow": None, "trial": None, "last": "", "last_at_s": None}
            return about | {"why": str(error), "model": None, "models": []} | nothing
        place, why = Path(config.model), self._in_use.why_not_written()
        digest = self._files.digest(place)
        found = self._files.beside(place)
        models = [
            _model_record(one, is_in_place=one.digest == digest, is_shadow=_is_shadow(config, one)) for one in found
        ]  # fmt: skip
        in_use = {
            "name": place.name,
            "learned": next((one.name for one in found if one.digest == digest and not one.why), ""),
            "why_no_swap": self._in_use.why_no_swap(),
            "why_no_way_back": self._in_use.why_no_way_back(),
            "why_no_shadow": self._in_use.why_no_shadow(),
        }
        return about | {"why": why, "model": in_use, "models": models} | self._in_use.state()

    def labels(self, key: str) -> dict[str, Any]:
        """Return whether the labels of a store are enough, see `Enough.of`. Raises NotThereError."""
        return self._enough.of(self._store(key))

    def details(self, name: str) -> dict[str, Any]:
        """Return all that is known of a learned model. Raises NotThereError."""
        model, config = self._model(name), self._in_use.config
        digest = self._files.digest(Path(config.model))
        models, compared = self._files.compared(model) or ("", None)
        record = {key: model.record.get(key, []) for key in DETAILS}
        return {
            **_model_record(model, is_in_place=model.digest == digest, is_shadow=_is_shadow(config, model)),
            **record,
            "comparison": None if compared is None else compared | {"is_current": models == digest + model.digest},
        }

    def learn(self, key: str, *, size: int | None, by: str) -> None:
        """Begin to learn from the labels of a store.

        Args:
            key: The id of the store.
            size: The side of the model's input in pixels; None takes the usual one.
            by: Who begins it.

        Raises:
            NotThereError: There is no such store.
            NotPossibleError: It has no labels, no model can be written, or something else is going on.
        """
        store, place = self._store(key), Path(self._in_use.config.model)
        why = self._in_use.why_not_written() or self._enough.of(store)["why"]
        if why:
            raise NotPossibleError(why)
        sized = [] if size is None else ["--size", str(size)]

        def work(folder: Path) -> list[str]:
            out = folder / name_of_new(place)
            files = ["--out", str(out), "--record", str(out.with_suffix(".json"))]
            return ["learn", str(store), *files, "--progress", "--threads", "1", "--about", f"labels of {store.name}", *sized]

        def use(folder: Path, _output: str) -> str:
            job.model = self._files.add(place, folder / name_of_new(place)).name
            log_progress(f"learned on the page: {job.model}")
            return job.model

        job = Job("learn", of=store.name, by=by)
        self._runner.begin(job, work, place=work_folder(place), use=use)

    def compare(self, name: str, key: str, *, by: str) -> None:
        """Begin to compare a learned model with the one in use, on the labels of a store. Raises as `learn`."""
        store, place, model = self._store(key), Path(self._in_use.config.model), self._usable(name)
        digest = self._files.digest(place)
        if digest == model.digest:
            raise NotPossibleError(f"{name} is the model in use")
        records = [one for one in self._files.beside(place) if one.digest in (digest, model.digest) and not one.why]
        own = {one.digest: str(one.record_path) for one in records}
        command = ["compare", str(place), str(model.path), str(store), "--json", *ONE_CORE, "--max-drop", "100"]
        for path in own.values():
            command += ["--held-out", path]
        fair = IS_FAIR if digest in own else MAY_FLATTER.format(name=place.name)

        def use(_folder: Path, output: str) -> str:
            found = record_in(output) | {"store": store.name, "in_use": place.name, "meaning": [fair, PAIRED]}
            self._files.keep_compared(model, digest + model.digest, _clean(found, self._clean))
            return name

        self._runner.begin(Job("compare", of=store.name, model=name, by=by), command, use=use)

    def cancel(self) -> None:
        """Stop what is being learned or compared. Raises NotPossibleError if nothing is."""
        job = self._runner.latest("learn", "compare")
        if job is None or job.state != "running":
            raise NotPossibleError("nothing is being learned or compared now")
        job.cancel()

    def start_shadow(self, name: str) -> None:
        """Let a learned model see what the model in use sees. Raises NotPossibleError."""
        self._in_use.set_shadow(self._usable(name).path)

    def stop_shadow(self) -> None:
        """Stop the shadow. Raises NotPossibleError."""
        self._in_use.set_shadow(None)

    def place(self, name: str) -> None:
        """Put a learned model in place of the one in use. Raises NotPossibleError."""
        self._in_use.place(self._usable(name).path)

    def take_back(self) -> None:
        """Put the model before back in place. Raises NotPossibleError."""
        self._in_use.take_back()

    def _job_record(self, job: Job) -> dict[str, Any]:
        stage, share = _progress(job)
        return {
            "kind": job.kind, "store": job.of, "model": job.model, "by": job.by, "state": job.state,
            "why": self._clean(job.why), "stage": stage, "share": share, "began_at_s": job.began_at_s,
        }  # fmt: skip

    def _clean(self, text: str) -> str:
        """Return a text without the folders of models, stores and of what is being made."""
        for path in store_paths(self._outs).values():
            for folder in (path.absolute(), path):
                text = text.replace(str(folder), path.name)
        with contextlib.suppress(NotPossibleError):
            text = self._in_use.without_folders(text)
        return text

    def _model(self, name: str) -> LearnedModel:
        found = next((one for one in self._files.beside(self._in_use.config.model) if one.name == name), None)
        if found is None:
            raise NotThereError("there is no such learned model; it may have been deleted")
        return found

    def _usable(self, name: str) -> LearnedModel:
        found = self._model(name)
        if found.why:
            raise NotPossibleError(f"{name}: {found.why}")
        return found

    def _store(self, key: str) -> Path:
        path = store_paths(self._outs).get(key)
        if path is None:
            raise NotThereError(UNKNOWN_STORE)
        return path


def _progress(job: Job) -> tuple[str, float | None]:
    """Return the stage and the share that is done, from the latest line of the command that says it."""
    for line in reversed(job.lines):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            record = loads(line)
            return str(record["stage"]), float(record["share"])
    return "", None


def _is_shadow(config: Config, model: LearnedModel) -> bool:
    return config.shadow is not None and Path(config.shadow.model).absolute() == model.path.absolute()


def _model_record(model: LearnedModel, *, is_in_place: bool, is_shadow: bool) -> dict[str, Any]:
    figures = {key: model.record.get(key) for key in ("right", "low", "high", "pictures", "scored")}
    return {
        "name": model.name, "at_s": round(model.at_s, 3), "bytes": model.size, "why": model.why, "is_in_place": is_in_place,
        "is_shadow": is_shadow, "labels": model.record.get("labels", []),
        **(dict.fromkeys(figures) if model.why else figures),
    }  # fmt: skip


def _clean(value: Any, of_text: Callable[[str], str]) -> Any:
    """Return a value whose texts are as `of_text` makes them."""
    if isinstance(value, dict):
        return {key: _clean(inner, of_text) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, of_text) for inner in value]
    return of_text(value) if isinstance(value, str) else value
