"""The annotated video: H.264 in which each frame has its own time, so the frame rate may vary.

It is written with PyAV: OpenCV's wheels have no H.264 encoder, and only a fixed frame rate.
"""

from __future__ import annotations

import itertools
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecls.errors import ConfigError, LostError, SinkError
from edgecls.files import part_of, private_mode
from edgecls.files.advice import of_no_folder
from edgecls.files.locks import claim_existing, claim_to_replace
from edgecls.log import Say, log_warning
from edgecls.settings import check, check_limits, limited
from edgecls.sink.delivery.losses import LossCounter, is_disk_error
from edgecls.sink.recordings.folder import stamp
from edgecls.sink.recordings.quota import Quota, QuotaSettings, write_sidecar
from edgecls.sink.recordings.video_file import VideoFile
from edgecls.sink.sink import Backlog, Sink, SinkKind
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.frame import Result
    from edgecls.sink.recordings.video_file import Paint

CAMERA = "{camera}"
START = "{start}"
RETRY_S = 5.0
PART_S = 600.0
WRITTEN_AFTER_OUTAGE = 300
"""Number of results in a row after which an outage is over: the encoder and the file hold some before they write."""
KEPT_FROM_BYTES = 65_536
"""On a full disk, unfinished files after the first are removed if they are smaller. Otherwise each retry would leave a file."""


def check_name(path: str) -> None:
    """Raise ConfigError for a name with an unknown placeholder."""
    for name in re.findall(r"\{(.*?)\}", path):
        if f"{{{name}}}" not in (CAMERA, START):
            near = get_close_matches(name, ("camera", "start"), 1)
            meant = f"did you mean {{{near[0]}}}? " if near else ""
            raise ConfigError(f"video:{path}: {{{name}}} is not a placeholder; {meant}known are {CAMERA} and {START}")


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """The annotated video `path`. Its name may contain {camera}, the name of the camera, and {start}, the date and time of the
    first frame. With a `quota`, it is divided into parts of `part_s` seconds, and the oldest parts are removed to make room.
    """

    path: str
    kind: Literal["video"] = "video"
    part_s: float = limited(PART_S, above=0, unit="seconds")
    quota: QuotaSettings | None = None

    def __post_init__(self) -> None:
        """Check the limits and the placeholders. Raises ConfigError."""
        check_name(self.path)
        check_limits(self)
        if self.quota is None and self.part_s != PART_S:
            raise ConfigError("part_s is for a video with a quota, which is written in parts; set most_gb or keep_free_gb too")


