"""What a run has found in a recording, by media time, so that the page can play the recording beside it.

A run reads a recording once, from the beginning to the end and as fast as the machine can, and its events are true because
nothing is left out and nothing comes twice. Playing at the pace of the recording, pausing and seeking in the run itself would
break that: a jump back would count a car again, a jump ahead would miss one, and one viewer would move the picture of all
others. So the run is left alone. The page plays the file itself, and takes from here what was found in the picture that it
shows. At every place, boxes, paths and counts are those that the run found on its way, so seeking invents no crossing.

Results are kept as lines of JSON in chunks of a few seconds, compressed: an hour takes some megabytes.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.source.open import recognize
from edgecls.text.strict_json import dumps
from edgecls.web.live.records import overlay_record, scene_record

if TYPE_CHECKING:
    from edgecls.frame import Result
    from edgecls.regions.geometry import Polygon
    from edgecls.run.config import Config
    from edgecls.run.run import Run

CHUNK_S = 5
MOST_BYTES = 64 << 20
"""Of a recording. Beyond that, the oldest chunks are forgotten."""


class Recording(NamedTuple):
    """A camera whose source is a video file: the file, its private areas, and whether the run has come to its end."""

    path: str
    private: tuple[Polygon, ...] = ()
    has_ended: bool = False


class RecordingsOf:
    """The cameras of a run that are video files. Called, it returns them by name, also after a reload."""

    def __init__(self, run: Run) -> None:
        """Look at a run."""
        self._run = run
        self._config: Config | None = None
        self._found: dict[str, Recording] = {}

    def __call__(self) -> dict[str, Recording]:
        """Return the recordings as they are now."""
        config = self._run.config
        if config is not self._config:
            kinds = {camera.name: recognize(camera.source) for camera in config.camera}
            self._found = {
                camera.name: Recording(kinds[camera.name][1], camera.private_reading.private)
                for camera in config.camera
                if kinds[camera.name][0] == "video"
            }
            self._config = config
        if not self._found:
            return {}
        ended = {source.name: source.ended for source in self._run.frames.sources}
        return {name: one._replace(has_ended=ended.get(name, True)) for name, one in self._found.items()}


class Found:
    """What was found in one recording so far. The run adds to it, and the threads of the page read it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._file = ""
        self._chunks: dict[int, bytes] = {}
        self._number = -1
        self._lines: list[str] = []  # of the chunk with this number
        self._scene: dict[str, Any] | None = None
        self._bytes = 0
        self._until_s: float | None = None

    @property
    def until_s(self) -> float | None:
        """The time of the newest result, in seconds from the beginning of the recording. None: there is none yet."""
        return self._until_s

    def add(self, result: Result) -> None:
        """Store a result. One of another file, or of an earlier time, begins anew: the run reads from the beginning again."""
        frame = result.frame
        if frame.file != self._file or (self._until_s is not None and frame.time_s < self._until_s):
            self._begin(frame.file)
        number = int(frame.time_s // CHUNK_S)
        scene = scene_record(result)
        overlay = dumps(overlay_record(result, lead_s=0.0))
        with self._lock:
            if number != self._number:
                self._pack()
                self._number, self._lines, self._scene = number, [], None
            if scene != self._scene:
                self._scene = scene
                self._lines.append(dumps({**scene, "time": round(frame.time_s, 6)}))
            self._lines.append(overlay)
            self._until_s = frame.time_s

    def chunk(self, number: int) -> tuple[list[str], bool]:
        """Return what was found from CHUNK_S * `number` seconds on, as lines of JSON, and whether that will not grow any more.

        Scenes have the time from which they hold; each chunk begins with one.
        """
        with self._lock:
            if number == self._number:
                return list(self._lines), False
            packed, is_over = self._chunks.get(number), number < self._number
        return ([] if packed is None else zlib.decompress(packed).decode().split("\n")), is_over

    def _pack(self) -> None:
        """Compress the chunk that is complete."""
        if not self._lines:
            return
        packed = self._chunks[self._number] = zlib.compress("\n".join(self._lines).encode(), 1)
        self._bytes += len(packed)
        while self._bytes > MOST_BYTES:
            self._bytes -= len(self._chunks.pop(next(iter(self._chunks))))

    def _begin(self, file: str) -> None:
        """Forget everything: another file comes, or the same one again."""
        with self._lock:
            self._file, self._number, self._bytes, self._until_s = file, -1, 0, None
            self._chunks, self._lines, self._scene = {}, [], None
