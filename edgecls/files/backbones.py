"""Keep built backbones in the user's cache. A file is named after what it was made from and what it contains.

`efficientnet-lite0-KEY-CONTENT.onnx`: KEY changes with the weights and with the way of building, CONTENT is the SHA-256 of the
bytes. So a file that was damaged is recognized and built again, and another version of edgecls keeps its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import TYPE_CHECKING

from edgecls.errors import SinkError
from edgecls.files import read_small, unlink_quietly, whole_file
from edgecls.files.cache import user_cache
from edgecls.files.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = "backbones"
LARGEST_BYTES = 100_000_000
DIGITS = 16
"""Hexadecimal digits of each hash in the name of a file."""
POLL_S = 0.1


def kept(name: str, key: str, build: Callable[[], bytes]) -> tuple[Path, bytes]:
    """Return the path and the bytes of a file in the cache; if it is missing or damaged, build it.

    Processes that ask at the same time build it once: the others wait.

    Args:
        name: The beginning of its name.
        key: A SHA-256 of everything that the content depends on.
        build: Returns the content.

    Raises:
        SinkError: The cache cannot be written.
    """
    folder = user_cache() / FOLDER
    stem = f"{name}-{key[:DIGITS]}"
    found = _read(folder, stem)
    if found:
        return found
    with _alone(folder, stem):
        found = _read(folder, stem)  # another process may have built it meanwhile
        if found:
            return found
        content = build()
        path = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:DIGITS]}.onnx"
        with whole_file(path) as beside:
            beside.write_bytes(content)
    return path, content


def newest(name: str) -> bytes | None:
    """Return the bytes of the intact file with this name that was built last, by whatever version; None if there is none.

    Args:
        name: The beginning of its name.
    """
    for path in sorted((user_cache() / FOLDER).glob(f"{name}-*-*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True):
        found = _intact(path)
        if found is not None:
            return found
    return None


def _read(folder: Path, stem: str) -> tuple[Path, bytes] | None:
    """Return an intact file. Damaged ones are removed."""
    for path in sorted(folder.glob(f"{stem}-*.onnx")):
        content = _intact(path)
        if content is not None:
            return path, content
        unlink_quietly(path)
    return None


def _intact(path: Path) -> bytes | None:
    """Return the bytes of a file, or None if it is damaged."""
    with contextlib.suppress(OSError, ValueError):
        content = read_small(path, LARGEST_BYTES)
        if hashlib.sha256(content).hexdigest()[:DIGITS] == path.stem.rpartition("-")[2]:
            return content
    return None


@contextlib.contextmanager
def _alone(folder: Path, stem: str) -> Iterator[None]:
    """Hold the lock of a file of the cache, after waiting for the process that holds it."""
    lock = folder / f".{stem}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SinkError(
            f"{folder}: the backbone cannot be kept there ({error.strerror}); set XDG_CACHE_HOME to a folder that is writable"
        ) from error
    try:
        with contextlib.suppress(OSError):  # a file system without locks: then each builds its own
            while not try_lock(descriptor):
                time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)
