"""Results as lines of JSON, to a file or to a stream such as stdout."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgecls.errors import SinkError
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink.contract import Backlog, Sink
from edgecls.run.sink.outage import Outage
from edgecls.run.wire import event_line, state_line, to_line

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

BEGINNINGS = (b'{"camera": ', b'{"event": ')
"""How lines of a run begin: half a line of something else is not cut off."""
BLOCK_BYTES = 65_536


class JsonlSink(Sink):
    """One line a result, each written out at once and whole: a log that can be followed while it grows.

    A file goes on where it ended, so several runs may stand in it one after the other. A line that does not fit on the disk is
    lost and counted, and the run goes on; a stream that takes no more, such as a closed pipe, is an error.
    """

    def __init__(self, path: str | Path = "-", *, say: Say = say_on_stderr) -> None:
        """Append to `path`, or write to stdout for "-"; half a last line, of a run that was killed, is cut off. `say` hears in
        one line of lines that are lost. Raises SinkError when it cannot be written.
        """
        self._path = str(path)
        self._is_stdout = self._path == "-"
        self._is_log = not self._is_stdout and (Path(path).is_file() or not Path(path).exists())
        self._outage = Outage(path, "lines", say)
        self._dropped = 0
        try:
            self._file: TextIO | io.FileIO = self._open(Path(path))
        except SinkError:
            raise
        except OSError as error:
            raise SinkError(f"{path}: cannot be written ({error.strerror})") from error

    @property
    def backlog(self) -> Backlog:
        """The events and changes of state, and the results, that did not fit on the disk."""
        return Backlog(lost=self._outage.lost - self._dropped, dropped=self._dropped)

    def write(self, result: Result) -> None:
        """Write one line."""
        before = self._outage.lost
        self._write(to_line(result))
        self._dropped += self._outage.lost - before

    def write_state(self, change: StateChange) -> None:
        """Write one line, which has "state" and no "label"."""
        self._write(state_line(change))

    def write_event(self, event: Event) -> None:
        """Write one line, which has "event" and "kind"."""
        self._write(event_line(event))

    def close(self) -> None:
        """Close the file; stdout stays open."""
        self._outage.close()
        if not self._is_stdout:
            try:
                self._file.close()
            except OSError as error:  # what a full disk did not take; the file is closed all the same
                raise SinkError(f"{self._path}: cannot be written ({error.strerror})") from error

    def _open(self, path: Path) -> TextIO | io.FileIO:
        if self._is_stdout:
            return sys.stdout
        if not self._is_log:
            return path.open("w", encoding="utf-8")
        file = io.FileIO(path, "a+")
        try:
            _cut_half_line(file, path)
        except BaseException:
            file.close()
            raise
        return file

    def _write(self, line: str) -> None:
        try:
            if isinstance(self._file, io.FileIO):
                self._append(self._file, line.encode() + b"\n")
            else:
                self._file.write(line + "\n")
                self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written ({error.strerror})") from error

    def _append(self, file: io.FileIO, line: bytes) -> None:
        """Write a line whole, or lose it."""
        try:
            written = file.write(line)
        except OSError as error:
            self._outage.lose(error)
            return
        if written == len(line):
            self._outage.over()
            return
        file.truncate(os.fstat(file.fileno()).st_size - written)
        self._outage.lose(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def _cut_half_line(file: io.FileIO, path: Path) -> None:
    """Cut off what stands behind the last line break. Raises SinkError where no run has begun it."""
    end = size = file.seek(0, os.SEEK_END)
    half = b""
    while end and b"\n" not in half:
        begin = max(0, end - BLOCK_BYTES)
        file.seek(begin)
        half, end = file.read(end - begin) + half, begin
    half = half[half.rfind(b"\n") + 1 :]
    if not half:
        return
    if not any(half.startswith(one) or one.startswith(half) for one in BEGINNINGS):
        raise SinkError(f"{path}: its last line is not of edgecls run, and has no line break; name another file")
    file.truncate(size - len(half))
