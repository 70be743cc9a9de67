"""Locks that let only one run write a file at a time.

A claim is an advisory lock of the operating system (`flock`). It belongs to the open file, not to its name, so two links to one
file share one claim. It ends with the process, so even `kill -9` leaves nothing to clean up.

A reload opens a sink with new settings before it closes the old one, so one run may claim the same file more than once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edgecls.errors import SinkError
from edgecls.files.reading import open_file

HAS_LOCKS = sys.platform != "win32"
"""Windows has no `flock`, but does not let anyone rename or remove an open file either."""
if HAS_LOCKS:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO, errno.EBADF)
"""Errors of `flock` on a file system without locks, such as NFS without its lock daemon."""
_RUN: ContextVar[object] = ContextVar("run", default=None)
_registry = threading.Lock()
_held: dict[tuple[int, int], Claim] = {}


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process. Returns False if another process holds the lock.

    Raises OSError if the file system has no locks.
    """
    if not HAS_LOCKS:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some systems report a held lock as EACCES
        return False
    return True


@contextlib.contextmanager
def of_run(run: object) -> Iterator[None]:
    """Assign the claims made inside the block to `run`, so that they do not conflict with its other claims."""
    token = _RUN.set(run)
    try:
        yield
    finally:
        _RUN.reset(token)


def current_run() -> object:
    """Return the run that new claims in this thread belong to; None outside `of_run`."""
    return _RUN.get()


def claim_to_replace(path: Path, *, say: Callable[[str], None]) -> list[Claim]:
    """Claim a file that will be replaced atomically by a temporary file beside it.

    Claims the existing file, and a lock file beside it if there is no such file or if a lock file exists. Raises SinkError if
    another run has claimed the file.
    """
    target = Path(os.path.realpath(path))
    lock_file = target.with_name(f".{target.name}.lock")
    claims = claim_existing(target, path, say=say)
    if claims and not os.path.lexists(lock_file):
        return claims
    try:
        claim = Claim.of_lock_file(lock_file, path, say=say)
    except BaseException:
        for other in claims:
            other.release()
        raise
    return claims if claim is None else [*claims, claim]


def claim_existing(target: Path, path: object, *, say: Callable[[str], None]) -> list[Claim]:
    """Claim an existing regular file. Returns an empty list if there is none that can be opened. Raises SinkError."""
    try:
        file = open_file(target)
    except OSError:
        return []
    with file:
        claim = Claim.of_file(file.fileno(), path, say=say)
    return [] if claim is None else [claim]


class Claim:
    """The exclusive right to write a file until it is released. Created by `of_file` and `of_lock_file`."""

    def __init__(self, descriptor: int, run: object, *, lock_file: Path | None = None) -> None:
        """Take ownership of an open, locked descriptor. `lock_file` is removed on release."""
        self._descriptor = descriptor
        self._run = run
        self._lock_file = lock_file
        self._count = 1

    @classmethod
    def of_file(cls, descriptor: int, path: object, *, say: Callable[[str], None], run: object = None) -> Self | None:
        """Claim an open file. Returns None, after a message to `say`, if its file system has no locks.

        Raises SinkError if another run has claimed the file.
        """
        with _registry:
            found = os.fstat(descriptor)
            shared = _held.get((found.st_dev, found.st_ino))
            run = run if run is not None else current_run()
            if shared is not None and run is not None and shared._run is run:
                shared._count += 1
                return shared  # type: ignore[return-value]
            own = os.dup(descriptor)  # the file may be closed and reopened, or renamed, while it is claimed
            try:
                if not try_lock(own):
                    raise SinkError(f"{path}: another run is writing to this file; stop that run, or choose another file")
            except BaseException as error:
                os.close(own)
                if isinstance(error, OSError) and error.errno in NO_LOCKS:
                    say(f"{path}: cannot be locked here ({error.strerror}); make sure that no other run writes to it")
                    return None
                raise
            claim = _held[found.st_dev, found.st_ino] = cls(own, run)
            return claim

    @classmethod
    def of_lock_file(cls, lock_file: Path, path: object, *, say: Callable[[str], None]) -> Self | None:
        """Claim `path` by locking a hidden lock file, which is removed on release. Returns and raises as `of_file` does."""
        while True:
            try:
                descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
            except OSError as error:
                say(f"{path}: cannot be locked here ({error.strerror}); make sure that no other run writes to it")
                return None
            try:
                claim = cls.of_file(descriptor, path, say=say)
            finally:
                os.close(descriptor)
            if claim is None:
                return None
            if claim._is_at(lock_file):
                claim._lock_file = lock_file
                return claim
            claim.release()  # the previous owner has just removed the lock file; try again

    def release(self) -> None:
        """Release the claim. Safe to call when the disk is gone."""
        with _registry:
            self._count -= 1
            if self._count:
                return
            for key in [key for key, claim in _held.items() if claim is self]:
                del _held[key]
            with contextlib.suppress(OSError):
                if self._lock_file is not None:
                    self._lock_file.unlink()
            with contextlib.suppress(OSError):
                os.close(self._descriptor)

    def _is_at(self, path: Path) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.stat(follow_symlinks=False))
        except OSError:
            return False
