"""The annotated video: H.264 with each frame at its own time, however unevenly a camera gives them.

PyAV writes it: OpenCV's wheels have no H.264 encoder and know one fixed frame rate only.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, SinkError
from edgecls.run import ffmpeg
from edgecls.run.draw import draw
from edgecls.run.sink.contract import Sink

if TYPE_CHECKING:
    from edgecls.frame import Result

TICKS_A_SECOND = 90_000
CAMERA = "{camera}"


class VideoSink(Sink):
    """Writes `path`; with {camera} in its name one file for each camera, without it one camera only.

    A video takes its name when it is whole: until then it grows as `.part` beside it, in fragments that can be played
    after a power cut. A camera that changes its resolution starts a new file, numbered from 2.
    """

    def __init__(self, path: str | Path) -> None:
        """Check that the folder can be written to. Raises SinkError, or MissingExtraError without PyAV."""
        self._path = str(path)
        self._files: dict[str, _VideoFile] = {}
        self._count: dict[str, int] = {}
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
        file = self._files.get(camera)
        if file is not None and file.size_hw != result.frame.size_hw:
            file.close()
            file = None
        if file is None:
            file = self._files[camera] = _VideoFile(self._av, self._next_path(camera), result.frame.size_hw)
        file.write(result)

    def close(self) -> None:
        """Finish all files and give them their names; one that cannot be finished does not stop the others."""
        files, self._files = list(self._files.values()), {}
        with ExitStack() as stack:
            for file in reversed(files):
                stack.callback(file.close)

    def _next_path(self, camera: str) -> Path:
        count = self._count[camera] = self._count.get(camera, 0) + 1
        path = Path(self._path.replace(CAMERA, camera))
        return path if count == 1 else path.with_stem(f"{path.stem}-{count}")


class _VideoFile:
    """One video of one size."""

    def __init__(self, av: Any, path: Path, size_hw: tuple[int, int]) -> None:
        self._av = av
        height, width = (side // 2 * 2 for side in size_hw)  # H.264 stores colour for 2x2 pixels
        if not (height and width):
            raise SinkError(f"{path}: expected frames of 2x2 pixels or more, found {size_hw[1]}x{size_hw[0]}")
        self.size_hw = size_hw
        self._path = path
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._last = -1
        options = {"movflags": "+hybrid_fragmented"} if path.suffix.lower() in (".mp4", ".mov", ".m4v") else {}
        try:
            self._container: Any = av.open(str(self._part), "w", options=options)
            self._stream: Any = self._container.add_stream(
                "libx264", rate=30, options={"preset": "veryfast", "crf": "23", "bf": "0"}
            )  # no B-frames: a fragmented file cannot say their delay, and every time would be late by it
        except (av.FFmpegError, ValueError) as error:
            self._part.unlink(missing_ok=True)
            raise SinkError(f"{path}: FFmpeg cannot write a video there ({error})") from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)

    def write(self, result: Result) -> None:
        av = self._av
        picture = draw(result)[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        self._last = max(self._last + 1, round(result.frame.time_s * TICKS_A_SECOND))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS_A_SECOND)
        try:
            self._container.mux(self._stream.encode(frame))
        except av.FFmpegError as error:
            raise SinkError(f"{self._path}: the video cannot be written ({error})") from error

    def close(self) -> None:
        av = self._av
        container, self._container = self._container, None
        if container is None:
            return
        if self._last < 0:  # its first frame failed, and that error is the one to tell
            container.close()
            self._part.unlink(missing_ok=True)
            return
        try:
            container.mux(self._stream.encode(None))
            container.close()
            self._part.replace(self._path)
        except (av.FFmpegError, OSError) as error:
            raise SinkError(
                f"{self._path}: the video cannot be finished ({error}); what there is stands in {self._part}"
            ) from error
