"""The annotated video: H.264 with each frame at its own time, however unevenly a camera gives them.

PyAV writes it: OpenCV's wheels have no H.264 encoder and know one fixed frame rate only.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, SinkError
from edgecls.files import part_of
from edgecls.run import ffmpeg
from edgecls.run.draw import draw
from edgecls.run.sink.contract import Sink
from edgecls.run.sink.quota import write_sidecar
from edgecls.run.sink.shelf import stamp
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.frame import Result
    from edgecls.run.sink.quota import Quota

TICKS_A_SECOND = 90_000
CAMERA = "{camera}"
START = "{start}"
RETRY_S = 5.0
PART_S = 600.0
WORTH_BYTES = 65_536
"""What is tried after the first file on a full disk is removed where it has less: else each try would leave a part."""


def check_name(path: str) -> None:
    """Raise ConfigError for a name with a placeholder that there is not."""
    for name in re.findall(r"\{(.*?)\}", path):
        if f"{{{name}}}" not in (CAMERA, START):
            near = get_close_matches(name, ("camera", "start"), 1)
            meant = f"did you mean {{{near[0]}}}? " if near else ""
            raise ConfigError(f"video:{path}: {{{name}}} stands for nothing; {meant}known are {CAMERA} and {START}")


class VideoSink(Sink):
    """Writes `path`; with {camera} in its name one file for each camera, without it one camera only. {start} stands for the
    local date and time that a file begins at, such as 20261124T215500; without it a video replaces that of an earlier run.

    A video takes its name when it is whole: until then it grows as `.part` beside it, in fragments that can be played
    after a power cut. A camera that changes its resolution starts a new file, numbered from 2.

    With a `quota` for its folder a video is cut into parts of `part_s` seconds, which have the date and time (UTC) in their
    names and a .json beside them: the oldest parts make room for the newest. After an error, such as that of a full disk, the
    results of the next seconds get the same one, and then a new file is begun: whoever catches it can go on.
    """

    def __init__(self, path: str | Path, *, quota: Quota | None = None, part_s: float = PART_S) -> None:
        """Check that the folder can be written to. Raises SinkError, or MissingExtraError without PyAV."""
        check("part_s", part_s, part_s > 0, "above 0 seconds")
        check_name(str(path))
        self._quota = quota
        self._part_s = part_s
        self._path = str(path)
        self._files: dict[str, _VideoFile] = {}
        self._count: dict[str, int] = {}
        self._failed: dict[str, tuple[float, SinkError]] = {}  # by camera: until when it is not tried again, and why
        folder = Path(self._path).parent
        if not Path(self._path).suffix:
            raise ConfigError(f"video:{path}: expected a file name with an ending such as .mp4 or .mkv")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise SinkError(f"{path}: the folder {folder} does not exist or cannot be written to")
        self._av = ffmpeg.load("Writing a video")

    def write(self, result: Result) -> None:
        """Draw the result and append it."""
        camera = result.frame.camera
        if CAMERA not in self._path and self._files and camera not in self._files:
            raise SinkError(f"{self._path}: several cameras need {CAMERA} in the name of the video, such as out-{CAMERA}.mp4")
        self._check_failed(camera)
        file = self._files.get(camera)
        if file is not None and (file.size_hw != result.frame.size_hw or self._is_long(file, result)):
            self._end(camera)
            file = None
        try:
            if file is None:
                file = self._files[camera] = _VideoFile(self._av, self._next_path(camera), result.frame.size_hw)
            self._make_room(file)
            file.write(result)
        except SinkError as error:
            self._failed[camera] = (time.monotonic() + RETRY_S, error)
            with suppress(SinkError):  # the first error is the one to tell
                self._end(camera)
            raise

    def close(self) -> None:
        """Finish all files and give them their names; one that cannot be finished does not stop the others."""
        with ExitStack() as stack:
            for camera in reversed(list(self._files)):
                stack.callback(self._end, camera)

    def _end(self, camera: str) -> None:
        file = self._files.pop(camera, None)
        if file is None:
            return
        try:
            is_whole = file.close(worth_bytes=WORTH_BYTES if self._count.get(camera) else 1)
        finally:
            self._count[camera] = self._count.get(camera, 0) + (file.bytes > 0)
        if is_whole and self._quota is not None:
            record = {"video": {"camera": camera, "first_s": round(file.first_s, 3), "last_s": round(file.last_s, 3)}}
            write_sidecar(file.path.with_suffix(".json"), [file.path], time.time(), record)

    def _check_failed(self, camera: str) -> None:
        """Raise what failed a moment ago: opening a file and an encoder for each frame would take a core."""
        until, error = self._failed.get(camera, (0.0, None))
        if error is not None and time.monotonic() < until:
            raise SinkError(str(error)) from error
        self._failed.pop(camera, None)

    def _is_long(self, file: _VideoFile, result: Result) -> bool:
        return self._quota is not None and result.frame.time_s - file.first_s >= self._part_s

    def _make_room(self, file: _VideoFile) -> None:
        """Have room for a step more, before the first frame and whenever the file has grown by one."""
        if self._quota is not None and file.bytes >= file.granted:
            self._quota.make_room(self._quota.step, unfinished=sum(other.bytes for other in self._files.values()))
            file.granted = file.bytes + self._quota.step

    def _next_path(self, camera: str) -> Path:
        count = self._count.get(camera, 0) + 1
        now = datetime.now(UTC)
        path = Path(self._path.replace(CAMERA, camera).replace(START, now.astimezone().strftime("%Y%m%dT%H%M%S")))
        if START in self._path:  # an hour comes twice when summer ends, and a size may change twice in a second
            return next(free for free in _numbered(path) if not (free.exists() or part_of(free).exists()))
        if self._quota is not None:
            return path.with_stem(f"{path.stem}-{stamp(now)}")
        return next(itertools.islice(_numbered(path), count - 1, None))


def _numbered(path: Path) -> Iterator[Path]:
    """The path, and then with -2, -3 ... in its name."""
    yield path
    for number in itertools.count(2):
        yield path.with_stem(f"{path.stem}-{number}")


class _VideoFile:
    """One video of one size."""

    def __init__(self, av: Any, path: Path, size_hw: tuple[int, int]) -> None:
        self._av = av
        height, width = (side // 2 * 2 for side in size_hw)  # H.264 stores colour for 2x2 pixels
        if not (height and width):
            raise SinkError(f"{path}: expected frames of 2x2 pixels or more, found {size_hw[1]}x{size_hw[0]}")
        self.size_hw = size_hw
        self.path = path
        self.first_s = self.last_s = 0.0
        self.bytes = self.granted = 0
        self._part = part_of(path)
        self._last = -1
        options = {"movflags": "+hybrid_fragmented"} if path.suffix.lower() in (".mp4", ".mov", ".m4v") else {}
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise SinkError(f"{path}: cannot be written ({error.strerror})") from error
        try:  # the file is opened here: one that PyAV opens stays open for ever when there is no room for its first bytes
            self._container: Any = av.open(self._file, "w", options=options)
            self._stream: Any = self._container.add_stream(
                "libx264", rate=30, options={"preset": "veryfast", "crf": "23", "bf": "0"}
            )  # no B-frames: a fragmented file cannot say their delay, and every time would be late by it
        except (av.FFmpegError, ValueError) as error:
            self._file.close()
            self._part.unlink(missing_ok=True)
            raise SinkError(f"{path}: FFmpeg cannot write a video there ({error})") from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)

    def write(self, result: Result) -> None:
        av = self._av
        picture = draw(result)[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        self.last_s = result.frame.time_s
        self.first_s = self.last_s if self._last < 0 else self.first_s
        self._last = max(self._last + 1, round(result.frame.time_s * TICKS_A_SECOND))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS_A_SECOND)
        try:
            self._mux(self._container, frame)
        except (av.FFmpegError, OSError) as error:
            raise SinkError(f"{self.path}: the video cannot be written ({error})") from error

    def close(self, *, worth_bytes: int) -> bool:
        """Finish the video and give it its name. Returns whether there is one: without a frame there is none. What cannot be
        finished is kept if it has so many bytes.
        """
        container, self._container = self._container, None
        if container is None:
            return False
        if self._last < 0:  # its first frame failed, and that error is the one to tell
            container.close()
            self._file.close()
            self._part.unlink(missing_ok=True)
            return False
        try:
            self._mux(container, None)
            container.close()
            self._file.close()
            self._part.replace(self.path)
        except (self._av.FFmpegError, OSError) as error:
            with suppress(OSError):
                self._file.close()
            is_worth = bool(self.bytes) and self._part.exists() and self._part.stat().st_size >= worth_bytes
            left = f"what there is stands in {self._part}" if is_worth else "there is nothing of it"
            if not is_worth:
                self.bytes = 0
                self._part.unlink(missing_ok=True)
            raise SinkError(f"{self.path}: the video cannot be finished ({error}); {left}") from error
        return True

    def _mux(self, container: Any, frame: Any) -> None:
        """Encode a frame (None: those that the encoder still holds) and write what comes of it."""
        packets = self._stream.encode(frame)
        container.mux(packets)
        self.bytes += sum(packet.size for packet in packets)
