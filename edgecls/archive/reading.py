"""Read recordings: get them here, hash them while they are decoded, and find out when they began."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgecls.archive.recordings import Recording, file_system
from edgecls.archive.task import BLOCK_BYTES
from edgecls.errors import SourceError
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TELL_EVERY_S = 0.5
OLDEST_US = 315_532_800_000_000
"""1980 in microseconds since 1970. Recorders without a clock write earlier times."""


@contextlib.contextmanager
def at_hand(recording: Recording) -> Iterator[str]:
    """Give the path of a recording. One at an address is copied to a temporary file, which is removed afterwards."""
    if not recording.is_remote:
        yield recording.address
        return
    files, path = file_system(recording.address)
    with tempfile.TemporaryDirectory(prefix="edgecls-archive-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, f"recording{Path(path).suffix}")
        try:
            with files.open(path, "rb") as remote, copy.open("wb") as local:
                shutil.copyfileobj(remote, local, BLOCK_BYTES)
        except Exception as error:  # each of many packages has errors of its own
            raise SourceError(f"cannot be fetched ({' '.join(str(error).split())[:200] or type(error).__name__})") from error
        yield str(copy)


def has_changed(recording: Recording, path: str) -> bool:
    """Whether a recording is no longer the file that was found."""
    status = Path(path).stat()
    return (status.st_size, status.st_mtime_ns) != (recording.size, recording.modified_ns)


class Digest:
    """Computes the sha256 of a file in a thread, while it is decoded."""

    def __init__(self, path: str, tell: Callable[[int], None]) -> None:
        self._digest = hashlib.sha256()
        self._error: OSError | None = None
        self._stops = False
        self._tell = tell
        self._thread = threading.Thread(target=self._read, args=(path,), name="sha256", daemon=True)
        self._thread.start()

    def finish(self) -> str:
        """Wait for the end, and return the hash. Raises OSError."""
        while self._thread.is_alive():
            self._thread.join(TELL_EVERY_S)
            self._tell(0)
        if self._error is not None:
            raise self._error
        return self._digest.hexdigest()

    def close(self) -> None:
        """Stop reading."""
        self._stops = True
        self._thread.join()

    def _read(self, path: str) -> None:
        try:
            with Path(path).open("rb", buffering=0) as file:
                while not self._stops and (block := file.read(BLOCK_BYTES)):
                    self._digest.update(block)
        except OSError as error:
            self._error = error


class Facts(NamedTuple):
    """What is known of a recording before it is read: its begin in microseconds since 1970, and its length in seconds."""

    began_us: int
    duration_s: float


def facts_of(recording: Recording, path: str) -> Facts:
    """Return when a recording began, and how long it is (0: not known).

    It began as its name says; otherwise as the file says; otherwise when the file was written, less its length.
    """
    av = ffmpeg.load("Reading recordings")
    duration_us, created_us = 0, None
    try:
        with av.open(path, metadata_errors="replace") as container:
            duration_us = max(0, container.duration or 0)
            created_us = _parsed(container.metadata.get("creation_time", ""))
    except (av.FFmpegError, OSError, ValueError):  # it is reported when it is opened to be read
        pass
    if created_us is None or created_us < OLDEST_US:
        created_us = max(0, recording.modified_ns // 1000 - duration_us)
    return Facts(created_us if recording.began_us is None else recording.began_us, duration_us / 1e6)


def _parsed(text: str) -> int | None:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1e6)
    except ValueError:
        return None
