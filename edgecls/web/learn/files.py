"""The learned models beside the model in use: `street-learned-3.onnx` and its record, `street-learned-3.json`. Its latest
comparison is `street-learned-3.compared.json`, which is replaced by the next one.

A model is made in a hidden folder of its own and gets its names when it is whole; no file is ever overwritten. It counts only
if its record names its content, so neither a half file nor one that was changed since is taken for a learned model. Folders
that a killed run has left are deleted when the next model is begun.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.files import read_regular, stamp_of, whole_file
from edgecls.files.locks import try_lock
from edgecls.files.writing import unlink_quietly
from edgecls.model import vet
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MODEL, RECORD, COMPARED = ".onnx", ".json", ".compared.json"
LOCK = "lock"
FRESH_S = 60.0
"""A folder without a lock that is younger may be about to get one."""
MOST_BYTES = 256 << 20
COMPARISON = {
    "store": str, "in_use": str, "verdict": str, "meaning": list, "notes": list, "pictures": int, "fixed": int, "broken": int,
    "old": dict, "new": dict, "classes": list,
}  # fmt: skip
"""What a comparison has; a file with something else is none."""
CHANGED = "the file was changed since it was learned, so its figures no longer belong to it; learn again"
NO_RECORD = "its record is missing or damaged; learn again"


class LearnedModel(NamedTuple):
    """A learned model on the disk.

    Attributes:
        name: The name of its file.
        path: The file.
        at_s: When it was learned, in seconds since 1970.
        size: In bytes.
        digest: The SHA-256 of its content.
        record: What `edgecls learn --record` wrote, without the answers to single pictures; {} if there is none.
        why: Why it cannot be used, "" if it can.
    """

    name: str
    path: Path
    at_s: float
    size: int
    digest: str
    record: dict[str, Any]
    why: str

    @property
    def record_path(self) -> Path:
        """The file of its record."""
        return self.path.with_suffix(RECORD)


class LearnedFiles:
    """Finds, and adds, the learned models beside a model. What has not changed is not read again."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._read: dict[Path, tuple[tuple[int, ...], Any]] = {}

    def beside(self, model: str | Path) -> list[LearnedModel]:
        """Return the learned models beside a model in use, the latest first."""
        place = Path(model)
        numbers = sorted(_numbers(place, MODEL), reverse=True)
        return [self._found(_path(place, number, MODEL)) for number in numbers]

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file, "" if it cannot be read."""
        return self._cached(path, lambda: hashlib.sha256(vet.read(path)).hexdigest()) or ""

    def add(self, model: str | Path, made: Path) -> Path:
        """Give a new model and its record, `made` and the file beside it, their names beside a model in use.

        Returns the file. Raises ConfigError if the record is not that of the model, and OSError.
        """
        record = made.with_suffix(RECORD)
        if self._recorded(record).get("model_sha256") != self.digest(made):
            raise ConfigError("the model is not whole; learn again")
        place = Path(model)
        first = max([0, *_numbers(place, MODEL), *_numbers(place, RECORD)]) + 1
        for number in itertools.count(first):
            target = _path(place, number, MODEL)
            with contextlib.suppress(FileExistsError):
                _name({record: target.with_suffix(RECORD), made: target})
                return target
        raise AssertionError

    def compared(self, model: LearnedModel) -> tuple[str, dict[str, Any]] | None:
        """Return the latest comparison of a learned model, after the digests of both models; None if there is none."""
        path = model.path.with_suffix(COMPARED)
        return self._cached(path, lambda: _comparison(path))  # type: ignore[no-any-return]  # what it returns

    def keep_compared(self, model: LearnedModel, digests: str, found: dict[str, Any]) -> None:
        """Write the latest comparison of a learned model. Raises SinkError."""
        with whole_file(model.path.with_suffix(COMPARED)) as beside:
            beside.write_text(dumps({"models": digests, "comparison": found}), encoding="utf-8")

    def _found(self, path: Path) -> LearnedModel:
        try:
            status = path.stat()
            at_s, size = status.st_mtime, status.st_size
        except OSError:
            at_s, size = 0.0, 0
        record, digest = self._recorded(path.with_suffix(RECORD)), self.digest(path)
        why = NO_RECORD if not record else CHANGED if record["model_sha256"] != digest else ""
        return LearnedModel(path.name, path, at_s, size, digest, record, why)

    def _recorded(self, path: Path) -> dict[str, Any]:
        return self._cached(path, lambda: _record(path)) or {}

    def _cached(self, path: Path, read: Callable[[], Any]) -> Any:
        """Return what `read` returns for a file as it is now; None if that fails."""
        try:
            state = stamp_of(path.stat())
            known = self._read.get(path)
            if known is None or known[0] != state:
                known = self._read[path] = (state, read())
        except (OSError, EdgeclsError):
            return None
        return known[1]


@contextlib.contextmanager
def work_folder(model: str | Path) -> Iterator[Path]:
    """Yield a new hidden folder beside a model, which is deleted at the end, also by the next one if this process is killed.

    Raises OSError.
    """
    place = Path(model)
    prefix = f".{_stem(place)}-learning-"
    for left in place.parent.glob(f"{_escaped(prefix)}*"):
        _delete_left(left)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
    try:
        with (folder / LOCK).open("wb") as file:
            with contextlib.suppress(OSError):  # a file system without locks
                try_lock(file.fileno())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def name_of_new(model: str | Path) -> str:
    """Return the name, without a number, of models that are learned beside a model."""
    return f"{_stem(Path(model))}-learned{MODEL}"


def _delete_left(folder: Path) -> None:
    """Delete the folder of a process that was killed, not that of one that is learning."""
    try:
        with (folder / LOCK).open("rb") as file:
            if not try_lock(file.fileno()):
                return
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime < FRESH_S:
                return
    except OSError:
        return
    shutil.rmtree(folder, ignore_errors=True)


def _record(path: Path) -> dict[str, Any]:
    data = read_regular(path, error=ConfigError, most_bytes=MOST_BYTES)
    try:
        record = dict(loads(data.decode("utf-8")))
        checked = {key: record[key] for key in ("model_sha256", "labels", "pictures", "scored", "classes", "curve", "advice")}
    except (ValueError, TypeError, KeyError):
        return {}
    record.pop("held_out", None)
    return record | checked


def _comparison(path: Path) -> tuple[str, dict[str, Any]] | None:
    try:
        record = loads(read_regular(path, error=ConfigError, most_bytes=MOST_BYTES).decode("utf-8"))
        found = dict(record["comparison"])
        is_whole = all(isinstance(found[key], kind) for key, kind in COMPARISON.items())
    except (ValueError, TypeError, KeyError):
        return None
    return (str(record["models"]), found) if is_whole else None


def _name(targets: Mapping[Path, Path]) -> None:
    """Give files, in order, names that nothing has: all of them or none. Raises FileExistsError if something has one."""
    reserved: list[Path] = []
    try:
        for target in targets.values():
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            reserved.append(target)
        for made, target in targets.items():
            os.replace(made, target)  # noqa: PTH105 - os.replace is documented as atomic
    except OSError:
        for target in reserved:
            unlink_quietly(target)
        raise


def _numbers(place: Path, suffix: str) -> list[int]:
    pattern = re.compile(rf"{re.escape(_stem(place))}-learned-([1-9][0-9]{{0,8}}){re.escape(suffix)}")
    with contextlib.suppress(OSError):
        return [int(found[1]) for path in place.parent.iterdir() if (found := pattern.fullmatch(path.name))]
    return []


def _path(place: Path, number: int, suffix: str) -> Path:
    return place.with_name(f"{_stem(place)}-learned-{number}{suffix}")


def _stem(place: Path) -> str:
    """Return the name without its suffix and without the number of a learned model."""
    return re.sub(r"-learned-[0-9]+$", "", place.stem)


def _escaped(prefix: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", prefix)
