"""Find recordings: in folders, in lists of paths, by patterns such as *.mp4, and at addresses such as s3://bucket/folder."""

from __future__ import annotations

import glob
import hashlib
import importlib
import os
import re
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from edgecls.errors import ConfigError, DataError, MissingExtraError
from edgecls.files.advice import of_missing
from edgecls.files.reading import read_regular
from edgecls.text.redaction import hidden
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgecls.archive.naming import Naming

SUFFIXES = frozenset({
    ".3gp", ".264", ".265", ".asf", ".avi", ".dav", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
"""The files of a folder that are recordings. Others are not looked at."""
LISTS = frozenset({".list", ".lst", ".txt"})
"""The suffixes of files with one path on each line."""
LONGEST_LIST = 1 << 28
"""In bytes."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Where the file systems of fsspec say when a file was written."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. Its absolute path or its address says which it is; its size and time say whether it has changed.

    Attributes:
        address: The absolute path, or the address.
        size: In bytes.
        modified_ns: When it was written, in nanoseconds since 1970; 0 if that is not known.
        camera: The name of its camera.
        began_us: When it begins by its name, in microseconds since 1970; None if the name does not say.
    """

    address: str
    size: int
    modified_ns: int
    camera: str = ""
    began_us: int | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits that depend on the address alone."""
        return hashlib.sha256(os.fsencode(self.address)).hexdigest()[:16]

    @property
    def stem(self) -> str:
        """The name of the file without its suffix."""
        return Path(re.split(r"[/\\]", self.address)[-1]).stem

    @property
    def is_remote(self) -> bool:
        """Whether it is at an address instead of a path."""
        return bool(_ADDRESS.match(self.address))


class Missing(NamedTuple):
    """A recording that cannot be used, and the reason."""

    address: str
    why: str


def find_recordings(places: Sequence[str | Path], naming: Naming) -> tuple[list[Recording], list[Missing]]:
    """Find the recordings at all places.

    Args:
        places: Folders, which are searched with all folders in them; files; patterns such as "nas/*/2026-*.mp4"; lists, which
            are files ending in .txt, .list or .lst with one of the others on each line; "-" for such a list on stdin; and
            addresses that fsspec knows, such as "s3://bucket/folder".
        naming: How their names say camera and time.

    Returns:
        The recordings in the order of the places, each once; and what lists name but is not there, or what is not named so.

    Raises:
        DataError: A place does not exist, or there is no recording at all.
        ConfigError: No name fits, or an address cannot be used.
    """
    found: dict[str, Recording] = {}
    missing: list[Missing] = []
    for place in places:
        for one in _at(str(place), is_listed=False):
            if isinstance(one, Missing):
                missing.append(one)
            else:
                found.setdefault(one.address, one)
    if not found and not missing:
        raise DataError(
            f"{', '.join(hidden(str(place)) for place in places)}: no recordings found; expected files such as .mp4 or .mkv"
        )
    named = [(one, naming.of(one.address)) for one in found.values()]
    fitting = [replace(one, camera=name.camera or "camera", began_us=name.began_us) for one, name in named if name is not None]
    others = [one for one, name in named if name is None]
    if others and not fitting:
        count = counted(len(others), "recording")
        raise ConfigError(f"`names={naming.pattern}` fits none of the {count}; the first is {others[0].address}")
    missing += [Missing(one.address, f"its name does not fit {naming.pattern}") for one in others]
    return fitting, missing


def _at(place: str, *, is_listed: bool) -> Iterator[Recording | Missing]:
    """Yield the recordings at a place. A list may not name lists."""
    if place.lower().startswith("file://"):
        place = unquote(urlsplit(place).path)
    if _ADDRESS.match(place):
        yield from _at_address(place)
        return
    path = Path(os.path.abspath(place))  # noqa: PTH100 - links stay, because they are the names that people use
    if path.is_dir():
        yield from _in_folder(path)
    elif not is_listed and (place == "-" or (path.suffix.lower() in LISTS and path.exists())):
        yield from _in_list(place)
    elif path.exists():
        yield _local(path)
    elif glob.has_magic(place):
        matches = [Path(os.path.abspath(one)) for one in sorted(glob.glob(place, recursive=True))]  # noqa: PTH100, PTH207
        yield from (_local(one) for one in matches if one.is_file() and one.suffix.lower() in SUFFIXES)
    elif is_listed:
        yield Missing(str(path), "no such file")
    else:
        raise DataError(f"{place}: no such file or folder{of_missing(place)}")


def _in_folder(folder: Path) -> Iterator[Recording]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield _local(path)


def _in_list(place: str) -> Iterator[Recording | Missing]:
    content = sys.stdin.buffer.read() if place == "-" else read_regular(place, error=DataError, most_bytes=LONGEST_LIST)
    for line in os.fsdecode(content).splitlines():
        text = line.strip()
        if text and not text.startswith("#"):
            yield from _at(text, is_listed=True)


def _local(path: Path) -> Recording:
    status = path.stat()
    return Recording(str(path), status.st_size, status.st_mtime_ns)


def _at_address(address: str) -> Iterator[Recording | Missing]:
    """Yield the recordings at an address that fsspec knows."""
    files, path = file_system(address)
    try:
        if glob.has_magic(path):
            found: dict[str, Any] = files.glob(path, detail=True)
        elif files.isdir(path):
            found = files.find(path, detail=True)
        else:
            yield _remote(files, path, files.info(path))
            return
    except FileNotFoundError:
        yield Missing(hidden(address), "no such file")
        return
    except Exception as error:  # each of many packages has errors of its own
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{hidden(address)}: cannot be listed ({why:.200}); check the address and the login") from error
    for name, about in sorted(found.items()):
        if about.get("type") == "file" and Path(name).suffix.lower() in SUFFIXES and not Path(name).name.startswith("."):
            yield _remote(files, name, about)


def file_system(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec for an address, and the path there. Raises ConfigError if there is none."""
    try:
        fsspec = importlib.import_module("fsspec")
    except ModuleNotFoundError as error:
        raise MissingExtraError("fsspec", "archive", f"Reading {hidden(address)}") from error
    try:
        files, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise ConfigError(f"{hidden(address)}: {error}") from error
    except ValueError as error:
        scheme = address.partition("://")[0]
        raise ConfigError(
            f"{hidden(address)}: nothing here can read {scheme}://; expected a path, s3://, gs://, https:// or another kind of "
            f"address that a package for fsspec reads"
        ) from error
    except Exception as error:  # each of many packages has errors of its own
        raise ConfigError(f"{hidden(address)}: cannot be used ({' '.join(str(error).split()):.200})") from error
    return files, path


def _remote(files: Any, path: str, about: dict[str, Any]) -> Recording:
    modified = next((about[key] for key in _TIMES if about.get(key) is not None), None)
    return Recording(str(files.unstrip_protocol(path)), int(about.get("size") or 0), _nanoseconds(modified))


def _nanoseconds(time: Any) -> int:
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return 0
    seconds = time.timestamp() if isinstance(time, datetime) else time
    return round(seconds * 1e9) if isinstance(seconds, int | float) else 0


def cameras_of(recordings: Iterable[Recording]) -> dict[str, Recording]:
    """Return the first recording of each camera, by its name."""
    first: dict[str, Recording] = {}
    for recording in recordings:
        first.setdefault(recording.camera, recording)
    return first
