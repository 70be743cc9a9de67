"""A folder of recordings of events: what they are called, what stands beside them, and what happens when there is no room.

What cannot be written is counted and said in one line when that begins and one when it is over, and not raised: it must not end
a run that goes on classifying, nor cost the other recordings that are being written. A folder that is not there or may not be
written to from the start is raised.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import SinkError
from edgecls.files import part_of, whole_file
from edgecls.run.sink.outage import Outage
from edgecls.run.sink.quota import write_sidecar
from edgecls.run.wire import event_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecls.event import Event, Kind, Moment
    from edgecls.run.say import Say
    from edgecls.run.sink.quota import Quota

SUFFIXES = (".mp4", ".mkv", ".jpg")
LONGEST_NAME = 60
"""Bytes of a camera's name or a label in the name of a file, of which the most systems take 255."""
PART_KEPT_S = 3600.0
"""A part that nobody has written to for so long is one of a killed run."""
_PART = re.compile(r"\..+-(\d{8}T\d{6}\.\d{3}Z|\d{6,}\.\d{3}s)-.+\.part\.(mp4|mkv|jpg|json)")
"""Of names that `Shelf.name` gives alone: the part of an annotated video, which may stand in the folder too, can be played."""
SIDECAR_BYTES = 4096
ROUNDED_S = 0.001
"""The times of events are rounded to milliseconds."""
REMEMBERED = 1000
"""So many events are known by their ids, so that one that is told of twice is recorded once."""
SEEN: tuple[Kind, ...] = ("state", "object", "presence", "crossing", "health")
"""The kinds of events that a picture can show: all but counts."""


class Shelf:
    """`what` is what stands in it, as in "clips"; `lost` counts those that could not be kept."""

    def __init__(self, folder: str | Path, what: str, *, quota: Quota | None, say: Say) -> None:
        """Check the folder. Raises SinkError where it does not exist or may not be written to."""
        self.folder = Path(folder)
        self._quota = quota
        self._say = say
        self._told: set[str] = set()
        self._missed = 0
        self._outage = Outage(self.folder, what, say)
        if not self.folder.is_dir():
            raise SinkError(f"{folder}: expected a folder for {what}, and there is none; make it first")
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise SinkError(f"{folder}: the folder for {what} may not be written to; check its owner and rights")
        self._remove_old_parts()

    @property
    def lost(self) -> int:
        """Those that could not be kept, and those that there was nothing to make of."""
        return self._outage.lost + self._missed

    @property
    def step(self) -> int:
        """How many bytes to write before asking for room again."""
        return self._quota.step if self._quota else 1 << 62

    def make_room(self, more: int, *, unfinished: int = 0) -> None:
        """Have the quota make room. Raises SinkError where it cannot."""
        if self._quota:
            self._quota.make_room(more, unfinished=unfinished)

    def name(self, event: Event, *more: str) -> str:
        """`CAMERA-START-LABEL` and `more`, with a number where another event has that name already."""
        plain = "-".join((_plain(event.camera), _when(event.start), _plain(event.label or event.kind), *more))
        names = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        return next(name for name in names if self._is_free(name, event))

    def part(self, name: str, suffix: str) -> Path:
        """Where a recording grows until it is whole."""
        return part_of(self.folder / f"{name}{suffix}")

    def write(self, name: str, data: bytes) -> Path:
        """Write a whole file, and return its path. Raises SinkError."""
        path = self.folder / name
        with whole_file(path) as beside:
            beside.write_bytes(data)
        return path

    def put(self, name: str, files: Sequence[Path], event: Event, record: Mapping[str, Any]) -> None:
        """Write the sidecar of files that are whole. Raises SinkError or OSError."""
        write_sidecar(self.folder / f"{name}.json", files, time.time(), {"event": event_record(event), **record})
        self._outage.over()

    def lose(self, error: BaseException) -> None:
        """Count one that cannot be kept. Why is said when it begins to be so."""
        self._outage.lose(error)

    def miss(self, why: str, *, lost: int = 1) -> None:
        """Count what there is nothing to make of. Each reason is said once."""
        self._missed += lost
        if why not in self._told:
            self._told.add(why)
            self._say(why)

    def close(self) -> None:
        """Say how many were lost, where that has not been said."""
        self._outage.close()

    def _remove_old_parts(self) -> None:
        """Remove what killed runs left and nobody has written to for long: another run may be writing to the folder now."""
        for path in self.folder.glob(".*.part.*"):
            with suppress(OSError):
                if _PART.fullmatch(path.name) and time.time() - path.lstat().st_mtime > PART_KEPT_S:
                    path.unlink()

    def _is_free(self, name: str, event: Event) -> bool:
        """Whether nothing has this name but what was made of this very event."""
        try:
            return bool(json.loads((self.folder / f"{name}.json").read_bytes())["event"]["event"] == event.id)
        except FileNotFoundError:
            paths = [path for suffix in SUFFIXES for path in (self.folder / f"{name}{suffix}", self.part(name, suffix))]
            return not any(path.exists() for path in paths)
        except (OSError, ValueError, TypeError, KeyError):
            return False


def _plain(text: str) -> str:
    """A text as a part of a file's name: letters, digits, `_` and `.`; never empty, never hidden."""
    plain = re.sub(r"[^\w.]+", "_", text).strip("._")
    return plain.encode()[:LONGEST_NAME].decode(errors="ignore") or "none"


def _when(moment: Moment) -> str:
    """The date and time (UTC) where they are known, else the seconds of media time; names sort by it."""
    if moment.at_s is None:
        return f"{moment.time_s:010.3f}s"
    return stamp(datetime.fromtimestamp(moment.at_s, UTC))


def stamp(when: datetime) -> str:
    """A date and time (UTC) as a part of a file's name: 20251122T150307.250Z."""
    return when.strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
