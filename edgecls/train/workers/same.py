"""What must be the same on all workers before they begin: versions, settings, and the files that they begin with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls._version import __version__
from edgecls.errors import ConfigError
from edgecls.settings import as_table, check

if TYPE_CHECKING:
    from edgecls.train.config import TrainConfig
    from edgecls.train.workers.team import Team
    from edgecls.train.workers.worker import Worker

PACKAGES = ("keras", "jax", "numpy")


def check_same_settings(team: Team, config: TrainConfig, *, resume: bool) -> None:
    """Check that the workers of a run were started for the same run.

    The path of the data may differ: their pictures are compared when they have been read.

    Raises:
        ConfigError: A version, a setting or a file differs.
    """
    versions = {name: _version(name) for name in PACKAGES}
    python = ".".join(platform.python_version_tuple()[:2])
    team.agree({"edgecls": __version__, "python": python, **versions}, "the version of ", error=ConfigError)
    team.agree({"resume": resume, **_settings(config)}, "the setting ", error=ConfigError)
    files = {"weights": config.weights, **{f"teacher {n}": path for n, path in enumerate(config.teachers, 1)}}
    team.agree({name: _hash(path) for name, path in files.items() if path}, "the file of ", error=ConfigError)


def check_batch(config: TrainConfig, worker: Worker | None) -> None:
    """Check that a batch has a picture for each worker. Raises ConfigError."""
    workers = worker.workers if worker is not None else 1
    check("batch", config.batch, config.batch >= workers, f"at least {workers}, a picture for each of the `workers`")


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Return the settings by name, such as "augment.scale", without paths of files."""
    placeless = replace(config, data=replace(config.data, path="-"), weights="", teachers=("",) * len(config.teachers))
    found: dict[str, Any] = {}
    for name, value in as_table(placeless).items():
        found.update({f"{name}.{inner}": it for inner, it in value.items()} if isinstance(value, dict) else {name: value})
    return found


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _hash(path: str) -> str:
    """Return a hash of a file; "missing" if it cannot be read, which whoever needs it says better."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return "missing"
