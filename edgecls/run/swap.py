"""Put another model file in place of the one in use, and take it back.

Beside `street.onnx`, `street.previous.onnx` is the last good model and `street.rejected.onnx` the one that was taken back. Each
file is replaced as a whole: whenever a program is killed, each of them is one model or the other, never a part.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.bundle.manifest import SIGNATURES
from edgecls.errors import ConfigError, ModelError
from edgecls.files import whole_file
from edgecls.model import vet
from edgecls.model.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Collection

    from edgecls.run.config import Config


def previous_of(model: str | Path) -> Path:
    """Return the path of the last good model beside a model in place."""
    path = Path(model).resolve()
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def rejected_of(model: str | Path) -> Path:
    """Return the path of the model that was taken back, beside a model in place."""
    path = Path(model).resolve()
    return path.with_name(f"{path.stem}.rejected{path.suffix}")


def swap_model(model: str | Path, new: str | Path, *, config: Config | None = None) -> Classifier:
    """Put a model in place of another one, which is kept beside it. A run that uses the file takes it between two frames.

    Example:
        edgecls.swap_model("street.onnx", "street-new.onnx")
        edgecls.swap_back("street.onnx")

    Args:
        model: The .onnx file in use. A link stays a link; the file that it leads to is replaced.
        new: The .onnx file to put in its place; this file stays.
        config: The configuration that it must fit, whose rules may name labels. None: any.

    Returns:
        The new model, as it was checked.

    Raises:
        ModelError: The new file is no model, or its answers differ on this machine.
        ConfigError: It is in place already, or a rule names a label that it does not have.
        SinkError: A file cannot be written. The model in place is unchanged.
    """
    _check_no_bundle(model)
    place, data = Path(model).resolve(), vet.read(new)
    old = vet.read(place)
    if data == old:
        raise ConfigError(f"{new}: it is the model in place already, so nothing was swapped")
    classifier = _checked(data, str(new), config)
    if _is_model(old, str(place)):
        _write(previous_of(place), old, like=place)
    _write(place, data, like=place)
    return classifier


def swap_back(model: str | Path, *, config: Config | None = None) -> Classifier:
    """Put the last good model back in place. The model that was there is kept beside it, as rejected. See `swap_model`."""
    _check_no_bundle(model)
    place, last = Path(model).resolve(), previous_of(model)
    if not last.is_file():
        raise ConfigError(f"{last}: there is no last good model; nothing has been swapped at {model} yet")
    data, old = vet.read(last), vet.read(place)
    if data == old:
        raise ConfigError(f"{model}: the last good model is in place already, so nothing was swapped")
    classifier = _checked(data, str(last), config)
    _write(rejected_of(place), old, like=place)
    _write(place, data, like=place)
    return classifier


def is_of_bundle(model: str | Path) -> bool:
    """Return whether a model belongs to an unpacked bundle, which is replaced as a whole."""
    return (Path(model).parent / SIGNATURES).is_file()


def is_same(one: str | Path, other: str | Path) -> bool:
    """Return whether both files exist and have the same content."""
    try:
        return Path(one).read_bytes() == Path(other).read_bytes()
    except OSError:
        return False


def label_changes(old: Collection[str], new: Collection[str]) -> str:
    """Return in words how the labels of a new model differ from those of an old one; "" if they do not."""
    lacks, adds = (", ".join(sorted({*one} - {*other})) or "none" for one, other in ((old, new), (new, old)))
    return "" if {*old} == {*new} else f"it lacks: {lacks}; new in it: {adds}"


def check_fits(config: Config, classifier: Classifier, name: str) -> None:
    """Raise ConfigError if the rules of a configuration name a label that a model of this name does not have."""
    from edgecls.run.detectors import Detectors

    Detectors.load(config, lambda _: None).check_labels(replace(config, model=name), classifier)


def _check_no_bundle(model: str | Path) -> None:
    if is_of_bundle(model):
        raise ConfigError(
            f"{model}: it is the model of a bundle, which changes as a whole: edgecls bundle apply, edgecls bundle rollback"
        )


def _checked(data: bytes, where: str, config: Config | None) -> Classifier:
    if config is None:
        return Classifier.from_bytes(data, where)
    classifier = Classifier.from_bytes(
        data, where, device=config.device, threads=config.threads, on_mismatch=config.on_mismatch
    )
    check_fits(config, classifier, where)
    return classifier


def _is_model(data: bytes, where: str) -> bool:
    """Return whether this is a model worth keeping: a damaged one must not replace the last good one."""
    try:
        vet.vet(data, where)
    except ModelError:
        return False
    return True


def _write(path: Path, data: bytes, *, like: Path) -> None:
    """Write a file as a whole, on the disk before it gets its name. It gets mode and owner of `like`, so that a run that may
    read that file may read this one, too, though root wrote it.
    """
    stat = like.stat()
    with whole_file(path) as beside, beside.open("wb") as file:
        file.write(data)
        with contextlib.suppress(OSError, AttributeError):  # only root may give files away, and Windows knows none of this
            os.chown(beside, stat.st_uid, stat.st_gid)
        with contextlib.suppress(OSError):
            beside.chmod(stat.st_mode & 0o777)
        file.flush()
        os.fsync(file.fileno())
