"""Results as lines of JSON, to a file or to a stream such as stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgecls.errors import SinkError
from edgecls.run.sink.contract import Sink
from edgecls.run.wire import event_line, state_line, to_line

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class JsonlSink(Sink):
    """One line a result, each written out at once and whole: a log that can be followed while it grows."""

    def __init__(self, path: str | Path = "-") -> None:
        """Write to `path`, replacing it, or to stdout for "-". Raises SinkError when it cannot be written."""
        self._path = str(path)
        self._is_stdout = self._path == "-"
        try:
            self._file: TextIO = sys.stdout if self._is_stdout else Path(path).open("w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise SinkError(f"{path}: cannot be written ({error.strerror})") from error

    def write(self, result: Result) -> None:
        """Write one line."""
        self._write(to_line(result))

    def write_state(self, change: StateChange) -> None:
        """Write one line, which has "state" and no "label"."""
        self._write(state_line(change))

    def write_event(self, event: Event) -> None:
        """Write one line, which has "event" and "kind"."""
        self._write(event_line(event))

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if not self._is_stdout:
            try:
                self._file.close()
            except OSError as error:  # what a full disk did not take; the file is closed all the same
                raise SinkError(f"{self._path}: cannot be written ({error.strerror})") from error

    def _write(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written ({error.strerror})") from error
