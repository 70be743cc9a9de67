"""Packages that an extra brings: import one, or say which command installs it.

TensorFlow's C++ side greets on stderr before any of its settings can stop it, so its stderr is closed while it loads.
An import that fails still raises.
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
_ONE_AT_A_TIME = threading.RLock()  # else the second one takes the first one's file for stderr, and puts that back


def load(package: str, *, extra: str, purpose: str) -> Any:
    """Import `package` and return it. Raises MissingExtraError with the command that installs `extra`, and ConfigError for a
    backend of Keras that nothing can be trained with.
    """
    if package == "keras":
        _check_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with Path(os.devnull).open("wb") as nowhere, native_stderr(nowhere.fileno()):
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        missing = error.name or package
        if package == "keras" and missing in BACKENDS and extra == "train":
            raise MissingExtraError(missing, BACKENDS[missing], purpose, otherwise=_other_backend(missing)) from error
        raise MissingExtraError(missing, extra, purpose) from error


def backend() -> str:
    """The backend that Keras will take, as KERAS_BACKEND says."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def _check_backend() -> None:
    named = backend()
    if named not in BACKENDS:
        raise ConfigError(f"KERAS_BACKEND={named} cannot be trained with; expected {', '.join(BACKENDS)}")


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
