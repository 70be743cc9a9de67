"""Wrappers of stdout and stderr that escape control characters and, on stderr, hide secrets.

They cover everything that edgecls or a library writes. Errors of stderr are ignored, so a run goes on. Errors of stdout raise
`UnwritableError`, because the result would be lost, or `ReaderLeftError` if the reader has left, as `head` does.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from edgecls.text.control import visible
from edgecls.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnwritableError(OSError):
    """stdout cannot be written."""


class ReaderLeftError(BrokenPipeError):
    """The reader of stdout has left. Other pipes and connections raise a plain BrokenPipeError.

    It has no `errno`: Click would recognize that and exit with 1.
    """


class _Stream(io.TextIOWrapper):
    """A text stream that shares the file of another stream."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._shared = stream  # keep a reference: its finalizer would close the file
        super().__init__(stream.buffer, stream.encoding, stream.errors, line_buffering=stream.line_buffering)

    def close(self) -> None:
        """Flush. The shared file stays open, because Python prints uncaught exceptions there."""
        self.flush()

    def control(self, text: str) -> None:
        """Write a terminal control sequence unescaped."""
        super().write(text)

    def _give_up(self) -> None:
        """Discard what is buffered, so that it does not fail again at exit."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


class Stdout(_Stream):
    """stdout, for the data of a command. `is_closed` means that the process started without one."""

    def __init__(self, stream: io.TextIOWrapper, *, is_closed: bool = False) -> None:
        super().__init__(stream)
        self._is_closed = is_closed

    def write(self, text: str, /) -> int:
        """Write `text`. Raises UnwritableError, ReaderLeftError."""
        if self._is_closed:
            raise UnwritableError(errno.EBADF, "it is closed; redirect it to a file, or use -q if you do not need it")
        try:
            super().write(visible(text))
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush. Raises as `write` does."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._give_up()
        if isinstance(error, BrokenPipeError):
            raise ReaderLeftError from error
        raise UnwritableError(error.errno, error.strerror or type(error).__name__) from error


class Stderr(_Stream):
    """stderr, for messages. Collects whole lines before it hides secrets, because tracebacks are written in pieces."""

    _line = ""

    def write(self, text: str, /) -> int:
        """Write the lines that `text` completes."""
        whole, line_break, self._line = (self._line + text).rpartition("\n")
        if line_break:
            self._put(whole + line_break)
        return len(text)

    def control(self, text: str) -> None:
        """Write a terminal control sequence unescaped; errors are ignored."""
        try:
            super().control(text)
        except OSError:
            self._give_up()

    def flush(self) -> None:
        """Flush, including an incomplete line; errors are ignored."""
        line, self._line = self._line, ""
        if line:
            self._put(line)
        try:
            super().flush()
        except OSError:  # there is nowhere to report it
            self._give_up()

    def _put(self, text: str) -> None:
        try:
            super().write(visible(redact(text)))
        except OSError:
            self._give_up()


@contextmanager
def standard_streams() -> Iterator[None]:
    """Replace `sys.stdout` and `sys.stderr` with `Stdout` and `Stderr` while a command runs.

    If a standard stream was closed when the process started, the null device takes its descriptor first. Otherwise the next file
    to be opened, such as a database, would get it, and messages of C libraries would end up there.
    """
    missing = [number for number in (0, 1, 2) if not _is_open(number)]
    for _ in missing:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor
    before = sys.stdout, sys.stderr
    out, err = _text(sys.stdout, 1), _text(sys.stderr, 2)
    if out is not None:
        out.reconfigure(encoding="utf-8", errors="backslashreplace")  # data is always UTF-8, whatever the locale
        sys.stdout = Stdout(out, is_closed=1 in missing)
    if err is not None:
        sys.stderr = Stderr(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before if not missing else (sys.stdout, sys.stderr)


def raw_stderr() -> TextIO:
    """Return the unwrapped stderr, for code that draws on the terminal, such as a progress bar."""
    return sys.__stderr__ if isinstance(sys.stderr, Stderr) and sys.__stderr__ is not None else sys.stderr


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _text(stream: TextIO | None, number: int) -> io.TextIOWrapper | None:
    """Return the stream if it belongs to a file; None if a test or a program has replaced it."""
    if stream is None:
        return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    return stream if isinstance(stream, io.TextIOWrapper) else None
