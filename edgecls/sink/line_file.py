"""A file to which whole lines are appended, despite full and failing disks, log rotation and killed runs.

A line is written completely or not at all: a part that a full disk has accepted is truncated, at once or before the next
line. After an error the file is reopened, because the disk may have been replaced.

Before each line the file is compared with what its name refers to, which takes 2 us. If it was renamed (`mv`, logrotate) or
removed, the line goes to a new file with that name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from edgecls.errors import SinkError
from edgecls.files import NO_WAIT, open_private
from edgecls.files.locks import Claim, current_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgecls.log import Say

BLOCK_BYTES = 65_536


class LineFile:
    """A file that one run writes at a time. Lines are bytes that end with a line feed."""

    def __init__(
        self, path: Path, *, say: Say, head: bytes = b"", check: Callable[[LineFile], None] = lambda _: None
    ) -> None:  # fmt: skip
        """Open the file for appending, or create it. An incomplete last line, left by a killed run, is removed.

        Args:
            path: The file.
            say: Called with a one-line message if the file cannot be locked or recreated.
            head: The first line of a new file.
            check: Called with the open file before it is changed. Raises SinkError if nothing may be appended.

        Raises:
            SinkError: Another run writes to the file, or it is not a regular file.
            OSError: The file cannot be opened.
        """
        self._path = path
        self._say = say
        self._head = head
        self._check = check
        self._run = current_run()
        self._descriptor = -1
        self._claim: Claim | None = None
        self._last_message = ""
        self._open()

    def append(self, line: bytes) -> None:
        """Append a line completely. Raises OSError if that fails; the next call repairs the file first."""
        if self._descriptor < 0:
            self._open()
        elif self._is_moved():
            self._follow()
        try:
            self._append(line)
        except OSError:
            self._close_quietly()
            raise

    def read(self, begin: int, end: int) -> bytes:
        """Return the bytes from `begin` to `end`. Raises OSError."""
        os.lseek(self._descriptor, begin, os.SEEK_SET)
        pieces = []
        while begin < end and (piece := os.read(self._descriptor, end - begin)):
            pieces.append(piece)
            begin += len(piece)
        return b"".join(pieces)

    def size(self) -> int:
        """Return the size of the file in bytes. Raises OSError."""
        return os.fstat(self._descriptor).st_size

    def last_line_at(self) -> int:
        """Return the position after the last line feed, which is the end of an intact file. Raises OSError."""
        end = self.size()
        while end:
            begin = max(0, end - BLOCK_BYTES)
            found = self.read(begin, end).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0

    def sync(self) -> None:
        """Flush the file to disk. Raises OSError."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file. Raises OSError if the disk reports a late error; the file is closed anyway."""
        descriptor, self._descriptor = self._descriptor, -1
        claim, self._claim = self._claim, None
        try:
            if descriptor >= 0:
                os.close(descriptor)
        finally:
            if claim is not None:
                claim.release()

    def _open(self) -> None:
        descriptor = open_private(self._path, os.O_RDWR | os.O_APPEND | NO_WAIT)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SinkError(f"{self._path}: expected a file, found a device or a pipe; choose another file")
            self._claim = Claim.of_file(descriptor, self._path, say=self._report, run=self._run)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        try:
            self._repair()
        except BaseException:
            self._close_quietly()
            raise

    def _repair(self) -> None:
        """Write the head of a new file, or remove an incomplete last line."""
        self._check(self)
        begin, size = self.last_line_at(), self.size()
        if begin < size:
            os.ftruncate(self._descriptor, begin)
        if not begin and self._head:
            self._append(self._head)

    def _append(self, line: bytes) -> None:
        begin = self.size()
        written = os.write(self._descriptor, line)
        if written < len(line):
            os.ftruncate(self._descriptor, begin)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _is_moved(self) -> bool:
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))  # noqa: PTH116 - twice as fast
        except FileNotFoundError:
            return True
        except OSError:  # the disk fails; the write will report it
            return False

    def _follow(self) -> None:
        """Continue with a new file, or with the old one if the new one cannot be opened."""
        before, claim = self._descriptor, self._claim
        try:
            self._open()
        except OSError as error:
            self._descriptor, self._claim = before, claim
            why = error.strerror or error
            self._report(f"{self._path}: was moved, and a new file cannot be created ({why}); lines still go to the old file")
            return
        self._last_message = ""
        with contextlib.suppress(OSError):
            os.close(before)
        if claim is not None:
            claim.release()

    def _close_quietly(self) -> None:
        with contextlib.suppress(OSError):
            self.close()

    def _report(self, line: str) -> None:
        """Report a message unless it is the same as the last one."""
        if line != self._last_message:
            self._last_message = line
            self._say(line)
