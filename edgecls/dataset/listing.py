"""List the picture files below a folder.

A disk has more than its owner's pictures: thumbnails made by a NAS, folders of the operating system, broken links, links in a
circle, folders that cannot be opened. They are left out and reported; none of them is read as a picture or raises an error.
Files are sorted by name, so the order does not depend on the file system.
"""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgecls import image

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharesnap"),  # Synology
        *("@recycle", "@recently-snapshot", "@transcode"),  # QNAP; its .@__thumb is hidden
        *("__macosx", "$recycle.bin", "recycler", "system volume information", "found.000", "lost+found"),
        "__pycache__",
    }
)
"""Folders that a NAS or an operating system creates among pictures, in lower case."""

SYSTEM = "folders made by a NAS or an operating system, left out"
LOOP = "links to a folder that contains them, left out"
TWICE = "links to folders that were already read, left out"
DEAD = "broken links, left out"
CLOSED = "folders that cannot be opened, left out"
SPECIAL = "pictures that are not regular files, left out"
MOST_NAMED = 3

Identity = tuple[int, int]
"""Device and inode: the same for every path of a folder."""


class Skipped:
    """Collects the names of what was left out or read in an unexpected way, by kind."""

    def __init__(self) -> None:
        """Start empty."""
        self._names: dict[str, dict[str, None]] = {}

    def add(self, kind: str, name: str) -> None:
        """Add a name to a kind. A name counts only once."""
        self._names.setdefault(kind, {})[name] = None

    def lines(self) -> tuple[str, ...]:
        """Return a line for each kind, in the order in which they were added, with the number of names and the first ones."""
        return tuple(f"{kind}: {len(names)} ({some(list(names), MOST_NAMED)})" for kind, names in self._names.items())


class Children(NamedTuple):
    """The direct content of a folder: its subfolders and its picture files, each in natural order."""

    folders: tuple[Path, ...]
    pictures: tuple[Path, ...]


def some(names: Sequence[str], most: int) -> str:
    """Return the first `most` names separated by commas, with "..." if there are more."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts 2 before 10. The keys of 01 and 1 are equal."""
    return tuple(
        (0, len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() and part.isascii() else (1, 0, part)
        for part in re.split(r"([0-9]+)", text)
        if part
    )


def in_order(names: Iterable[str]) -> list[str]:
    """Return names in natural order; those with equal keys are sorted as text."""
    return sorted(names, key=lambda name: (natural(name), name))


def pictures_under(folder: Path, skipped: Skipped | None = None, *, known: Collection[str] = ()) -> list[Path]:
    """List the picture files below a folder, in natural order.

    Hidden files, whose names begin with a dot, and those in SYSTEM_FOLDERS are left out. A linked folder is read unless it
    contains the link or was already read.

    Args:
        folder: The top folder.
        skipped: Collects what was left out; None discards it.
        known: Paths to leave out without reporting them. They are removed before sorting, which takes longer than listing.
    """
    inside = _walk(folder, Skipped() if skipped is None else skipped)
    found = (path for here in inside for path in here.pictures if not known or str(path) not in known)
    return sorted(found, key=lambda path: (natural(path.as_posix()), path.as_posix()))


def holds_pictures(folder: Path) -> bool:
    """Return whether a folder contains pictures, at any depth."""
    return any(inside.pictures for inside in _walk(folder, Skipped()))


def _walk(folder: Path, skipped: Skipped) -> Iterator[Children]:
    """Yield the content of a folder and of each below it. Links come last, so that a picture is listed by its real path."""
    real = Path(os.path.realpath(folder))  # Path.resolve raises RuntimeError for a link in a circle
    above = frozenset(filter(None, map(_identity, {*folder.absolute().parents, *real.parents})))
    seen: set[Identity] = set()
    folders, linked = deque([(folder, above)]), deque[tuple[Path, frozenset[Identity]]]()
    while folders or linked:
        here, around = folders.popleft() if folders else linked.popleft()
        identity = _identity(here)
        if identity is None or identity in around or identity in seen:
            if identity is not None and here.is_symlink():
                skipped.add(LOOP if identity in around else TWICE, str(here))
            continue
        seen.add(identity)
        inside = children(here, skipped)
        yield inside
        for inner in inside.folders:
            (linked if inner.is_symlink() else folders).append((inner, around | {identity}))


def children(folder: Path, skipped: Skipped) -> Children:
    """List the direct content of a folder, including linked folders. `skipped` collects what was left out."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        skipped.add(CLOSED, f"{folder}: {error.strerror}")
        return Children((), ())
    folders: list[str] = []
    pictures: list[str] = []
    for entry in sorted(visible, key=lambda entry: entry.name):
        is_picture = os.path.splitext(entry.name)[1].lower() in image.SUFFIXES  # noqa: PTH122 - much faster than a Path
        if entry.name.casefold() in SYSTEM_FOLDERS and _is(entry.is_dir):
            skipped.add(SYSTEM, entry.path)
        elif _is(entry.is_dir):
            folders.append(entry.name)
        elif is_picture and _is(entry.is_file):
            pictures.append(entry.name)
        elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110 - Path.exists may raise
            skipped.add(DEAD, entry.path)
        elif is_picture:
            skipped.add(SPECIAL, entry.path)
    return Children(*(tuple(folder / name for name in in_order(names)) for names in (folders, pictures)))


def csv_files(folder: Path) -> list[Path]:
    """Return the CSV files directly in a folder, sorted by name, without hidden ones; none if it cannot be opened."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except OSError:
        return []
    files = (folder / name for name in names if name.lower().endswith(".csv") and not name.startswith("."))
    return list(filter(is_file, files))


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; False for a name that is not possible, such as one that is too long."""
    return _is(path.is_file)


def _is(check: Callable[[], bool]) -> bool:
    """Return the result of a check of the file system; False if it raises, as for a link in a circle."""
    try:
        return check()
    except (OSError, ValueError):
        return False


def _identity(folder: Path) -> Identity | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
