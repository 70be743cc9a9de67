"""Open files for reading. All files are opened by `open_file`, which never blocks, whatever is at the path."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from edgecls.files.advice import of_missing

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.errors import EdgeclsError

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
BINARY = getattr(os, "O_BINARY", 0)


class NotAFileError(OSError):
    """The path is a folder, a pipe or a device instead of a file; `found` says which."""

    def __init__(self, path: str | Path, found: str) -> None:
        super().__init__(errno.EINVAL, f"expected a file, found {found}", str(path))
        self.found = found


def open_file(path: str | Path, *, follow_links: bool = True, pipes: bool = False) -> BinaryIO:
    """Open a regular file for reading.

    Devices, sockets and pipes are rejected, because reading one could block or never end.

    Args:
        path: The file.
        follow_links: If False, links are rejected.
        pipes: Also open pipes, whether or not they have a writer; their reads do not block.

    Raises:
        NotAFileError: The path is not a regular file.
        OSError: It cannot be opened.
    """
    flags = os.O_RDONLY | NO_WAIT | BINARY | (0 if follow_links else NO_LINK)
    try:
        descriptor = os.open(path, flags)
    except ValueError as error:  # a null byte in the path
        raise OSError(errno.EINVAL, str(error), str(path).replace("\0", "\\0")) from error
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode))):
        os.close(descriptor)
        raise NotAFileError(path, "a folder" if stat.S_ISDIR(mode) else "a device" if pipes else "a pipe or a device")
    return open(descriptor, "rb")  # noqa: PTH123 - a descriptor, which the caller closes


def open_regular(path: str | Path, *, error: type[EdgeclsError]) -> BinaryIO:
    """Open a regular file as `open_file` does. Raises `error` with one line that contains the path."""
    try:
        return open_file(path)
    except OSError as failed:
        shown = str(path).replace("\0", "\\0")
        near = of_missing(path) if isinstance(failed, FileNotFoundError) else ""
        raise error(f"{shown}: cannot be read ({failed.strerror or failed}){near}") from failed


def read_regular(path: str | Path, *, error: type[EdgeclsError], most_bytes: int) -> bytes:
    """Read a regular file of at most `most_bytes` bytes, up to its length when opened. Raises `error`."""
    with open_regular(path, error=error) as file:
        length = os.fstat(file.fileno()).st_size
        if length > most_bytes:
            raise error(f"{path}: expected at most {most_bytes} bytes, found {length}")
        try:
            return file.read(length)
        except (OSError, MemoryError) as failed:
            raise error(f"{path}: cannot be read ({getattr(failed, 'strerror', None) or 'not enough memory'})") from failed


def read_small(path: Path, most_bytes: int) -> bytes:
    """Read a regular file that edgecls wrote, of at most `most_bytes` bytes.

    Someone may have replaced it, so links are not followed and pipes do not block. Raises OSError or ValueError.
    """
    with open_file(path, follow_links=False) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"{path}: expected a file of at most {most_bytes:,} bytes")
    return content
