"""What a source of frames is, and the words for what all of them can fail with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, get_args

from edgecls.errors import AccessError, ConfigError, SourceError, StalledError, redact
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from edgecls.frame import Frame, StateChange

MISSING_SHARE = 0.02
"""A file that gives fewer frames than it announces, by more than this and by more than 2, was cut off; some containers
only estimate their length."""

SPARE = 4
"""A JPEG that is decoded at a fraction of its size stays so many times as large as the picture that is needed."""

Decoder = Literal["auto", "opencv", "pyav"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read.

    `decoder` is "opencv", "pyav" or "auto" (PyAV but for cameras, which OpenCV alone knows by number). PyAV can leave work
    out: `fast_decode` the loop filter of H.264 and HEVC, for a fifth of the time and a slightly blockier picture;
    `keyframes` all frames but those that stand alone, for a fraction of the time and a picture every second or so.

    `every` gives each N-th frame alone, `fps` so many a second at most, by media time; the others are never converted.
    `needed_hw` is the (height, width) that is looked at, if it is less than the frame: a camera that sends JPEG pictures is
    then decoded at a half, a quarter or an eighth, and its frames are as much smaller.

    A live source that does not open within `open_timeout_s`, or gives nothing for `read_timeout_s`, is lost and opened again;
    without a picture for `give_up_after_s` it has ended, which is an error (0: at the first failure; None: never). `strict`
    stops at a broken picture of a folder.

    With `keep_s` each frame of PyAV's has `packets`, those of its stream's last seconds, of `keep_bytes` at most: clips are cut
    from them. A camera that OpenCV reads by number has none.
    """

    decoder: Decoder = "auto"
    fast_decode: bool = False
    keyframes: bool = False
    strict: bool = False
    every: int = 1
    fps: float | None = None
    needed_hw: tuple[int, int] | None = None
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    give_up_after_s: float | None = None
    keep_s: float = 0.0
    keep_bytes: int = 32 << 20

    def __post_init__(self) -> None:
        """Refuse what no decoder can do."""
        check("decoder", self.decoder, self.decoder in get_args(Decoder), f"one of {', '.join(get_args(Decoder))}")
        if self.decoder == "opencv" and (self.fast_decode or self.keyframes):
            raise ConfigError("fast decoding and key frames alone are done by PyAV; leave --decoder opencv out")
        if self.decoder == "opencv" and self.keep_s:
            raise ConfigError("the packets that clips are cut from are kept by PyAV; leave --decoder opencv out")
        check("every", self.every, self.every >= 1, "1 or more")
        check("fps", self.fps, self.fps is None or 0 < self.fps < inf, "more than 0")
        check("open_timeout_s", self.open_timeout_s, 0 < self.open_timeout_s < inf, "a number of seconds above 0")
        check("read_timeout_s", self.read_timeout_s, 0 < self.read_timeout_s < inf, "a number of seconds above 0")
        give_up = self.give_up_after_s
        check("keep_s", self.keep_s, 0 <= self.keep_s < inf, "0 or more seconds")
        check("keep_bytes", self.keep_bytes, self.keep_bytes > 0, "above 0")
        check("give_up_after_s", give_up, give_up is None or 0 <= give_up < inf, "0 or more seconds, or None")

    def halvings(self, height: int, width: int) -> int:
        """How often (0 to 3) a JPEG of this size may be halved as it is decoded: it stays 4 times as large as what is needed,
        so that shrinking it further gives the same picture.
        """
        if self.needed_hw is None:
            return 0
        times = min(height / self.needed_hw[0], width / self.needed_hw[1])
        return max((n for n in (1, 2, 3) if times / 2**n >= SPARE), default=0)


class Source(ABC):
    """Frames of one camera, video or folder, in order. Open from its making until `close`.

    `name` is the camera's name on every frame; a `live` source goes on whether it is read or not, so a slow reader must
    skip.
    """

    name: str
    live: bool

    @property
    def skipped(self) -> int:
        """The frames that were wanted, captured, and given to nobody."""
        return 0

    def on_state(self, tell: Callable[[StateChange], None]) -> None:  # noqa: B027 - most sources have nothing to tell
        """Have the changes of a live source's state told to `tell`, in the thread that reads it, in order with its frames."""

    def stop(self) -> None:  # noqa: B027 - most reads cannot be broken off
        """Break off a wait in `read`, as far as that can be done. The one method that another thread may call."""

    @abstractmethod
    def read(self) -> Frame | None:
        """Wait for the next frame and return it; None is the end. Raises SourceError when frames are lost or broken."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device. May be called twice."""

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame, and return it with those that are ready too, `most` at most; none is the end."""
        frame = self.read() if most > 0 else None
        return [] if frame is None else [frame]

    def __iter__(self) -> Iterator[Frame]:
        """Give frame after frame until the end."""
        while (frame := self.read()) is not None:
            yield frame

    def __enter__(self) -> Self:
        """Return the source, which is open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the source."""
        self.close()


def check_file(path: str) -> None:
    """Raise SourceError unless there is such a file."""
    if not Path(path).is_file():
        raise SourceError(f"{path}: no such file or folder; expected a video, a folder of pictures or a URL")


def no_video(path: str) -> SourceError:
    """The error for a file that a decoder cannot open."""
    return SourceError(f"{path}: not a video that can be decoded ({Path(path).stat().st_size} bytes); is the file whole?")


def not_opened(url: str, reason: str) -> SourceError:
    """The error for a stream that cannot be opened; the password in `url` is hidden."""
    return SourceError(f"{redact(url)}: cannot be opened ({reason}); check the address and the network")


def denied(url: str) -> AccessError:
    """The error for a stream that asks for another user and password than those in `url`."""
    return AccessError(
        f"{redact(url)}: user and password are refused; they stand in the address as USER:PASSWORD@HOST, an @ in them as %40"
    )


def lost(where: str, frames: int) -> SourceError:
    """The error for a live source that gives no more frames after `frames`."""
    return SourceError(f"{where}: no more frames after {frames}; the camera was lost or stopped sending")


def stalled(where: str, frames: int, silent_s: float) -> StalledError:
    """The error for a live source that is connected and gave no picture for `silent_s`, after `frames`."""
    return StalledError(f"{where}: connected, but no picture for {silent_s:g} s after {frames} frames")


def check_end(where: str, frames: int, announced: int) -> None:
    """Raise SourceError for a file that ended after fewer frames than it announced (0 where it did not say), or with none."""
    if frames == 0:
        raise SourceError(f"{where}: holds no frame that can be decoded")
    if announced - frames > max(2, MISSING_SHARE * announced):
        raise SourceError(f"{where}: ended after {frames} of {announced} frames; the file is cut off")
