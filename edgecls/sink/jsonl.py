"""A sink that writes results and events as lines of JSON to a file or stdout."""

from __future__ import annotations

import errno
import os
import stat
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from edgecls.errors import SinkError
from edgecls.files import NO_WAIT
from edgecls.files.advice import why_not_written
from edgecls.labels.json_lines import event_line, state_line, to_line, to_thinned_line
from edgecls.log import Say, log_warning
from edgecls.settings import check_limits, limited
from edgecls.sink.delivery.losses import LossCounter
from edgecls.sink.frame_selection import FrameSelection
from edgecls.sink.line_file import LineFile
from edgecls.sink.sink import Backlog, Sink, SinkKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

When = Literal["frame", "change"]
BEGINNINGS = (b'{"camera": ', b'{"event": ')
"""The beginnings of the lines of a run. An incomplete line that begins differently is not removed."""


@dataclass(frozen=True, slots=True)
class JsonlSettings:
    """A line of JSON for each result, event and change of state, to the file `path`; "-" is stdout.

    A result is one frame of one camera, so the log of a camera at 25 fps grows by more than a gigabyte per day. With `when` =
    "change", only frames whose labels differ from the previous line are written; with `every_s`, one frame per `every_s`
    seconds; with both, frames that meet either rule. Such a log is for people: `edgecls replay` and `edgecls summary` need
    every frame. With `events` = false there are no lines of events.
    """

    path: str
    kind: Literal["jsonl"] = "jsonl"
    when: When = "frame"
    every_s: float = limited(0.0, at_least=0, unit="seconds")
    events: bool = True

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_limits(self)


class JsonlSink(Sink):
    """Writes one line per result, completely and at once, so that the log can be followed while it grows.

    Lines are appended to an existing file, so it may contain several runs; two runs cannot write to it at once. If a file is
    renamed, as by logrotate, a new one is created. A line that does not fit on the disk is lost and counted, and the run goes
    on. A stream that cannot be written, such as a closed pipe, is an error. A closed stdout ends the run if it is the only
    sink; otherwise it is reported once and ignored.

    A thinned log has fewer lines of frames, but all lines of events and states. With `when` = "change" a frame is written if
    its labels or the fault of its picture differ from the previous line, with `every_s` if that many seconds have passed, and
    with both in either case. Each such line has "left_out", the number of frames left out before it.
    """

    def __init__(
        self,
        path: str | Path = "-",
        *,
        when: When = "frame",
        every_s: float = 0.0,
        events: bool = True,
        say: Say = log_warning,
    ) -> None:
        """Open the file, or stdout for "-". An incomplete last line, left by a killed run, is removed.

        `say` is called with a one-line message when lines are lost. Raises SinkError if the file cannot be written or another
        run writes to it.
        """
        self._path = str(path)
        self._is_stdout = self._path == "-"
        self._selection = FrameSelection(on_change=when == "change", every_s=every_s)
        self._has_events = events
        self._say = say
        self._losses = LossCounter(path, "lines", say)
        self._dropped = 0
        self._has_others = False
        self._is_abandoned = False
        try:
            self._file: TextIO | LineFile = self._open(Path(path))
        except SinkError:
            raise
        except OSError as error:
            raise SinkError(f"{path}: cannot be written ({why_not_written(Path(path), error)})") from error

    @property
    def backlog(self) -> Backlog:
        """The events, changes of state and results that could not be written."""
        return Backlog(lost=self._losses.lost - self._dropped, dropped=self._dropped)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present."""
        return self._losses.trouble

    def write(self, result: Result) -> None:
        """Write a line, unless a thinned log leaves it out."""
        if self._is_abandoned:
            return
        if self._selection.is_off:
            line = to_line(result)
        elif (left_out := self._selection.select(result)) is not None:
            line = to_thinned_line(result, left_out)
        else:
            return
        before = self._losses.lost
        self._write(line)
        self._dropped += self._losses.lost - before

    def write_state(self, change: StateChange) -> None:
        """Write a line with "state" and without "label"."""
        self._write(state_line(change))

    def write_event(self, event: Event) -> None:
        """Write a line with "event" and "kind", unless events are turned off."""
        if self._has_events:
            self._write(event_line(event))

    def beside(self, sinks: Mapping[str, Sink]) -> None:
        """Note whether the run has other sinks, for which it goes on without stdout."""
        self._has_others = len(sinks) > 1

    def close(self) -> None:
        """Close the file; stdout stays open."""
        self._losses.close()
        if self._is_stdout:
            return
        try:
            self._file.close()
        except OSError as error:  # the last lines did not fit on the disk; the file is closed anyway
            message = f"{self._path}: cannot be written ({error.strerror})"
            if isinstance(self._file, LineFile):  # it is unknown which lines are missing
                self._say(f"{message}; its last lines may be lost")
                return
            raise SinkError(message) from error

    def _open(self, path: Path) -> TextIO | LineFile:
        if self._is_stdout:
            return sys.stdout
        if path.is_file() or not path.exists():
            return LineFile(path, say=self._say, check=partial(_check_incomplete_line, path))
        return open(path, "w", encoding="utf-8", opener=_open_at_once)

    def _write(self, line: str) -> None:
        if isinstance(self._file, LineFile):
            self._append(self._file, line.encode() + b"\n")
            return
        if self._is_abandoned:
            return
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            has_no_reader = self._is_stdout and isinstance(error, BrokenPipeError)
            if has_no_reader and not self._has_others:
                raise  # the command then ends quietly, as usual on the left of `| head`
            name = "stdout" if self._is_stdout else self._path
            why = "its reader closed it" if has_no_reader else error.strerror
            if not (self._is_stdout and self._has_others):
                raise SinkError(f"{name}: cannot be written ({why})") from error
            self._is_abandoned = True
            self._say(f"{name}: cannot be written ({why}); the run goes on without it")

    def _append(self, file: LineFile, line: bytes) -> None:
        """Append a line completely, or count it as lost."""
        try:
            file.append(line)
        except OSError as error:
            self._losses.lose(error)
        else:
            self._losses.over()


def _check_incomplete_line(path: Path, file: LineFile) -> None:
    """Raise SinkError if the incomplete last line, which would be removed, was not written by a run."""
    begin = file.last_line_at()
    head = file.read(begin, min(file.size(), begin + max(map(len, BEGINNINGS))))
    if head and not any(head.startswith(one) or one.startswith(head) for one in BEGINNINGS):
        raise SinkError(f"{path}: its last line was not written by edgecls run and has no line break; name another file")


def _open_at_once(path: str, flags: int) -> int:
    """Open a device or a pipe. One that nobody reads is not waited for. Raises OSError, SinkError."""
    try:
        descriptor = os.open(path, flags | NO_WAIT)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116 - it is a text here
            raise SinkError(f"{path}: is a pipe that nobody reads; start its reader first, such as: cat {path}") from error
        raise
    os.set_blocking(descriptor, True)
    return descriptor


KIND = SinkKind(
    JsonlSettings,
    lambda out, say: JsonlSink(out.path, when=out.when, every_s=out.every_s, events=out.events, say=say),
    "path",
    "a file after the colon, such as {kind}:out.jsonl",
    files=lambda out, _cameras: [] if out.path == "-" else [Path(out.path)],
)