class VideoSink(Sink):
    """Writes annotated frames to the video `path`.

    {camera} in the name of the file stands for the name of the camera; without it, only one camera can be written. {start}
    stands for the local date and time at which the file begins, such as 20261124T215500; without it, the video of an earlier
    run is replaced.

    A video has a temporary name with `.part` until it is complete. If the run is killed, that file can be played except for its
    last second. When a camera changes its resolution, a new file begins, numbered from 2.

    With a `quota` for its folder, the video is divided into parts of `part_s` seconds. Their names contain the date and time
    (UTC), and each has a sidecar `.json`. The oldest parts are removed to make room.

    Results that cannot be written, such as on a full disk, are counted and reported. A new file is begun after some seconds. If
    the first result fails for another reason than the disk, `write` raises SinkError.
    """

    def __init__(
        self, path: str | Path, *, quota: Quota | None = None, part_s: float = PART_S,
        painter: Callable[[], Paint] | None = None, say: Say = log_warning,
    ) -> None:  # fmt: skip
        """Check that the folder is writable, and that no other run writes this video.

        `painter` returns the function that draws the results of a new file; None for `edgecls.draw.results.draw`. `say` is
        called with one line if the second cannot be determined, and when results are lost.

        Raises:
            ConfigError: The path or `part_s` is invalid.
            SinkError: The folder does not exist or is not writable, or another run writes this video.
            MissingExtraError: PyAV is not installed.
        """
        check("part_s", part_s, part_s > 0, "above 0 seconds")
        check_name(str(path))
        self._quota = quota
        self._part_s = part_s
        self._path = str(path)
        self._painter = painter
        self._files: dict[str, VideoFile] = {}
        self._count: dict[str, int] = {}
        self._failed: dict[str, tuple[float, SinkError]] = {}  # by camera: the time of the next try, and the error
        self._losses = LossCounter(path, "frames of the video", say)
        self._has_written = False
        self._written = 0  # results in a row, during an outage
        folder = Path(self._path).parent
        if not Path(self._path).suffix:
            raise ConfigError(f"video:{path}: expected a file name with an ending such as .mp4 or .mkv")
        if fault := of_no_folder(folder):
            raise SinkError(f"{path}: {fault}")
        private_mode()  # report a wrong mode now, not at the first frame
        self._av = ffmpeg.load("Writing a video")
        is_replaced = quota is None and START not in self._path  # else each file has a new name
        self._say = say
        self._claims = claim_to_replace(Path(self._path), say=say) if is_replaced else []

    @property
    def backlog(self) -> Backlog:
        """The number of lost results."""
        return Backlog(dropped=self._losses.lost)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present."""
        return self._losses.trouble

    def write(self, result: Result) -> None:
        """Draw the result and append it, or count it as lost."""
        camera = result.frame.camera
        if CAMERA not in self._path and self._files and camera not in self._files:
            raise SinkError(f"{self._path}: several cameras need {CAMERA} in the name of the video, such as out-{CAMERA}.mp4")
        try:
            self._append(result)
        except SinkError as error:
            if not self._has_written and not is_disk_error(error):
                raise
            self._losses.lose(error, lost=1 + (error.lost if isinstance(error, LostError) else 0))
            self._written = 0
            return
        self._has_written = True
        self._written = self._written + 1 if self._losses.is_losing else 0
        if self._written >= WRITTEN_AFTER_OUTAGE:
            self._losses.over()

    def close(self) -> None:
        """Complete and rename all files, even if one of them fails."""
        claims, self._claims = self._claims, []
        try:
            with ExitStack() as stack:
                for claim in claims:
                    stack.callback(claim.release)
                for camera in reversed(list(self._files)):
                    stack.callback(self._end, camera)
            if self._written:
                self._losses.over()
        finally:
            self._losses.close()

    def _append(self, result: Result) -> None:
        """Append the result to the file of its camera. Raises SinkError."""
        camera = result.frame.camera
        self._check_failed(camera)
        file = self._files.get(camera)
        if file is not None and (file.size_hw != result.frame.size_hw or self._is_long(file, result)):
            self._end(camera)
            file = None
        try:
            if file is None:
                paint = self._painter() if self._painter else None
                file = self._files[camera] = VideoFile(self._av, self._next_path(camera), result.frame.size_hw, paint)
            self._make_room(file)
            file.write(result)
        except (OSError, self._av.FFmpegError) as error:
            failed = self._error(error)
            self._failed[camera] = (time.monotonic() + RETRY_S, failed)
            try:
                self._end(camera)
            except LostError as at_end:  # report the first error, and the losses of both
                failed = LostError(str(failed), at_end.lost)
            except SinkError:
                pass
            raise failed from error.__cause__ if failed is error else error

    def _end(self, camera: str) -> None:
        """Complete the file of a camera, and write its sidecar if there is a quota. Raises SinkError."""
        file = self._files.pop(camera, None)
        if file is None:
            return
        try:
            is_complete = file.close(kept_from_bytes=KEPT_FROM_BYTES if self._count.get(camera) else 1)
        finally:
            self._count[camera] = self._count.get(camera, 0) + (file.bytes > 0)
        if is_complete and self._claims:
            self._claims += claim_existing(file.path, file.path, say=self._say)
        if is_complete and self._quota is not None:
            record = {"video": {"camera": camera, "first_s": round(file.first_s, 3), "last_s": round(file.last_s, 3)}}
            try:
                write_sidecar(file.path.with_suffix(".json"), [file.path], time.time(), record)
            except OSError as error:
                raise self._error(error) from error

    def _error(self, error: BaseException) -> SinkError:
        return error if isinstance(error, SinkError) else SinkError(f"{self._path}: the video cannot be written ({error})")

    def _check_failed(self, camera: str) -> None:
        """Raise the last error again for some seconds: opening an encoder for each frame would take a processor core."""
        until, error = self._failed.get(camera, (0.0, None))
        if error is not None and time.monotonic() < until:
            raise SinkError(str(error)) from error
        self._failed.pop(camera, None)

    def _is_long(self, file: VideoFile, result: Result) -> bool:
        return self._quota is not None and result.frame.time_s - file.first_s >= self._part_s

    def _make_room(self, file: VideoFile) -> None:
        """Let the quota free space for another step, if the file has filled the last one."""
        if self._quota is not None and file.bytes >= file.room_until:
            self._quota.make_room(self._quota.step, unfinished=sum(other.bytes for other in self._files.values()))
            file.room_until = file.bytes + self._quota.step

    def _next_path(self, camera: str) -> Path:
        count = self._count.get(camera, 0) + 1
        now = datetime.now(UTC)
        path = Path(self._path.replace(CAMERA, camera).replace(START, now.astimezone().strftime("%Y%m%dT%H%M%S")))
        if START in self._path:  # local times repeat when summer time ends, and sizes may change twice in a second
            return next(free for free in _numbered(path) if not (free.exists() or part_of(free).exists()))
        if self._quota is not None:
            return path.with_stem(f"{path.stem}-{stamp(now)}")
        return next(itertools.islice(_numbered(path), count - 1, None))


def _numbered(path: Path) -> Iterator[Path]:
    """Yield the path, and then the path with -2, -3, ... in its name."""
    yield path
    for number in itertools.count(2):
        yield path.with_stem(f"{path.stem}-{number}")


def _files(out: VideoSettings, cameras: Sequence[str]) -> list[Path]:
    """Return the complete and the unfinished video of each camera. With a quota, {start} stands for the time in their names."""
    paths = [Path(out.path.replace(CAMERA, camera)) for camera in cameras if Path(out.path).name]
    paths = [path.with_stem(f"{path.stem}-{START}") for path in paths] if out.quota else paths
    return [*paths, *map(part_of, paths)]


def _open(out: VideoSettings, say: Say) -> VideoSink:
    quota = out.quota.of(Path(out.path).parent) if out.quota else None
    return VideoSink(out.path, quota=quota, part_s=out.part_s, say=say)


KIND = SinkKind(VideoSettings, _open, "path", "a file after the colon, such as {kind}:out.mp4", draws=True, files=_files)
