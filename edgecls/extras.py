"""Packages that an extra brings: import one, or say which command installs it.

TensorFlow's C++ side greets on stderr before any of its settings can stop it, so its stderr is closed while it loads.
An import that fails still raises.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from edgecls.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator


def load(package: str, *, extra: str, purpose: str) -> Any:
    """Import `package` and return it. Raises MissingExtraError with the command that installs `extra`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _native_stderr_closed():
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or package, extra, purpose) from error


@contextlib.contextmanager
def _native_stderr_closed() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
