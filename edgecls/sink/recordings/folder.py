"""A folder with recordings of events: their names, their sidecars, and what happens when the disk is full.

Write errors are counted and reported once when they begin and once when they end. They are not raised, because they must not
end the run or affect other recordings. Only a folder that is missing or not writable at the start is an error.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import SinkError
from edgecls.files import part_of, private_mode, whole_file
from edgecls.labels.json_lines import event_record
from edgecls.sink.delivery.losses import LossCounter
from edgecls.sink.recordings.quota import read_sidecar, write_sidecar
from edgecls.sink.sink import Backlog, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecls.event import Event, Kind, Moment
    from edgecls.log import Say
    from edgecls.sink.recordings.quota import Quota

SUFFIXES = (".mp4", ".mkv", ".jpg")
LONGEST_NAME = 60
"""Bytes of a camera's name or a label in a file name. Most systems limit file names to 255."""
PART_KEPT_S = 3600.0
"""Age at which an unfinished file is considered a leftover of a killed run."""
_PART = re.compile(r"\..+-(\d{8}T\d{6}\.\d{3}Z|\d{6,}\.\d{3}s)-.+\.part\.(mp4|mkv|jpg|json)")
"""Matches only names from `RecordingFolder.name`: unfinished annotated videos in the same folder can be played."""
SIDECAR_BYTES = 4096
EVENT_TIME_STEP_S = 0.001
"""The times of events are rounded to milliseconds."""
SEEN: tuple[Kind, ...] = ("state", "label", "object", "presence", "crossing", "left", "removed", "health")
"""The kinds of events that pictures can show: all except counts."""


class FolderSink(Sink):
    """A sink that writes recordings into a folder, which knows what is lost and why."""

    _folder: RecordingFolder

    @property
    def lost(self) -> int:
        """Number of events without a recording."""
        return self._folder.lost

    @property
    def backlog(self) -> Backlog:
        """The number of lost events."""
        return Backlog(lost=self.lost)

    @property
    def trouble(self) -> str:
        """Why nothing can be written."""
        return self._folder.trouble


class RecordingFolder:
    """A folder of recordings. `what` names the recordings in messages, such as "clips"."""

    def __init__(self, folder: str | Path, what: str, *, quota: Quota | None, say: Say) -> None:
        """Check the folder. Raises SinkError if it does not exist or is not writable."""
        self.path = Path(folder)
        self._quota = quota
        self._say = say
        self._reported: set[str] = set()
        self._missed = 0
        self._losses = LossCounter(self.path, what, say)
        if not os.path.isdir(self.path):  # noqa: PTH112 - Path.is_dir raises on a failing disk
            raise SinkError(f"{folder}: the folder for {what} does not exist; create it first")
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise SinkError(f"{folder}: the folder for {what} is not writable; check its owner and permissions")
        private_mode()  # report a wrong mode now, not at the first event
        self._remove_old_parts()

    @property
    def lost(self) -> int:
        """Number of recordings that could not be written or had no data."""
        return self._losses.lost + self._missed

    @property
    def trouble(self) -> str:
        """Why recordings are being lost; "" if none are."""
        return self._losses.trouble

    @property
    def step(self) -> int:
        """Number of bytes to write before calling `make_room` again."""
        return self._quota.step if self._quota else 1 << 62

    def make_room(self, more: int, *, unfinished: int = 0) -> None:
        """Let the quota free space for `more` bytes. Raises SinkError if it cannot."""
        if self._quota:
            self._quota.make_room(more, unfinished=unfinished)

    def name(self, event: Event, *more: str) -> str:
        """Return `CAMERA-START-LABEL` and `more`, with a number if another event has that name."""
        plain = "-".join((f"{beginning_of(event)}{_plain(event.label or event.kind)}", *more))
        names = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        return next(name for name in names if self._is_free(name, event))

    def part(self, name: str, suffix: str) -> Path:
        """Return the path of a recording while it is being written."""
        return part_of(self.path / f"{name}{suffix}")

    def write(self, name: str, data: bytes) -> Path:
        """Write a file atomically and return its path. Raises SinkError."""
        path = self.path / name
        with whole_file(path, mode=private_mode()) as beside:
            beside.write_bytes(data)
        return path

    def put(self, name: str, files: Sequence[Path], event: Event, record: Mapping[str, Any]) -> None:
        """Write the sidecar of finished files. Raises SinkError or OSError."""
        write_sidecar(self.path / f"{name}.json", files, time.time(), {"event": event_record(event), **record})
        self._losses.over()

    def lose(self, error: BaseException) -> None:
        """Count a lost recording, and report the reason when it is new."""
        self._losses.lose(error)

    def miss(self, why: str, *, lost: int = 1) -> None:
        """Count recordings without data. Each reason is reported once."""
        self._missed += lost
        if why not in self._reported:
            self._reported.add(why)
            self._say(why)

    def close(self) -> None:
        """Report losses that have not been reported yet."""
        self._losses.close()

    def _remove_old_parts(self) -> None:
        """Remove old leftovers of killed runs, but not recent files, which another run may be writing."""
        with suppress(OSError):
            for path in list(self.path.glob(".*.part.*")):
                with suppress(OSError):
                    if _PART.fullmatch(path.name) and time.time() - path.lstat().st_mtime > PART_KEPT_S:
                        path.unlink()

    def _is_free(self, name: str, event: Event) -> bool:
        """Return whether the name is unused, or used by the same event."""
        sidecar = self.path / f"{name}.json"
        if os.path.lexists(sidecar):
            record = (read_sidecar(sidecar) or {}).get("event")
            return isinstance(record, dict) and record.get("event") == event.id
        paths = [path for suffix in SUFFIXES for path in (self.path / f"{name}{suffix}", self.part(name, suffix))]
        return not any(map(os.path.lexists, paths))  # broken links count too


def beginning_of(event: Event) -> str:
    """Return what the names of an event's recordings begin with, `CAMERA-START-`. The label after it may be an earlier one."""
    return f"{_plain(event.camera)}-{_when(event.start)}-"


def _plain(text: str) -> str:
    """Return a text as part of a file name: letters, digits, `_` and `.`; never empty, never hidden."""
    plain = re.sub(r"[^\w.]+", "_", text).strip("._")
    return plain.encode()[:LONGEST_NAME].decode(errors="ignore") or "none"


def _when(moment: Moment) -> str:
    """Return the date and time (UTC) if known, else the media time in seconds, in sortable form."""
    if moment.at_s is None:
        return f"{moment.time_s:010.3f}s"
    return stamp(datetime.fromtimestamp(moment.at_s, UTC))


def stamp(when: datetime) -> str:
    """Return a date and time (UTC) as part of a file name: 20251122T150307.250Z."""
    return when.strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
