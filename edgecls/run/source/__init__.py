"""Where frames come from. A new kind is a final `Source` in a file of its own and a row in `SOURCES`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgecls.errors import ConfigError
from edgecls.run.source.contract import Source
from edgecls.run.source.fake import FakeSource
from edgecls.run.source.folder import FolderSource
from edgecls.run.source.merged import Merged
from edgecls.run.source.opencv import OpenCVSource
from edgecls.run.source.threads import Ahead, Newest, threaded

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SOURCES",
    "Ahead",
    "FakeSource",
    "FolderSource",
    "Merged",
    "Newest",
    "OpenCVSource",
    "Source",
    "open_source",
]

_NAMED = re.compile(r"([A-Za-z0-9_-]+)=(.+)", re.DOTALL)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def _say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - the default of a library call that has something to say


SOURCES: dict[str, Callable[[str, str, Callable[[str], None], bool], Source]] = {
    "camera": lambda where, name, _say, _strict: OpenCVSource.camera(int(where), name),
    "stream": lambda where, name, _say, _strict: OpenCVSource.stream(where, name),
    "folder": lambda where, name, say, strict: FolderSource(where, name, say=say, strict=strict),
    "video": lambda where, name, _say, _strict: OpenCVSource.video(where, name),
}
"""Each kind: (where, name, say, strict) -> Source."""


def open_source(*wheres: int | str | Path, say: Callable[[str], None] = _say_on_stderr, strict: bool = False) -> Source:
    """Open cameras (an int), video files, folders of pictures and network streams; several are merged into one.

    A text may carry a name for the camera, as in `gate=rtsp://host/stream`. Each source is read in a thread of its own:
    of live ones the newest frame is given, of files every frame. `say` hears in one line of what could not be read;
    `strict` stops instead. Raises SourceError for what cannot be opened; then nothing stays open.
    """
    if not wheres:
        raise ConfigError("expected a camera, file, folder or URL to read from, found none")
    opened: list[Source] = []
    try:
        for where in wheres:
            kind, target, name = recognize(where)
            taken = {source.name for source in opened}
            unique = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(wheres) + 2))) if n not in taken)
            opened.append(SOURCES[kind](target, unique, say, strict))
    except BaseException:
        for source in opened:
            source.close()
        raise
    return threaded(opened[0]) if len(opened) == 1 else Merged(opened, say=say)


def recognize(where: int | str | Path) -> tuple[str, str, str]:
    """Tell (kind, target, name) of a source: a key of SOURCES, what to open, what to call the camera."""
    if isinstance(where, int):
        return "camera", str(where), f"camera{where}"
    target, name = str(where), ""
    named = _NAMED.fullmatch(target)
    if named and not Path(target).exists():
        name, target = named.groups()
    if _URL.match(target):
        return "stream", target, name or urlsplit(target).hostname or "stream"
    path = Path(target)
    return (
        "folder" if path.is_dir() else "video",
        target,
        name or (path.name if path.is_dir() else path.stem) or "video",
    )
