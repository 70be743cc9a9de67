"""Open sources. To add a kind, write a final `Source` subclass in its own file and add a row to `SOURCES`."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from edgecls import image
from edgecls.errors import ConfigError
from edgecls.frame import StateChange
from edgecls.log import Say, log_warning
from edgecls.settings import LONGEST_TEXT
from edgecls.source import hardware
from edgecls.source.device import check_device, is_device
from edgecls.source.folder import FolderSource
from edgecls.source.merged import Merged
from edgecls.source.opencv import OpenCVSource
from edgecls.source.private import Private
from edgecls.source.pyav import PyAVSource
from edgecls.source.reconnecting import Reconnecting
from edgecls.source.source import ReadingSettings, Source, mode_of
from edgecls.source.two_files import TwoFiles
from edgecls.source.two_streams import KEEP_S, TwoStreams
from edgecls.text.address import check_stream
from edgecls.text.redaction import STARS, hidden, public
from edgecls.video import ffmpeg

OnState: TypeAlias = Callable[[StateChange], None]


_FILMS = frozenset({".apng", ".avifs", ".gif"})
"""File name suffixes of animated pictures, which are read as videos."""
_NAMED = re.compile(r"([A-Za-z0-9_-]+)=(.+)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,3}")
LARGEST_NUMBER = 999
"""The largest camera number. In a text, too, only numbers up to this one mean a camera."""
_CAMERA = re.compile(r"(?:([A-Za-z0-9_-]+)=)?([0-9]{1,3})")
_FILE_URL = re.compile(r"file://(localhost)?/", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def _camera(where: str, name: str, reading: ReadingSettings, _say: Say) -> Source:
    if reading.decoder == "pyav":
        raise ConfigError(f"camera {where}: only OpenCV can open local cameras; remove `decoder=pyav`")
    if reading.decode != "software":
        raise ConfigError(f'camera {where}: local cameras are decoded in software; remove `decode = "{reading.decode}"`')
    device = int(where) if where.isdecimal() else where
    return Reconnecting(name, lambda: OpenCVSource.camera(device, name, reading), give_up_after_s=reading.give_up_after_s)


def _stream(where: str, name: str, reading: ReadingSettings, say: Say) -> Source:
    try:
        check_stream(where)  # here, because otherwise an invalid address would be retried forever
    except ValueError as error:
        raise ConfigError(f"{hidden(where)} is not a valid stream address: {error}") from error
    if reading.decoder == "opencv":
        return Reconnecting(name, lambda: OpenCVSource.stream(where, name, reading), give_up_after_s=reading.give_up_after_s)
    ffmpeg.load("Decoding with PyAV")  # a missing package is reported right away instead of retried
    hardware.check(reading.decode)  # so is hardware that does not work
    return Reconnecting(
        name,
        lambda: PyAVSource.stream(where, name, reading, say),
        give_up_after_s=reading.give_up_after_s,
        waits=not reading.substream,  # its main stream is watched meanwhile
    )


def _video(where: str, name: str, reading: ReadingSettings, say: Say) -> Source:
    if reading.decoder == "opencv":
        return OpenCVSource.video(where, name, reading)
    hardware.check(reading.decode)
    return PyAVSource.video(where, name, reading, say)


def _folder(where: str, name: str, reading: ReadingSettings, say: Say) -> Source:
    return FolderSource(where, name, say=say, reading=reading)


SOURCES: dict[str, Callable[[str, str, ReadingSettings, Say], Source]] = {
    "camera": _camera,
    "stream": _stream,
    "folder": _folder,
    "picture": _folder,
    "video": _video,
}
"""Each kind: (where, name, reading, say) -> Source."""


def open_source(
    *wheres: int | str | Path,
    reading: ReadingSettings = ReadingSettings(),
    say: Say = log_warning,
    on_state: OnState | None = None,
) -> Merged:
    """Open one or more sources and merge their frames.

    Each source is read in its own thread. Live sources return their newest frame, files return every frame. Cameras and streams
    are opened in those threads, so one that is offline does not delay the others, and they are reopened whenever they are lost.

    Example:
        with edgecls.open_source(0, "yard=rtsp://10.0.0.7/stream") as source:
            for frame in source:
                print(frame.camera, frame.time_s, frame.bgr().shape)

    Args:
        wheres: Camera numbers or devices, videos, pictures, folders of pictures and network streams. A text may start with a
            name for the camera, as in `gate=rtsp://host/stream` or `gate=0`.
        reading: The decoder and how to read.
        say: Called with one line of text for each thing that could not be read.
        on_state: Called with each state change of a live source, in the thread that takes the frames and in order with them.
            None: `say` is called instead.

    Returns:
        A source with the frames of all of them.

    Raises:
        ConfigError: No source is given, or the settings do not fit it.
        SourceError: A file or folder cannot be opened. Nothing stays open then.
    """
    if not wheres:
        raise ConfigError("expected at least one camera, file, folder or URL, found none")
    _check_types(wheres)
    return open_named({name: (where, reading) for name, where in name_each(wheres).items()}, say=say, on_state=on_state)


def _check_types(wheres: Iterable[object]) -> None:
    """Raise ConfigError for a source that is no number and no text."""
    for where in wheres:
        if not isinstance(where, int | str | Path):
            listed = "; pass each by itself: open_source(*sources)" if isinstance(where, list | tuple) else ""
            raise ConfigError(f"a source must be a camera number, a path or a URL, not {hidden(f'{where!r:.200}')}{listed}")


def name_each(wheres: Sequence[int | str | Path]) -> dict[str, int | str]:
    """Return what to open, keyed by camera name: the given name, or a unique one derived from the source."""
    places: dict[str, int | str] = {}
    for where in wheres:
        kind, target, name = recognize(where)
        unique = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(wheres) + 2))) if n not in places)
        places[unique] = int(target) if kind == "camera" and target.isdecimal() else target
    return places


def files_among(wheres: Iterable[int | str | Path]) -> list[str]:
    """Return the sources that are single files."""
    return [target for kind, target, _ in map(recognize, wheres) if kind in ("video", "picture")]


def open_named(
    places: Mapping[str, tuple[int | str, ReadingSettings]], *, say: Say = log_warning, on_state: OnState | None = None
) -> Merged:
    """Open sources like `open_source`, from a mapping of camera names to (where, how to read)."""
    frames = Merged(open_each(places, say=say), say=say)
    frames.on_state(on_state or (lambda change: say(str(change))))
    return frames


def open_each(places: Mapping[str, tuple[int | str, ReadingSettings]], *, say: Say = log_warning) -> list[Source]:
    """Open sources without reading them, from a mapping of camera names to (where, how to read). After an error none stays
    open.
    """
    opened: list[Source] = []
    try:
        for name, (where, reading) in places.items():
            opened.append(_open(where, name, reading, say))
    except BaseException:
        for source in opened:
            source.close()
        raise
    return opened


def _open(where: int | str, name: str, reading: ReadingSettings, say: Say) -> Source:
    kind, target, _ = recognize(where)
    small_kind, small, _ = recognize(reading.substream) if reading.substream else (kind, target, "")
    check_substream(where, reading.substream)
    kept = replace(reading, keep_s=max(reading.keep_s, KEEP_S)) if reading.substream else reading
    source = SOURCES[small_kind](small, name, kept, say)
    source = Private(source, reading.private) if reading.private else source
    if not reading.substream:
        return source
    return TwoStreams(source, target, reading, say) if kind == "stream" else TwoFiles(source, target, reading, say)


def check_substream(where: int | str, substream: str) -> None:
    """Raise ConfigError unless a source may have this substream ("": none): two streams of a network, or two videos."""
    if not substream:
        return
    (kind, target, _), (small_kind, small, _) = recognize(where), recognize(substream)
    if kind not in ("stream", "video") or small_kind != kind:
        what = f"{hidden(str(where))} is a {kind}, and {hidden(substream)} is a {small_kind}"
        raise ConfigError(f"substream: expected two network streams or two videos, but {what}")
    if target == small:
        raise ConfigError("substream: is the same as source; expected a smaller stream of the same camera, or leave it out")


class CameraNumber(int):
    """A camera number, even if there is a file with that name. `name` is the camera's name ("": from its number)."""

    name = ""


