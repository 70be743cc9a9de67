"""The file of one annotated video: frames of one camera and one size."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from edgecls.draw.results import draw
from edgecls.draw.steady import Steady
from edgecls.errors import LostError, SinkError
from edgecls.files import part_of, private_mode, private_part, unlink_quietly
from edgecls.video import ffmpeg
from edgecls.video.faststart import put_index_first

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from edgecls.frame import Picture, Result

    Paint: TypeAlias = Callable[[Result], Picture]

TICKS_A_SECOND = 90_000
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mp4", ".mkv": "matroska"}


class VideoFile:
    """Writes one video under a temporary name, with `.part`, and renames it when it is complete."""

    def __init__(self, av: Any, path: Path, size_hw: tuple[int, int], paint: Paint | None = None) -> None:
        """Begin the file. Raises SinkError if FFmpeg cannot write this file.

        Args:
            av: PyAV.
            path: Where the complete video goes.
            size_hw: (height, width) of the frames.
            paint: Draws each result; None for `edgecls.draw.results.draw`.
        """
        self._av = av
        height, width = (side // 2 * 2 for side in size_hw)  # H.264 stores colour for 2x2 pixels
        if not (height and width):
            raise SinkError(f"{path}: expected frames of 2x2 pixels or more, found {size_hw[1]}x{size_hw[0]}")
        self.size_hw = size_hw
        self.path = path
        self.first_s = self.last_s = 0.0
        self.bytes = 0
        self.room_until = 0  # the size in bytes up to which there is room; used by `VideoSink`
        steady = Steady()
        self._paint = paint or (lambda result: draw(result, steady))
        self._part = part_of(path)
        self._last = -1
        self._frames = self._encoded = 0
        try:
            self._file = private_part(self._part)
        except OSError as error:
            raise SinkError(f"{path}: cannot be written ({error.strerror})") from error
        try:  # a file that PyAV opens by name would stay open forever if its first bytes cannot be written
            self._container: Any = av.open(self._file, "w", options=ffmpeg.growing(FORMATS.get(path.suffix.lower(), "")))
            self._stream: Any = self._container.add_stream(
                "libx264", rate=30, options={"preset": "veryfast", "crf": "23", "bf": "0"}
            )  # no B-frames: fragmented files cannot store their delay, so all times would be late
        except (av.FFmpegError, OSError, ValueError) as error:
            _close_quietly(self._file)
            unlink_quietly(self._part)
            raise SinkError(f"{path}: FFmpeg cannot write a video there ({error})") from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)

    def write(self, result: Result) -> None:
        """Draw the result and encode the picture. Raises SinkError."""
        av = self._av
        picture = self._paint(result)[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        self.last_s = result.frame.time_s
        self.first_s = self.last_s if self._last < 0 else self.first_s
        self._last = max(self._last + 1, round(result.frame.time_s * TICKS_A_SECOND))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS_A_SECOND)
        try:
            self._mux(self._container, frame)
        except (av.FFmpegError, OSError) as error:
            raise SinkError(f"{self.path}: the video cannot be written ({error})") from error
        self._frames += 1

    def close(self, *, kept_from_bytes: int) -> bool:
        """Complete and rename the video. A file without any frame is removed.

        Args:
            kept_from_bytes: Minimum size of an unfinished file to be kept if it cannot be completed.

        Returns:
            Whether there is a complete video.

        Raises:
            LostError: The video cannot be completed.
        """
        container, self._container = self._container, None
        if container is None:
            return False
        if self._last < 0:  # the first frame failed, and that error has been reported
            with suppress(self._av.FFmpegError, OSError):
                container.close()
            _close_quietly(self._file)
            unlink_quietly(self._part)
            return False
        try:
            self._mux(container, None)
            container.close()
            self._file.close()
            self._part.replace(self.path)
            put_index_first(self.path, mode=private_mode())
        except (self._av.FFmpegError, OSError) as error:
            _close_quietly(self._file)
            is_kept = bool(self.bytes) and _size(self._part) >= kept_from_bytes
            left = f"the unfinished video is {self._part}" if is_kept else "the unfinished video was removed"
            if not is_kept:
                self.bytes = 0
                unlink_quietly(self._part)
            lost = self._frames - (self._encoded if is_kept else 0)
            raise LostError(f"{self.path}: the video cannot be finished ({error}); {left}", lost) from error
        return True

    def _mux(self, container: Any, frame: Any) -> None:
        """Encode a frame (None: the frames that the encoder still holds) and write the packets."""
        packets = self._stream.encode(frame)
        container.mux(packets)
        self._file.flush()
        self._encoded += len(packets)
        self.bytes += sum(packet.size for packet in packets)


def _close_quietly(file: BinaryIO) -> None:
    with suppress(OSError):
        file.close()


def _size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist or cannot be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
