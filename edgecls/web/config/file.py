"""The cameras.toml behind a page: what the page may see of it, and its changes, which can be undone.

A change is made in four steps: the new text is written beside the file, read by the code that reads every cameras.toml, put in
force in the run, and only then takes the place of the file. If a step fails, the file and the run stay as they were. A file
that somebody else has changed since the page read it is never overwritten.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import ConfigError, EdgeclsError, SinkError
from edgecls.files import read_regular, whole_file
from edgecls.files.locks import try_lock
from edgecls.web.config.recent import Recent, try_out
from edgecls.web.config.text import Wanted, camera_table, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.run.config import Config

BACKUP = ".bak"
"""The suffix of the former file, which is kept beside."""
MOST_UNDONE = 50
MOST_BYTES = 4 << 20
LOCK_TRIES, LOCK_WAIT_S = 5, 0.05


class ChangedError(ConfigError):
    """The file is no longer what the page has read."""


class ClosedError(ConfigError):
    """The file cannot be written now."""


class _Step(NamedTuple):
    """A change: the file before, and the hash of the file after."""

    before: bytes
    after: str


class ConfigFile:
    """A cameras.toml that a page may change. Its methods may be called from several threads.

    Attributes:
        path: The file.
        recent: A sink that keeps the last minutes for `test`. Append it to the sinks of the run.

    Example:
        file = ConfigFile("cameras.toml", read=read_config, apply=run.reload)
        run.sinks.append(file.recent)
        with PageServer(view, WebSettings(), config=file):
            ...
    """

    def __init__(self, path: str | Path, *, read: Callable[[Path], Config], apply: Callable[[Config], object]) -> None:
        """Begin without a change to undo.

        Args:
            path: The file.
            read: Reads a file of this kind. Raises ConfigError.
            apply: Puts a configuration in force, and returns once it is; False if the run has ended. Raises EdgeclsError if it
                cannot be run.
        """
        self.path = Path(path)
        self.read = read
        self.recent = Recent()
        self._apply = apply
        self._is_in_force = True
        self._steps: list[_Step] = []
        self._lock = threading.Lock()
        self._holding = threading.Lock()  # a lock of the file does not know that both are of this process
        self._testing = threading.Lock()  # one test at a time, so that the run keeps its share of the machine

    def camera(self, name: str) -> dict[str, Any]:
        """Return zones, lines, areas and rules of a camera as written, and the `state`. Raises ConfigError."""
        data = self._data()
        text, _ = _decoded(data, self.path)
        return {"camera": name, **camera_table(text, name), **self.state(data)}

    def state(self, data: bytes | None = None) -> dict[str, Any]:
        """Return the hash and the name of the file, whether the last change can be undone, `why` the file cannot be changed, ""
        if it can, and whether the last change is `in_force`, not so after the end of the run.
        """
        digest = hash_of(self._data() if data is None else data)
        can_undo = bool(self._steps) and self._steps[-1].after == digest
        return {
            "hash": digest, "can_undo": can_undo, "why": self._why_closed(), "file": self.path.name,
            "in_force": self._is_in_force,
        }  # fmt: skip

    def test(self, name: str, wanted: Wanted, digest: str) -> dict[str, Any]:
        """Return what a change would have made of the last minutes (`edgecls.web.config.recent.try_out`), and change nothing.

        Raises ConfigError, and ChangedError if the file has another hash now.
        """
        with self._lock:
            before = self._same(digest)
            configs = [self._read_text(data) for data in (before, self._changed(before, name, wanted))]
        with self._testing:
            return try_out(self.recent.lines(name), name, *configs)

    def save(self, name: str, wanted: Wanted, digest: str) -> dict[str, Any]:
        """Change a camera, in the run and in the file.

        Args:
            name: The camera.
            wanted: Its zones, lines, areas and rules.
            digest: The hash of the file for which they were made.

        Returns:
            What `camera` returns, after the change.

        Raises:
            ChangedError: The file has another hash now.
            ClosedError: The file cannot be written.
            EdgeclsError: The change is not valid, or the run cannot be switched to it. Nothing has changed.
        """
        with self._lock:
            before = self._same(digest)
            self._step(before, self._changed(before, name, wanted))
        return self.camera(name)

    def edit(self, change: Callable[[str], str]) -> dict[str, Any]:
        """Change the text of the file as it is now, in the run and in the file. Returns the `state`. Raises as `save`."""
        with self._lock:
            before = self._data()
            self._step(before, self._edited(before, change))
        return self.state()

    def undo(self, digest: str) -> dict[str, Any]:
        """Take the last change back, and those before it with the next calls. Returns the `state`. Raises as `save`."""
        with self._lock:
            before = self._same(digest)
            if not self._steps or self._steps[-1].after != digest:
                raise ConfigError("there is no change of this page to undo")
            self._replace(before, self._steps[-1].before)
            self._steps.pop()
        return self.state()

    def _data(self) -> bytes:
        return read_regular(self.path, error=ConfigError, most_bytes=MOST_BYTES)

    def _same(self, digest: str) -> bytes:
        data = self._data()
        if hash_of(data) != digest:
            raise ChangedError(f"{self.path.name} was changed by somebody else meanwhile; load it anew to go on")
        return data

    def _changed(self, before: bytes, name: str, wanted: Wanted) -> bytes:
        return self._edited(before, lambda text: changed(text, name, wanted))

    def _edited(self, before: bytes, change: Callable[[str], str]) -> bytes:
        text, line_end = _decoded(before, self.path)
        mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
        return mark + change(text).replace("\n", line_end).encode()

    def _step(self, before: bytes, after: bytes) -> None:
        self._replace(before, after)
        self._steps = [*self._steps[-MOST_UNDONE:], _Step(before, hash_of(self._data()))]

    def _replace(self, before: bytes, after: bytes) -> None:
        """Put a new text in force, and in place of the file."""
        if before == after:
            return
        with self._held() as target:
            try:
                self._switch(target, before, after)
            except SinkError as error:
                raise ClosedError(_why_not_written(error, self.path)) from error

    def _switch(self, target: Path, before: bytes, after: bytes) -> None:
        is_in_force = False
        try:
            with whole_file(target) as beside:
                beside.write_bytes(after)
                _own_alike(target, beside)
                self._is_in_force = self._apply(self._config(beside)) is not False
                is_in_force = True
                if self._data() != before:
                    raise ChangedError(f"{self.path.name} was changed by somebody else meanwhile; load it anew to go on")
                mode = stat.S_IMODE(target.stat().st_mode)
                with whole_file(target.with_name(target.name + BACKUP), mode=mode) as former:
                    former.write_bytes(before)
        except BaseException:
            if is_in_force:  # but not in the file
                self._apply(self._read_text(before))
            raise

    def _read_text(self, data: bytes) -> Config:
        with tempfile.TemporaryDirectory(prefix="edgecls-") as inside:  # its mode is 0700
            path = Path(inside) / self.path.name
            path.write_bytes(data)
            return self._config(path)

    def _config(self, beside: Path) -> Config:
        """Read a file that stands for the real one, whose name is in messages."""
        try:
            config = self.read(beside)
        except EdgeclsError as error:
            raise ConfigError(str(error).replace(str(beside), self.path.name)) from error
        return replace(config, where=replace(config.where, file=str(self.path)))

    def _why_closed(self) -> str:
        try:
            with self._held():
                return ""
        except ClosedError as error:
            return str(error)

    @contextmanager
    def _held(self) -> Iterator[Path]:
        """Keep other processes that lock the file from changing it meanwhile. Yields the file behind all links."""
        target = Path(os.path.realpath(self.path))
        is_writable = bool(target.stat().st_mode & 0o222) and os.access(target, os.W_OK) if target.exists() else False
        if not is_writable or not os.access(target.parent, os.W_OK):
            what = self.path.name if not is_writable else f"the folder of {self.path.name}"
            raise ClosedError(f"{what} is read-only, so nothing can be changed here")
        with self._holding, target.open("rb") as file:
            if not _lock_soon(file.fileno()):
                raise ClosedError(f"another process is using {self.path.name}; nothing can be changed until it is done")
            yield target


def _lock_soon(descriptor: int) -> bool:
    """Lock an open file; wait a moment for another page, which only looks whether it is free. Returns whether that worked."""
    for _ in range(LOCK_TRIES):
        try:
            if try_lock(descriptor):
                return True
        except OSError:  # a file system without locks
            return True
        time.sleep(LOCK_WAIT_S)
    return False


def hash_of(data: bytes) -> str:
    """Return what tells one content of the file from all others."""
    return hashlib.sha256(data).hexdigest()[:32]


def _decoded(data: bytes, path: Path) -> tuple[str, str]:
    """Return the text of a file with line feeds as line ends, and its line end. Raises ConfigError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is no UTF-8, so only an editor can change it") from None
    plain = text.replace("\r\n", "\n")
    line_end = "\r\n" if "\r\n" in text else "\n"
    if plain.replace("\n", line_end) != text or "\r" in plain:
        raise ConfigError(f"the lines of {path.name} end in different ways, so only an editor can change it")
    return plain, line_end


def _own_alike(path: Path, beside: Path) -> None:
    """Give a file the owner of another, where that is allowed."""
    with contextlib.suppress(OSError, AttributeError):
        owner = path.stat()
        os.chown(beside, owner.st_uid, owner.st_gid)


def _why_not_written(error: SinkError, path: Path) -> str:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.EBUSY:
        return f"{path.name} is mounted as a single file, which cannot be replaced; mount its folder instead"
    if isinstance(cause, BlockingIOError):
        return f"another process is changing {path.name}; try again"
    why = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
    return f"{path.name} cannot be written ({why}); nothing has changed"
