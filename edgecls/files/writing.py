"""Atomic writes (write a temporary file, then rename it), and recordings that only their owner may read."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edgecls.errors import ConfigError, EdgeclsError, SinkError
from edgecls.files.locks import try_lock
from edgecls.files.reading import BINARY, NO_LINK, open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

MODE = "EDGECLS_MODE"
"""The environment variable that sets the mode of the files that a run writes, such as 0640."""
PUBLIC_MODE = 0o666
"""The mode, before the umask, of files that hold no recordings."""
TRIES = 3
FULL = (errno.ENOSPC, errno.EDQUOT)
"""The numbers of errors that free space on the disk would mend."""


def private_mode() -> int:
    """Return the mode of files that show what cameras saw: EDGECLS_MODE, or 0600. Raises ConfigError."""
    text = os.environ.get(MODE, "0600")
    if not re.fullmatch(r"(0o?)?[0-7]{3}", text) or not int(text[-3:], 8) & stat.S_IWUSR:
        raise ConfigError(f"{MODE} must be three octal digits that let the owner write, such as 0640, not {text!r}")
    return int(text[-3:], 8)


def make_private_folder(path: Path) -> None:
    """Create a folder for recordings unless it exists. Users who may read its files may also enter it."""
    mode = private_mode()
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True, mode=mode | (mode & 0o444) >> 2)


def open_private(path: str | Path, flags: int) -> int:
    """Open a file for recordings and return its descriptor. A new file gets the private mode; an existing one keeps its own."""
    mode = private_mode()
    try:
        return os.open(path, flags & ~os.O_CREAT | BINARY)
    except FileNotFoundError:
        pass
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | BINARY, mode)
    except FileExistsError:  # created in the meantime, or a link to a file that does not exist yet
        return os.open(path, flags | os.O_CREAT | BINARY, mode)
    _set_mode(descriptor, mode)
    return descriptor


def part_of(path: Path) -> Path:
    """Return the path of the hidden temporary file next to `path`, with the same suffix."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


def open_part(part: Path, *, mode: int | None = None) -> int:
    """Create the temporary file that `part_of` names and return its descriptor, which is locked while it is open.

    The file is always new, so a link that someone else placed in a shared folder such as /tmp is never followed. A leftover of
    a killed run is removed; a file that another run is writing is not.

    Args:
        part: The path, from `part_of`.
        mode: Permission bits; None leaves them to the umask.

    Raises:
        OSError: The file cannot be created, or another run is writing it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINK | BINARY
    for _ in range(TRIES):
        try:
            descriptor = os.open(part, flags, PUBLIC_MODE if mode is None else mode)
        except FileExistsError:
            _remove_leftover(part)
            continue
        with contextlib.suppress(OSError):  # a file system without locks
            try_lock(descriptor)
        if mode is not None:
            _set_mode(descriptor, mode)
        return descriptor
    raise FileExistsError(errno.EEXIST, "is recreated by another process whenever it is removed", str(part))


def is_there(path: Path) -> bool:
    """Return whether the path exists, even as a broken link. Raises OSError if that cannot be determined."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def private_part(part: Path) -> BinaryIO:
    """Create the temporary file of a recording, as `open_part` does, and open it for writing. Raises OSError."""
    mode = private_mode()
    return open(part, "wb", opener=lambda _path, _flags: open_part(part, mode=mode))


@contextlib.contextmanager
def whole_file(path: str | Path, *, mode: int | None = None) -> Iterator[Path]:
    r"""Write a file atomically: yield a temporary path beside `path` and rename it to `path` when the block succeeds.

    After an error the temporary file is removed and `path` is unchanged.

        with whole_file("labels.txt") as beside:
            beside.write_text("stop\nyield\n")

    Args:
        path: The file to write. If it exists, the new file gets its mode.
        mode: Permission bits of a new file; None leaves them to the umask.

    Yields:
        The temporary path, with the same suffix as `path`.

    Raises:
        SinkError: The file cannot be written, for example because the disk is full.
    """
    path = Path(path)
    beside = part_of(path)
    with contextlib.ExitStack() as stack:
        try:
            descriptor = open_part(beside, mode=_mode_at(path, mode))
            stack.callback(unlink_quietly, beside)  # only our own file, never that of another run
            closing = stack.enter_context(contextlib.ExitStack())
            closing.callback(_close_quietly, descriptor)  # this descriptor only holds the lock; the writer has closed its own
            yield beside
            closing.close()  # Windows cannot rename an open file
            os.replace(beside, path)  # noqa: PTH105 - os.replace is documented as atomic
            stack.pop_all()
        except EdgeclsError:
            raise
        except OSError as error:
            why = error.strerror or error
            advice = ": make room, and try again" if error.errno in FULL else ""
            raise SinkError(f"{path}: cannot be written ({why}); the previous file is unchanged{advice}") from error


def _remove_leftover(part: Path) -> None:
    try:
        file = open_file(part, follow_links=False)
    except OSError:  # a link, a pipe, or someone else's file
        part.unlink(missing_ok=True)
        return
    with file:
        is_free = True
        with contextlib.suppress(OSError):
            is_free = try_lock(file.fileno())
        if not is_free:
            raise BlockingIOError(errno.EAGAIN, "another run is writing it", str(part))
        part.unlink(missing_ok=True)


def unlink_quietly(path: Path) -> None:
    """Remove a file and ignore failures. For cleaning up after an error, which is reported instead."""
    with contextlib.suppress(OSError):  # a second disk error must not hide the first
        path.unlink()


def _close_quietly(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _mode_at(path: Path, mode: int | None) -> int | None:
    try:
        found = path.lstat()
    except OSError:
        return mode
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else mode


def _set_mode(descriptor: int, mode: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # FAT has no modes, Windows no fchmod before Python 3.13
        os.fchmod(descriptor, mode)
