"""Import optional packages, or raise an error with the command that installs them.

TensorFlow's C++ code prints to stderr before any setting can prevent it, so stderr is closed while it loads. A failing
import still raises.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = {"tensorflow": "train", "jax": "train-jax", "torch": "train-torch"}
"""What Keras can train with, by the word of KERAS_BACKEND, and the extra that brings it."""
OLDEST_KERAS = (3, 11, 3)
TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime reads it when it is imported: unless it is 1 then, a device id and an event database are written under
~/.cache/Microsoft, and a name server is asked where to send them. `disable_telemetry_events()` comes too late for that."""
_ONE_AT_A_TIME = threading.RLock()  # else the second one takes the first one's file for stderr, and puts that back


def load(package: str, *, extra: str, purpose: str) -> Any:
    """Import `package` and return it. Raises MissingExtraError with the command that installs `extra`, and ConfigError for a
    backend of Keras that nothing can be trained with.
    """
    if package == "keras":
        _check_backend()
        _check_keras(purpose)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not sends_telemetry():
        os.environ[TELEMETRY] = "1"
    try:
        with Path(os.devnull).open("wb") as nowhere, native_stderr(nowhere.fileno()):
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        missing = error.name or package
        if package == "keras" and missing in BACKENDS and extra == "train":
            raise MissingExtraError(missing, BACKENDS[missing], purpose, otherwise=_other_backend(missing)) from error
        raise MissingExtraError(missing, extra, purpose) from error


def sends_telemetry() -> bool:
    """Whether ONNX Runtime may send its maker how it is used: only where the environment says ORT_DISABLE_TELEMETRY=0."""
    return os.environ.get(TELEMETRY, "").strip() == "0"


def backend() -> str:
    """The backend that Keras will take, as KERAS_BACKEND says."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def _check_backend() -> None:
    named = backend()
    if named not in BACKENDS:
        raise ConfigError(f"KERAS_BACKEND={named} cannot be trained with; expected {', '.join(BACKENDS)}")


def _check_keras(purpose: str) -> None:
    """Raise ConfigError for a Keras that runs code of a model file even in its safe mode (CVE-2025-9905, CVE-2025-9906)."""
    from importlib import metadata  # it takes as long to load as all of edgecls.model

    try:
        found = metadata.version("keras")
    except metadata.PackageNotFoundError:
        return  # the import says so
    numbers = tuple(int(part) for part in found.split(".")[:3] if part.isdecimal())
    if numbers < OLDEST_KERAS:
        oldest = ".".join(map(str, OLDEST_KERAS))
        raise ConfigError(
            f"{purpose} needs keras {oldest} or newer, here is {found}, which can run code of a model file: "
            f"pip install 'keras>={oldest}'"
        )


def _other_backend(missing: str) -> str:
    there = [name for name in BACKENDS if name != missing and _is_installed(name)]
    return f", or train with what is there: KERAS_BACKEND={there[0]}" if there else ""


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of a finder that hides packages
        return False


@contextlib.contextmanager
def native_stderr(file: int) -> Iterator[None]:
    """Meanwhile send to the file descriptor `file` what C++ and C write on stderr, which no sys.stderr catches."""
    sys.stderr.flush()
    with _ONE_AT_A_TIME:
        kept = os.dup(2)
        try:
            os.dup2(file, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
