"""What all test processes share: the first one that needs it makes it, the others read it."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from typing import TYPE_CHECKING, TypeVar

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

Made = TypeVar("Made")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What `make` returns for an empty folder that it may fill. With pytest-xdist one process calls it; the others wait for it
    and get a copy of what it returned, with the same folder, so tests only read the folder.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.platform == "win32":  # Windows has no flock
        return make(factory.mktemp(name))
    root = factory.getbasetemp().parent
    folder, kept = root / name, root / f"{name}.pickle"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            folder.mkdir()
            kept.write_bytes(pickle.dumps(make(folder)))
        return pickle.loads(kept.read_bytes())  # noqa: S301 - written above
