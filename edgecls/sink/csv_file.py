"""A sink that writes each event, when it has ended, as a row of a CSV file for spreadsheets."""

from __future__ import annotations

import csv
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecls.errors import SinkError
from edgecls.events.observation import SCORE_DIGITS
from edgecls.files.advice import why_not_written
from edgecls.log import Say, log_warning
from edgecls.sink.line_file import LineFile
from edgecls.sink.sink import REMEMBERED_EVENTS, Sink, SinkKind
from edgecls.text.csv_cells import csv_line
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from edgecls.event import Event, Moment
    from edgecls.frame import Result

COLUMNS = (
    *("id", "kind", "camera", "region", "label", "score", "start", "end", "duration_s"),
    *("track_id", "direction", "counts", "occupancy", "model", "file"),
)
HEAD_BYTES = 4096
TAIL_BYTES = 65_536
"""Bytes at the end of an existing file to read for the ids of recent events: duplicates arrive soon after each other."""


@dataclass(frozen=True, slots=True)
class CsvSettings:
    """A row for each event that has ended, in the file `path`."""

    path: str
    kind: Literal["csv"] = "csv"


class CsvSink(Sink):
    """Appends a row to `path` for each event that has ended. The first line contains the column names.

    `start` and `end` are UTC times such as 2025-11-22T15:03:07.000Z for live cameras, else media time in seconds. `counts` is
    JSON, and `file` is the file of the first frame.

    Rows are written completely or not at all, and events only once. Only one run can write to the file. Text that a spreadsheet
    would treat as a formula gets a leading apostrophe (see `edgecls.text.csv_cells`).
    """

    def __init__(self, path: str | Path, *, say: Say = log_warning) -> None:
        """Open or create the file. Raises SinkError if it cannot be written, has other columns, or is in use by another run."""
        self._path = Path(path)
        self._written: deque[str] = deque(maxlen=REMEMBERED_EVENTS)
        self._file: LineFile | None = None
        try:
            self._file = LineFile(self._path, say=say, head=csv_line(COLUMNS), check=self._check)
            self._written.extend(_last_ids(self._file))
        except OSError as error:
            with suppress(SinkError):
                self.close()
            raise self._error(error) from error

    def write(self, result: Result) -> None:
        """Do nothing: only events are written."""

    def write_event(self, event: Event) -> None:
        """Append a row, if the event has ended."""
        if event.end is None or event.id in self._written:
            return
        if self._file is None:
            raise SinkError(f"{self._path}: is closed")
        try:
            self._file.append(csv_line(csv_row(event)))
        except SinkError:
            raise
        except OSError as error:
            raise self._error(error) from error
        self._written.append(event.id)

    def close(self) -> None:
        """Flush the file to the disk and close it."""
        file, self._file = self._file, None
        if file is not None:
            try:
                with closing(file):
                    file.sync()
            except OSError as error:
                raise self._error(error) from error

    def _check(self, file: LineFile) -> None:
        """Raise SinkError for a file with other columns."""
        if not file.size():
            return
        head = file.read(0, HEAD_BYTES).decode("utf-8", "replace")
        first = head.split("\n")[0].strip("\r\ufeff")
        if first != ",".join(COLUMNS):
            expected = ",".join(COLUMNS)
            raise SinkError(f"{self._path}: has other columns ({first[:80]}) than expected ({expected}); name another file")

    def _error(self, error: OSError) -> SinkError:
        if isinstance(error, SinkError):
            return error
        return SinkError(f"{self._path}: cannot be written ({why_not_written(self._path, error)})")


def _last_ids(file: LineFile) -> list[str]:
    size = file.size()
    tail = file.read(max(0, size - TAIL_BYTES), size)
    return [row[0] for row in csv.reader(tail.decode("utf-8", "replace").splitlines()) if row]


def csv_row(event: Event) -> tuple[object, ...]:
    """Return the values of an event in the order of `COLUMNS`."""
    return (
        *(event.id, event.kind, event.camera, event.region, event.label, round(event.score, SCORE_DIGITS)),
        *(_time(event.start), "" if event.end is None else _time(event.end)),
        "" if event.duration_s is None else round(event.duration_s, 3),
        "" if event.track_id is None else event.track_id,
        event.direction,
        dumps(dict(event.counts)) if event.counts else "",
        "" if event.occupancy is None else round(event.occupancy, 3),
        *(event.model, event.start.file),
    )


def _time(moment: Moment) -> str:
    if moment.at_s is None:
        return f"{moment.time_s:.3f}"
    return datetime.fromtimestamp(round(moment.at_s, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


KIND = SinkKind(
    CsvSettings,
    lambda out, say: CsvSink(out.path, say=say),
    "path",
    "a file after the colon, such as {kind}:events.csv",
    queue="disk",
    files=lambda out, _cameras: [Path(out.path)],
)
