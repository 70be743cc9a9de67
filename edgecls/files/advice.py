"""What to do about a path that names nothing, another kind of file, or a place in a folder that is not there."""

from __future__ import annotations

import codecs
import difflib
import errno
import os
import unicodedata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NAMES = 2000
"""How many names of a folder are compared, so that a huge one does not delay an error."""
ALIKE = 0.7
"""How similar two names must be, from 0 to 1."""
Kind = Literal["settings", "model", "recording", "Keras model", "video"]
_USES = {
    "settings": "a file of settings is for `config`",
    "model": "a model is for `model`",
    "recording": "a recording of labels is for: edgecls replay, edgecls summary",
    "Keras model": "a Keras model is for: edgecls export, edgecls adopt",
    "video": "a video is for: edgecls run --source",
}
_KINDS: dict[str, Kind] = {
    ".toml": "settings",
    ".onnx": "model",
    ".jsonl": "recording",
    ".keras": "Keras model",
    **dict.fromkeys((".mp4", ".mkv", ".avi", ".mov", ".ts", ".webm"), "video"),
}
_CONTROL_CHARACTERS = "\b\t\n\f\r\x1b"


def of_missing(path: str | Path, *, folders: tuple[str, ...] = (), suffix: str = "") -> str:
    """Return the advice about a file that does not exist, beginning with "; ".

    Args:
        path: What was named.
        folders: Further folders, relative to the current one, in which it may be.
        suffix: The suffix of the files that are meant, such as ".onnx"; "" for any.
    """
    text = str(path)
    if any(character in text for character in _CONTROL_CHARACTERS):
        return r"; a \ before a letter may be another character: write / in paths"
    near = _similar(Path(text), folders, suffix)
    if near:
        return f"; did you mean {near}?"
    try:
        return "" if Path(text).is_absolute() else f"; the current folder is {Path.cwd()}"
    except OSError:  # it was removed
        return ""


def kind_of(path: str | Path) -> Kind | None:
    """Return the kind of a file by its suffix, or None if that is not known."""
    return _KINDS.get(Path(path).suffix.lower())


def of_another_kind(path: str | Path, expected: Kind) -> str:
    """Return what a file is for that has the suffix of another kind than expected, beginning with "; "; else ""."""
    kind = kind_of(path) or expected
    return "" if kind == expected else f"; {_USES[kind]}"


def of_no_folder(folder: Path) -> str:
    """Return why no file can be created in a folder, and what to do; "" if one can."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises on a failing disk
        return f"{folder} is no folder" if os.path.lexists(folder) else f"the folder {folder} does not exist; create it first"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} is not writable; check its owner and permissions"
    return ""


def why_not_written(path: Path, error: OSError) -> str:
    """Return why a file cannot be opened for writing: the system's words, or that its folder is missing."""
    words = error.strerror or str(error)
    return (of_no_folder(path.parent) or words) if error.errno == errno.ENOENT else words


def is_text(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is text."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(start)  # not final: the last character may be cut off
    return bool(text) and "\ufffd" not in text and not any(unicodedata.category(c) == "Cc" for c in text if c not in "\t\n\r\f")


def _similar(path: Path, folders: tuple[str, ...], suffix: str) -> str:
    """Return the file that was probably meant, or "": first one of the same name, then one with a similar name."""
    found = [one for folder in (path.parent, *map(Path, folders)) for one in _files(folder, suffix)]
    wanted = path.name.lower()
    for candidate in found:
        if wanted in (candidate.name.lower(), candidate.stem.lower()):
            return str(candidate)
    names = {candidate.name.lower(): candidate for candidate in reversed(found)}
    stems = {candidate.stem.lower(): candidate for candidate in reversed(found)}
    for known, name in ((names, wanted), (stems, path.stem.lower())):
        near = difflib.get_close_matches(name, known, 1, ALIKE)
        if near:
            return str(known[near[0]])
    return ""


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in islice(entries, MOST_NAMES))
    except (OSError, ValueError):  # ValueError: a null byte
        return
    yield from (folder / name for name in names if name.lower().endswith(suffix) and not name.startswith("."))
