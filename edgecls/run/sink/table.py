"""Events as rows of a CSV file, for a spreadsheet: one for each event, when it has ended."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import SinkError
from edgecls.run.sink.contract import Sink
from edgecls.run.wire import DIGITS

if TYPE_CHECKING:
    from edgecls.event import Event, Moment
    from edgecls.frame import Result

COLUMNS = (
    *("id", "kind", "camera", "region", "label", "score", "start", "end", "duration_s"),
    *("track_id", "direction", "counts", "occupancy", "model", "file"),
)
REMEMBERED = 1000
TAIL_BYTES = 65_536
"""So many ids of the last rows are remembered, and so much of the file is read for them when it is opened: what comes again
comes soon.
"""


class CsvSink(Sink):
    """Appends a row to `path` for each event that has ended; the columns stand in the first line.

    `start` and `end` are UTC as 2025-11-22T15:03:07.000Z where the camera is live, else seconds of media time; `counts` is
    JSON, and `file` the one that the first frame is from.

    A row is in the file whole or not at all, and an event that comes again is not written again.
    """

    def __init__(self, path: str | Path) -> None:
        """Open it, or begin it. Raises SinkError when it cannot be written, or has other columns."""
        self._path = Path(path)
        self._file: io.FileIO | None = None
        try:
            self._file = io.FileIO(self._path, "a+")
            self._written = deque(self._begin(self._file), maxlen=REMEMBERED)
        except SinkError:
            self.close()
            raise
        except OSError as error:
            raise self._error(error) from error

    def write(self, result: Result) -> None:
        """Nothing: a row is an event."""

    def write_event(self, event: Event) -> None:
        """Append a row, if the event has ended."""
        if event.end is None or event.id in self._written:
            return
        self._append(_line(_row(event)))
        self._written.append(event.id)

    def close(self) -> None:
        """Flush the file to the disk and close it."""
        file, self._file = self._file, None
        if file is not None:
            try:
                with file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise self._error(error) from error

    def _begin(self, file: io.FileIO) -> list[str]:
        """Write the columns, or check them; take away half a row; return the ids of the last rows."""
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(4096).decode("utf-8", "replace")
        if not size:
            self._append(_line(COLUMNS))
            return []
        first = head.split("\n")[0].strip("\r\ufeff")
        if first != ",".join(COLUMNS):
            expected = ",".join(COLUMNS)
            raise SinkError(f"{self._path}: has other columns ({first[:80]}) than expected ({expected}); name another file")
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):  # half a row, of a disk that was full or a machine that lost its power
            file.truncate(size - len(tail) + whole)
        return [row[0] for row in csv.reader(tail[:whole].decode("utf-8", "replace").splitlines()) if row]

    def _append(self, line: bytes) -> None:
        if self._file is None:
            raise SinkError(f"{self._path}: is closed")
        size = self._file.seek(0, os.SEEK_END)
        try:
            is_whole = self._file.write(line) == len(line)
            if not is_whole:
                self._file.truncate(size)
        except OSError as error:
            raise self._error(error) from error
        if not is_whole:
            raise SinkError(f"{self._path}: cannot be written (the disk is full)")

    def _error(self, error: OSError) -> SinkError:
        return SinkError(f"{self._path}: cannot be written ({error.strerror})")


def _row(event: Event) -> tuple[object, ...]:
    return (
        *(event.id, event.kind, event.camera, event.region, event.label, round(event.score, DIGITS)),
        *(_time(event.start), "" if event.end is None else _time(event.end)),
        "" if event.duration_s is None else round(event.duration_s, 3),
        "" if event.track_id is None else event.track_id,
        event.direction,
        json.dumps(dict(event.counts), ensure_ascii=False) if event.counts else "",
        "" if event.occupancy is None else round(event.occupancy, 3),
        *(event.model, event.start.file),
    )


def _time(moment: Moment) -> str:
    if moment.at_s is None:
        return f"{moment.time_s:.3f}"
    return datetime.fromtimestamp(round(moment.at_s, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(row: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode("utf-8", "backslashreplace")
