"""Limits of the disk space of recordings. The oldest recordings are removed to make room for new ones.

A file is removed only if edgecls certainly wrote it: a sidecar (a JSON file that names edgecls) lists the name of the file and
its size in bytes, which must match. So files that a person adds, changes or renames are never removed, and several programs may
share a folder. No index is stored: the sidecars contain everything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls._version import __version__
from edgecls.errors import SinkError
from edgecls.files import private_mode, read_small, whole_file
from edgecls.settings import check, check_limits, limited
from edgecls.text import strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GB = 1_000_000_000
MADE_BY = "edgecls "
LARGEST_SIDECAR = 1 << 20
LARGEST_FILE = 1 << 62
LARGEST_STEP = 1 << 20
"""Bytes of a growing file that are written before the free space is checked again, at most."""


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """Limits of the disk space of recordings. The oldest recordings are removed to make room for new ones.

    Recordings take at most `most_gb` gigabytes in their folder (None: no limit), and leave `keep_free_gb` gigabytes of its disk
    free.
    """

    most_gb: float | None = limited(None, at_least=1 / GB, expected="more than 0")
    keep_free_gb: float = limited(0.0, at_least=0)

    def __post_init__(self) -> None:
        """Check the limits. Raises ConfigError."""
        check_limits(self)

    def of(self, folder: str | Path) -> Quota:
        """Return the quota of a folder."""
        most = None if self.most_gb is None else round(self.most_gb * GB)
        return Quota(folder, most_bytes=most, keep_free_bytes=round(self.keep_free_gb * GB))


class Recording(NamedTuple):
    """A recording: its sidecar and the files that the sidecar lists.

    A folder may have tens of thousands of recordings, and each is kept in memory. So files are stored as names: paths would
    need twice the memory.

    Args:
        sidecar: Name of the sidecar.
        files: Names and sizes in bytes of the files.
        at_s: When they were written, in seconds since 1970.
        total: Size in bytes of all files, including the sidecar.
    """

    sidecar: str
    files: tuple[tuple[str, int], ...]
    at_s: float
    total: int


class Quota:
    """Limits the recordings in `folder` to `most_bytes` (None: no limit), and keeps `keep_free_bytes` of its disk free."""

    def __init__(self, folder: str | Path, *, most_bytes: int | None = None, keep_free_bytes: int = 0) -> None:
        """Store the limits; the folder is not read yet. `removed` counts the removed recordings. Raises ConfigError."""
        check("most_bytes", most_bytes, most_bytes is None or most_bytes > 0, "above 0")
        check("keep_free_bytes", keep_free_bytes, keep_free_bytes >= 0, "0 or more")
        self.removed = 0
        self.step = LARGEST_STEP if most_bytes is None else min(LARGEST_STEP, max(1, most_bytes // 16))
        self._folder = Path(folder)
        self._most = most_bytes
        self._keep_free = keep_free_bytes
        self._known: dict[str, tuple[tuple[int, int], Recording | None]] = {}

    def make_room(self, more: int, *, unfinished: int = 0) -> None:
        """Remove the oldest recordings until `more` bytes can be written.

        Args:
            more: Number of bytes to be written.
            unfinished: Bytes of recordings that are being written and have no sidecar yet.

        Raises:
            SinkError: There would be no room even without any recording (then none is removed), or recordings could not be
                removed.
        """
        recordings = self._recordings()
        taken = sum(recording.total for recording in recordings)
        if why := self._shortage(more, unfinished, freed=taken):
            raise SinkError(why)
        failed = ""
        while recordings and self._shortage(more, taken + unfinished):
            oldest = recordings.pop(0)
            try:
                self._remove(oldest)
            except SinkError as error:  # removing the next one may succeed
                failed = f"; {error}"
            else:
                taken -= oldest.total
        if why := self._shortage(more, taken + unfinished):  # other programs may have used the space that was freed
            raise SinkError(f"{why}{failed}")

    def _shortage(self, more: int, taken: int, *, freed: int = 0) -> str:
        """Return why `more` bytes cannot be written beside `taken` bytes after freeing `freed` bytes; "" if they can."""
        if self._most is not None and taken + more > self._most:
            return f"{self._folder}: the recording being written exceeds the limit of {self._most:,} bytes for all recordings"
        if not self._keep_free:
            return ""
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise SinkError(f"{self._folder}: the free space of its disk cannot be determined ({error.strerror})") from error
        if free + freed - more < self._keep_free:
            return f"{self._folder}: {self._keep_free:,} bytes of the disk must stay free, but other files take them"
        return ""

    def _recordings(self) -> list[Recording]:
        """Return the recordings in the folder, the oldest first."""
        found: dict[str, tuple[tuple[int, int], Recording | None]] = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".json") and entry.name[0] != "." and entry.is_file(follow_symlinks=False):
                        stamp = _stamp(entry)
                        known = self._known.get(entry.name)
                        found[entry.name] = known if known and known[0] == stamp else (stamp, _read(self._folder, entry.name))
        except OSError as error:
            raise SinkError(f"{self._folder}: cannot be listed ({error.strerror})") from error
        self._known = found
        present = [self._present(recording) for _, recording in found.values() if recording is not None]
        return sorted((one for one in present if one is not None), key=lambda one: (one.at_s, one.sidecar))

    def _remove(self, recording: Recording) -> None:
        """Remove the files, then the sidecar. After an interruption, the sidecar still lists the remaining files."""
        try:
            for name in (*(name for name, _ in recording.files), recording.sidecar):
                (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(f"{self._folder / name}: cannot be removed to make room ({error.strerror})") from error
        self.removed += 1

    def _present(self, recording: Recording) -> Recording | None:
        """Return the recording with the files that still exist, or None if one of them has been changed."""
        files: list[tuple[str, int]] = []
        for name, size in recording.files:
            try:
                found = (self._folder / name).lstat()
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                return None
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                return None
            files.append((name, size))
        if len(files) == len(recording.files):
            return recording
        gone = sum(size for _, size in recording.files) - sum(size for _, size in files)
        return recording._replace(files=tuple(files), total=recording.total - gone)


def write_sidecar(path: Path, files: Sequence[Path], at_s: float, record: Mapping[str, Any]) -> None:
    """Write the sidecar of `files`: their sizes and hashes, and the fields of `record`. Raises SinkError or OSError."""
    listed = {file.name: {"bytes": file.stat().st_size, "sha256": _sha256(file)} for file in files}
    whole = {"made_by": f"{MADE_BY}{__version__}", "written_at_s": round(at_s, 3), "files": listed, **record}
    with whole_file(path, mode=private_mode()) as beside:
        beside.write_text(strict_json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int]:
    """Return the time of modification and the size, which show whether a file has changed; (-1, -1) if it no longer exists."""
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return -1, -1
    return found.st_mtime_ns, found.st_size


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """Read a file that `write_sidecar` wrote. Returns None for any other file."""
    try:
        record = strict_json.loads(read_small(path, LARGEST_SIDECAR).decode("utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(record, dict) and str(record.get("made_by")).startswith(MADE_BY)
    return record if is_ours else None


def _read(folder: Path, name: str) -> Recording | None:
    """Return the recording that a JSON file describes, or None if edgecls cannot have written the file."""
    path = folder / name
    record = read_sidecar(path)
    try:
        if record is None:
            return None
        files = tuple((_plain_name(file), _bytes(listed["bytes"])) for file, listed in record["files"].items())
        total = path.lstat().st_size + sum(size for _, size in files)
        return Recording(name, files, _seconds(record["written_at_s"]), total)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def _plain_name(name: str) -> str:
    if name != Path(name).name or name in (".", ".."):
        raise ValueError(f"{name!r} names no file of this folder")
    return name


def _bytes(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_FILE:
        raise ValueError(f"{value!r} bytes")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} seconds")
    return float(value)
