"""Clips and snapshots of events, in the folders of the run's sinks.

Which file belongs to an event is looked up here, from its camera and time; no address of the page names a file. Only plain
files directly in these folders are served, no links, and no names from sidecars.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.sink.recordings.clip import ClipSettings
from edgecls.sink.recordings.folder import beginning_of
from edgecls.sink.recordings.quota import read_sidecar
from edgecls.sink.recordings.snapshot import ENDING, SnapshotSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgecls.event import Event
    from edgecls.sink.kinds import SinkSettings
    from edgecls.sink.recordings.snapshot import Show

CLIP_TYPES = {".mp4": "video/mp4", ".mkv": "video/x-matroska"}
PICTURE_TYPE = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Recordings:
    """What there is of an event.

    Attributes:
        clip: Its clip, or None.
        pictures: Its snapshots by what they show, "frame", "annotated" or "crop".
        box: Where it is in the frame, in pixels, if the snapshot says so.
    """

    clip: Path | None
    pictures: dict[Show, Path]
    box: tuple[int, int, int, int] | None = None


def recordings_of(event: Event, event_id: str, outs: Iterable[SinkSettings]) -> Recordings:
    """Return the recordings of an event in the folders of these sinks.

    Args:
        event: The event.
        event_id: Its id. One that was read from a database may lack what its id is made from.
        outs: The settings of all sinks of the run.
    """
    clip, box = None, None
    pictures: dict[Show, Path] = {}
    for out in outs:
        if isinstance(out, ClipSettings) and clip is None:
            for stem, _ in _sidecars(Path(out.path), event, event_id):
                clip = next((path for suffix in CLIP_TYPES if _is_plain(path := Path(f"{stem}{suffix}"))), None)
        elif isinstance(out, SnapshotSettings) and not pictures:
            for stem, record in _sidecars(Path(out.path), event, event_id):
                named = {show: Path(f"{stem}{ending}.jpg") for show, ending in ENDING.items()}
                pictures = {show: path for show, path in named.items() if _is_plain(path)}
                box = _box(record)
    return Recordings(clip, pictures, box)


def _sidecars(folder: Path, event: Event, event_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path without its ending and the content of each sidecar of an event."""
    beginning = beginning_of(event)
    try:
        with os.scandir(folder) as listed:
            names = [entry.name for entry in listed if entry.name.startswith(beginning) and entry.name.endswith(".json")]
    except OSError:
        return
    for name in sorted(names):
        record = read_sidecar(folder / name) or {}
        about = record.get("event")
        if isinstance(about, dict) and about.get("event") == event_id:
            yield str(folder / name.removesuffix(".json")), record


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _box(record: dict[str, Any]) -> tuple[int, int, int, int] | None:
    shown = record.get("snapshot")
    box = shown.get("box") if isinstance(shown, dict) else None
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(side, int) for side in box)):
        return None
    return box[0], box[1], box[2], box[3]
