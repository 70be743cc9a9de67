"""Where frames come from. A new kind is a final `Source` in a file of its own and a row in `SOURCES`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from edgecls.errors import ConfigError
from edgecls.frame import StateChange
from edgecls.run import ffmpeg
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.source.contract import Reading, Source
from edgecls.run.source.fake import FakeSource
from edgecls.run.source.folder import FolderSource
from edgecls.run.source.merged import Merged
from edgecls.run.source.opencv import OpenCVSource
from edgecls.run.source.pyav import PyAVSource
from edgecls.run.source.reconnecting import Reconnecting
from edgecls.run.source.threads import Threaded

OnState: TypeAlias = Callable[[StateChange], None]

__all__ = [
    "SOURCES",
    "FakeSource",
    "FolderSource",
    "Merged",
    "OpenCVSource",
    "PyAVSource",
    "Reading",
    "Reconnecting",
    "Source",
    "Threaded",
    "files_among",
    "name_each",
    "open_each",
    "open_named",
    "open_source",
]

_NAMED = re.compile(r"([A-Za-z0-9_-]+)=(.+)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,3}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def _camera(where: str, name: str, reading: Reading, _say: Say) -> Source:
    if reading.decoder == "pyav":
        raise ConfigError(f"camera {where}: OpenCV alone knows cameras by their number; leave --decoder pyav out")
    return Reconnecting(name, lambda: OpenCVSource.camera(int(where), name, reading), give_up_after_s=reading.give_up_after_s)


def _stream(where: str, name: str, reading: Reading, _say: Say) -> Source:
    if reading.decoder != "opencv":
        ffmpeg.load("Decoding with PyAV")  # what is not installed is said at once, and not tried again and again
    open_it = OpenCVSource.stream if reading.decoder == "opencv" else PyAVSource.stream
    return Reconnecting(name, lambda: open_it(where, name, reading), give_up_after_s=reading.give_up_after_s)


def _video(where: str, name: str, reading: Reading, _say: Say) -> Source:
    return (OpenCVSource.video if reading.decoder == "opencv" else PyAVSource.video)(where, name, reading)


def _folder(where: str, name: str, reading: Reading, say: Say) -> Source:
    return FolderSource(where, name, say=say, reading=reading)


SOURCES: dict[str, Callable[[str, str, Reading, Say], Source]] = {
    "camera": _camera,
    "stream": _stream,
    "folder": _folder,
    "video": _video,
}
"""Each kind: (where, name, reading, say) -> Source."""


def open_source(
    *wheres: int | str | Path, reading: Reading = Reading(), say: Say = say_on_stderr, on_state: OnState | None = None
) -> Merged:
    """Open cameras by their number, video files, folders of pictures and network streams; they come as one.

    A text may carry a name for the camera, as in `gate=rtsp://host/stream` or `gate=0`. Each source is read in a thread of its
    own: of live ones the newest frame is given, of files every frame. `reading` says by which decoder and how; `say` hears in
    one line of what could not be read.

    Cameras and streams are opened by their threads, so those that are offline hold nobody up, and again whenever they are
    lost. `on_state` is called with each change of their state, in the thread that takes the frames and in order with them;
    left out, `say` hears of it. Raises SourceError for a file or folder that cannot be opened; then nothing stays open.
    """
    if not wheres:
        raise ConfigError("expected a camera, file, folder or URL to read from, found none")
    return open_named({name: (where, reading) for name, where in name_each(wheres).items()}, say=say, on_state=on_state)


def name_each(wheres: Sequence[int | str | Path]) -> dict[str, int | str]:
    """What to open, by the name of its camera: the one that it carries, or one that it is given."""
    places: dict[str, int | str] = {}
    for where in wheres:
        kind, target, name = recognize(where)
        unique = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(wheres) + 2))) if n not in places)
        places[unique] = int(target) if kind == "camera" else target
    return places


def files_among(wheres: Iterable[int | str | Path]) -> list[str]:
    """Those sources that are a file each."""
    return [target for kind, target, _ in map(recognize, wheres) if kind == "video"]


def open_named(
    places: Mapping[str, tuple[int | str, Reading]], *, say: Say = say_on_stderr, on_state: OnState | None = None
) -> Merged:
    """Open cameras by their names, each (where, how to read it), as `open_source` does."""
    frames = Merged(open_each(places, say=say), say=say)
    frames.on_state(on_state or (lambda change: say(str(change))))
    return frames


def open_each(places: Mapping[str, tuple[int | str, Reading]], *, say: Say = say_on_stderr) -> list[Source]:
    """Open cameras by their names, without reading them. After an error none stays open."""
    opened: list[Source] = []
    try:
        for name, (where, reading) in places.items():
            kind, target, _ = recognize(where)
            opened.append(SOURCES[kind](target, name, reading, say))
    except BaseException:
        for source in opened:
            source.close()
        raise
    return opened


def recognize(where: int | str | Path) -> tuple[str, str, str]:
    """Tell (kind, target, name) of a source: a key of SOURCES, what to open, what to call the camera."""
    target, name = str(where), ""
    named = _NAMED.fullmatch(target)
    if named and not Path(target).exists():
        name, target = named.groups()
    if isinstance(where, int) or (_NUMBER.fullmatch(target) and not Path(target).exists()):
        return "camera", target, name or f"camera{target}"
    if _URL.match(target):
        return "stream", target, name or urlsplit(target).hostname or "stream"
    path = Path(target)
    return (
        "folder" if path.is_dir() else "video",
        target,
        name or (path.name if path.is_dir() else path.stem) or "video",
    )
