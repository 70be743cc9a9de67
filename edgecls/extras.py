"""Packages that an extra brings: import one, or say which command installs it.

TensorFlow's C++ side greets on stderr before any of its settings can stop it, so its stderr is closed while it loads.
An import that fails still raises.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_AT_A_TIME = threading.RLock()  # else the second one takes the first one's file for stderr, and puts that back


def load(package: str, *, extra: str, purpose: str) -> Any:
    """Import `package` and return it. Raises MissingExtraError with the command that installs `extra`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with Path(os.devnull).open("wb") as nowhere, native_stderr(nowhere.fileno()):
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or package, extra, purpose) from error


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
