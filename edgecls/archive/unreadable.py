"""unreadable.jsonl: the recordings without labels, or with labels up to a damage, each with the reason.

    {"recording": "/nas/door/12.34.mp4", "camera": "door", "why": "is empty (0 bytes)", "frames": 0, "size": 0,
     "modified_ns": 1764315294000000000, "found_at": "2026-11-28T08:12:45Z"}

A recording stays in the list, and is not tried again, until its file changes or is gone over again with `retry`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edgecls.archive.schema import as_text
from edgecls.errors import DataError
from edgecls.files import whole_file
from edgecls.text.redaction import hidden
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.archive.recordings import Recording

NAME = "unreadable.jsonl"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One line of the list. `frames` is how many of its frames have labels all the same."""

    recording: str
    camera: str
    why: str
    frames: int
    size: int
    modified_ns: int
    found_at: str

    @classmethod
    def of(cls, recording: Recording, why: str, frames: int) -> Unreadable:
        """Return the line of a recording that was just tried."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(name_of(recording), recording.camera, why, frames, recording.size, recording.modified_ns, now)

    def is_of(self, recording: Recording) -> bool:
        """Whether the recording is still the file that was tried."""
        return (self.size, self.modified_ns) == (recording.size, recording.modified_ns)


class UnreadableList:
    """The list of an archive. It is written whenever it changes."""

    def __init__(self, out: Path) -> None:
        """Read the list of an archive. Raises DataError if the file is not one."""
        self.path = out / NAME
        self._lines: dict[str, Unreadable] = {}
        if self.path.exists():
            try:
                found = [Unreadable(**loads(line)) for line in self.path.read_text(encoding="utf-8").splitlines()]
            except (OSError, ValueError, TypeError) as error:
                raise DataError(f"{self.path}: is not a list of unreadable recordings; remove it") from error
            self._lines = {one.recording: one for one in found}

    def get(self, recording: Recording) -> Unreadable | None:
        """Return the line of a recording as it is now; None if it is not listed or has changed."""
        line = self._lines.get(name_of(recording))
        return line if line is not None and line.is_of(recording) else None

    def add(self, line: Unreadable) -> None:
        """Add a line, or replace the one of the same recording. Raises SinkError."""
        self._lines[line.recording] = line
        self._write()

    def drop(self, recording: Recording) -> None:
        """Remove the line of a recording, if there is one. Raises SinkError."""
        if self._lines.pop(name_of(recording), None) is not None:
            self._write()

    def _write(self) -> None:
        if not self._lines:
            self.path.unlink(missing_ok=True)
            return
        with whole_file(self.path) as beside:
            lines = [dumps(asdict(line)) for line in self._lines.values()]
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def name_of(recording: Recording) -> str:
    """Return how tables and lists name a recording: its path, or its address without secrets."""
    return as_text(hidden(recording.address) if recording.is_remote else recording.address)
