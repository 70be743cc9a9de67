"""What a source of frames is, and the words for what all of them can fail with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, get_args

from edgecls.errors import ConfigError, SourceError, redact
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from edgecls.frame import Frame

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0
MISSING_SHARE = 0.02
"""A file that gives fewer frames than it announces, by more than this and by more than 2, was cut off; some containers
only estimate their length."""

Decoder = Literal["auto", "opencv", "pyav"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read.

    `decoder` is "opencv", "pyav" or "auto" (PyAV but for cameras, which OpenCV alone knows by number). PyAV can leave work
    out: `fast_decode` the loop filter of H.264 and HEVC, for a fifth of the time and a slightly blockier picture;
    `keyframes` all frames but those that stand alone, for a fraction of the time and a picture every second or so. `strict`
    stops at a broken picture of a folder.
    """

    decoder: Decoder = "auto"
    fast_decode: bool = False
    keyframes: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse what no decoder can do."""
        check("decoder", self.decoder, self.decoder in get_args(Decoder), f"one of {', '.join(get_args(Decoder))}")
        if self.decoder == "opencv" and (self.fast_decode or self.keyframes):
            raise ConfigError("fast decoding and key frames alone are done by PyAV; leave --decoder opencv out")


class Source(ABC):
    """Frames of one camera, video or folder, in order. Open from its making until `close`.

    `name` is the camera's name on every frame; a `live` source goes on whether it is read or not, so a slow reader must
    skip.
    """

    name: str
    live: bool

    @property
    def skipped(self) -> int:
        """The frames that were captured and given to nobody."""
        return 0

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
    return SourceError(f"{redact(url)}: cannot be opened ({reason}); check address, user and password, and the network")


def lost(where: str, frames: int) -> SourceError:
    """The error for a live source that gives no more frames after `frames`."""
    return SourceError(f"{where}: no more frames after {frames}; the camera was lost or stopped sending")


def check_end(where: str, frames: int, announced: int) -> None:
    """Raise SourceError for a file that ended after fewer frames than it announced (0 where it did not say), or with none."""
    if frames == 0:
        raise SourceError(f"{where}: holds no frame that can be decoded")
    if announced - frames > max(2, MISSING_SHARE * announced):
        raise SourceError(f"{where}: ended after {frames} of {announced} frames; the file is cut off")