def as_camera(text: str) -> CameraNumber | str:
    """Convert a text like `0` or `gate=0` to a camera number, even if a file has that name. Other texts are returned as is."""
    found = _CAMERA.fullmatch(text)
    if found is None:
        return text
    number = CameraNumber(found[2])
    number.name = found[1] or ""
    return number


def check_there(where: int | str | Path) -> None:
    """Raise SourceError for a camera that is not plugged in, as far as the system can tell."""
    kind, target, _ = recognize(where)
    if kind == "camera":
        check_device(int(target) if target.isdecimal() else target)


def recognize(where: int | str | Path) -> tuple[str, str, str]:
    """Return (kind, target, name) of a source: a key of `SOURCES`, what to open, and the camera's name.

    An existing file or folder is recognized as such, whatever its name looks like.
    """
    target, name = str(where), where.name if isinstance(where, CameraNumber) else ""
    if len(target) > LONGEST_TEXT:
        raise ConfigError(f"a source must be a text of at most {LONGEST_TEXT:,} characters, not {len(target):,}")
    named = _NAMED.fullmatch(target)
    if named and not mode_of(target):
        name, target = named.groups()
    if isinstance(where, int) and not 0 <= where <= LARGEST_NUMBER:
        raise ConfigError(f"the number of a camera must be from 0 to {LARGEST_NUMBER}, not {target}")
    if isinstance(where, int) or (_NUMBER.fullmatch(target) and not mode_of(target)):
        return "camera", target, name or f"camera{target}"
    if is_device(target):
        return "camera", target, name or PurePath(target).name.replace("video", "camera", 1)
    if _FILE_URL.match(target) and not mode_of(target):
        path = urlsplit(target).path
        target = path if mode_of(path) else unquote(path)
    if _URL.match(target) and not mode_of(target):
        return "stream", target, name or _host(target) or "stream"
    mode, found = mode_of(target), PurePath(target)
    if stat.S_ISDIR(mode):
        return "folder", target, name or found.name or "video"
    is_picture = stat.S_ISREG(mode) and found.suffix.lower() in image.SUFFIXES - _FILMS
    return "picture" if is_picture else "video", target, name or found.stem or "video"


def _host(url: str) -> str | None:
    try:
        host = urlsplit(public(url)).hostname  # so that no part of an unencoded password becomes a name
        return None if host is None or STARS in host else host
    except ValueError:  # e.g. "[::1", which is rejected on opening
        return None
