"""How much room recordings may take. What does not fit any more makes room for what comes: the oldest goes first.

A file is removed only if it is ours beyond doubt: a sidecar (a JSON file that names who made it) stands beside it, lists it by
its name, and its bytes are as many as it says. So whatever a person puts into the folder, changes or renames stays, and several
programs may share a folder. There is no list to keep and none to lose: the folder says it all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import edgecls
from edgecls.errors import SinkError
from edgecls.files import whole_file
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MADE_BY = "edgecls "
LARGEST_SIDECAR = 1 << 20
LARGEST_STEP = 1 << 20
"""What is written of a growing file before it is looked again whether there is room."""


class Own(NamedTuple):
    """A sidecar, the files that it lists with their bytes, when they were written (since 1970), and the bytes of all."""

    sidecar: Path
    files: Mapping[Path, int]
    at_s: float
    total: int


class Quota:
    """Keeps what edgecls wrote to `folder` within `most_bytes`, and `keep_free_bytes` of its disk free for others."""

    def __init__(self, folder: str | Path, *, most_bytes: int | None = None, keep_free_bytes: int = 0) -> None:
        """Look at nothing yet. `removed` counts the recordings that made room."""
        check("most_bytes", most_bytes, most_bytes is None or most_bytes > 0, "above 0")
        check("keep_free_bytes", keep_free_bytes, keep_free_bytes >= 0, "0 or more")
        self.removed = 0
        self.step = LARGEST_STEP if most_bytes is None else min(LARGEST_STEP, max(1, most_bytes // 16))
        self._folder = Path(folder)
        self._most = most_bytes
        self._keep_free = keep_free_bytes
        self._known: dict[str, tuple[tuple[int, int], Own | None]] = {}

    def make_room(self, more: int, *, unfinished: int = 0) -> None:
        """Remove the oldest recordings until `more` bytes can be written, beside `unfinished` ones that have no sidecar yet.

        Raises SinkError, and removes nothing, where that could not be done by removing all of them.
        """
        own = self._own()
        taken = sum(one.total for one in own)
        if why := self._lacks(more, unfinished, freed=taken):
            raise SinkError(why)
        while own and self._lacks(more, taken + unfinished):
            taken -= own[0].total
            self._remove(own.pop(0))
        if why := self._lacks(more, taken + unfinished):  # of what was removed others took the room
            raise SinkError(why)

    def _lacks(self, more: int, taken: int, *, freed: int = 0) -> str:
        """Why there is no room for `more`, beside `taken`, once `freed` bytes are removed; empty where there is."""
        if self._most is not None and taken + more > self._most:
            return f"{self._folder}: what is being written needs more than the {self._most:,} bytes that all may have"
        if not self._keep_free:
            return ""
        free = shutil.disk_usage(self._folder).free
        if free + freed - more < self._keep_free:
            return f"{self._folder}: {self._keep_free:,} bytes of the disk are to be kept free, and others have taken them"
        return ""

    def _own(self) -> list[Own]:
        """What edgecls wrote there, the oldest first."""
        seen: dict[str, tuple[tuple[int, int], Own | None]] = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".json") and entry.name[0] != "." and entry.is_file(follow_symlinks=False):
                        stat = entry.stat(follow_symlinks=False)
                        stamp = (stat.st_mtime_ns, stat.st_size)
                        known = self._known.get(entry.name)
                        seen[entry.name] = known if known and known[0] == stamp else (stamp, _read(Path(entry.path), stamp[1]))
        except OSError as error:
            raise SinkError(f"{self._folder}: cannot be looked into ({error.strerror})") from error
        self._known = seen
        own = [there for _, one in seen.values() if one is not None and (there := _present(one)) is not None]
        return sorted(own, key=lambda one: (one.at_s, one.sidecar.name))

    def _remove(self, own: Own) -> None:
        """Remove the files, then the sidecar: broken off in between, the rest is still known."""
        try:
            for path in (*own.files, own.sidecar):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(f"{path}: cannot be removed to make room ({error.strerror})") from error
        self.removed += 1


def write_sidecar(path: Path, files: Sequence[Path], at_s: float, record: Mapping[str, Any]) -> None:
    """Write `path`, which says that edgecls wrote `files`, and what `record` says of them. Raises SinkError or OSError."""
    listed = {file.name: {"bytes": file.stat().st_size, "sha256": _sha256(file)} for file in files}
    whole = {"made_by": f"{MADE_BY}{edgecls.__version__}", "written_at_s": round(at_s, 3), "files": listed, **record}
    with whole_file(path) as beside:
        beside.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", errors="backslashreplace")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, size: int) -> Own | None:
    """What a JSON file lists as ours; None for any other one."""
    try:
        record = json.loads(path.read_bytes()) if size <= LARGEST_SIDECAR else None
        if not isinstance(record, dict) or not str(record.get("made_by")).startswith(MADE_BY):
            return None
        files = {path.with_name(Path(name).name): int(listed["bytes"]) for name, listed in record["files"].items()}
        return Own(path, files, float(record["written_at_s"]), size + sum(files.values()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _present(own: Own) -> Own | None:
    """The same with the files that are still there; None where one of them is not as it was written."""
    files = {path: size for path, size in own.files.items() if os.path.lexists(path)}
    if any(path.is_symlink() or path.stat().st_size != size for path, size in files.items()):
        return None
    return own._replace(files=files, total=own.total - sum(own.files.values()) + sum(files.values()))
