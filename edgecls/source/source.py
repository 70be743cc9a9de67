"""The interface of a source of frames, its settings, and the errors that all sources share."""

from __future__ import annotations

import re
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from edgecls.errors import AccessError, ConfigError, SourceError, StalledError
from edgecls.files import open_file
from edgecls.files.advice import is_text, of_another_kind, of_missing
from edgecls.regions.geometry import Polygon  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.settings import NO_SETTING, check_limits, limited
from edgecls.text.address import ENCODE, is_cut_password
from edgecls.text.redaction import hidden, public_file, shown
from edgecls.text.words import counted
from edgecls.video.completeness import lacks_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from edgecls.frame import Frame, StateChange

SPARE = 4
"""A JPEG decoded at reduced size stays at least this many times as large as the picture that is needed."""

EXPECTED = "expected a video, a picture, a folder of pictures or a URL"
FIRST_BYTES = 512
"""How much of a file is read to see whether it is text."""
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device other than a camera"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

Decoder = Literal["auto", "opencv", "pyav"]
Decode = Literal["software", "auto", "cuda", "videotoolbox", "qsv", "v4l2m2m", "ffmpeg", "vaapi", "rkmpp", "jetson"]


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """How sources are read.

    Example:
        reading = edgecls.ReadingSettings(fps=5, give_up_after_s=60)
        source = edgecls.open_source("rtsp://10.0.0.7/stream", reading=reading)

    Attributes:
        decoder: "opencv", "pyav" or "auto": PyAV, except for local cameras, which only OpenCV can open.
        decode: Where H.264 and the like are decoded, see `edgecls.source.hardware`: in "software"; with "cuda" (NVIDIA),
            "videotoolbox" (macOS), "qsv" (Intel) or "v4l2m2m"; or by the ffmpeg program of the system with "vaapi", "rkmpp" or
            "jetson"; "ffmpeg" is the first of these three that works. "auto" is the first of the others that works, otherwise
            software.
        decode_width: The width in pixels to which the ffmpeg program makes pictures smaller. 0: not at all.
        fast_decode: Skip the loop filter of H.264 and HEVC. Decoding takes a fifth less time, pictures get slightly blocky.
        keyframes: Decode key frames only, usually about one per second, for a fraction of the time.
        strict: Stop at a broken picture in a folder instead of skipping it.
        every: Return every N-th frame only. The others are decoded but not converted.
        fps: Return at most this many frames per second of media time. None: all.
        needed_hw: The (height, width) in pixels that is needed, if less than the whole frame. JPEGs from a camera are then
            decoded at a half, a quarter or an eighth of their size, and frames are that much smaller.
        open_timeout_s: A live source that does not open within this time, in seconds, counts as lost and is opened again.
        read_timeout_s: So does one that sends no picture for this time, in seconds.
        give_up_after_s: A live source without a picture for this time ends with an error. 0: at the first failure;
            None: never.
        keep_s: Keep the encoded packets of this many last seconds on each frame (`Frame.packets`), to cut clips from. Only
            PyAV can do this. 0: none.
        keep_bytes: The most bytes to keep for `keep_s`.
        private: Areas that are black in every picture of a frame. In cameras.toml they are set at the camera.
        substream: The address of a smaller stream of the same camera, which is watched, while the source itself is decoded only
            to classify parts of it. In cameras.toml it is set at the camera.
        decode_threads: How many threads decode a video in software. 0: as many as FFmpeg likes, about one per core.
    """

    decoder: Decoder = "auto"
    decode: Decode = "software"
    decode_width: int = limited(640, at_least=0, unit="pixels")
    fast_decode: bool = False
    keyframes: bool = False
    strict: bool = False
    every: int = limited(1, at_least=1)
    fps: float | None = limited(None, above=0, expected="more than 0")
    needed_hw: tuple[int, int] | None = None
    open_timeout_s: float = limited(10.0, above=0, unit="seconds")
    read_timeout_s: float = limited(10.0, above=0, unit="seconds")
    give_up_after_s: float | None = limited(None, at_least=0, expected="0 or more seconds, or None")
    keep_s: float = limited(0.0, at_least=0, unit="seconds")
    keep_bytes: int = limited(32 << 20, above=0, unit="bytes")
    private: tuple[Polygon, ...] = field(default=(), metadata=NO_SETTING)
    substream: str = field(default="", metadata=NO_SETTING)
    decode_threads: int = field(default=0, metadata=NO_SETTING)

    def __post_init__(self) -> None:
        """Validate the limits, and that the decoder supports the other settings."""
        check_limits(self)
        if self.decoder == "opencv" and (self.fast_decode or self.keyframes):
            raise ConfigError("only PyAV can decode fast or decode key frames only; remove `decoder=opencv`")
        if self.decode != "software":
            self._check_hardware()
        if self.decoder == "opencv" and self.keep_s:
            raise ConfigError("clips need the packets that only PyAV keeps; remove `decoder=opencv`")
        if self.decoder == "opencv" and self.substream:
            raise ConfigError("only PyAV can read two streams of a camera; remove `decoder=opencv`")

    def _check_hardware(self) -> None:
        if self.decoder == "opencv":
            raise ConfigError(f"only PyAV can decode with {self.decode}; remove `decoder=opencv`")
        if self.fast_decode and self.decode != "auto":
            raise ConfigError(f'fast_decode is for software only; remove it, or `decode = "{self.decode}"`')

    def halvings(self, height: int, width: int) -> int:
        """Return how often (0 to 3) a JPEG of this size may be halved while it is decoded.

        It stays at least 4 times as large as `needed_hw`, so that shrinking it further gives the same picture.
        """
        if self.needed_hw is None:
            return 0
        times = min(height / self.needed_hw[0], width / self.needed_hw[1])
        return max((n for n in (1, 2, 3) if times / 2**n >= SPARE), default=0)


class Source(ABC):
    """Frames of one camera, video or folder, in order. It is open from its creation until `close`.

    Subclasses implement `read` and `close`.

    Example:
        with edgecls.open_source("traffic.mp4") as source:
            for frame in source:
                print(frame.index, frame.time_s)

    Attributes:
        name: The camera's name on every frame.
        live: Whether frames arrive in real time. Then a slow reader must skip frames.
    """

    name: str
    live: bool

    @property
    def skipped(self) -> int:
        """How many frames that should have been returned were lost, skipped or broken so far."""
        return 0

    def on_state(self, tell: Callable[[StateChange], None]) -> None:  # noqa: B027 - most sources have no states
        """Call `tell` with each state change of a live source, in the thread that reads it and in order with its frames."""

    def stop(self) -> None:  # noqa: B027 - most reads cannot be interrupted
        """Interrupt a wait in `read`, if possible. This is the only method that may be called from another thread."""

    @abstractmethod
    def read(self) -> Frame | None:
        """Wait for the next frame.

        Returns:
            The frame, or None at the end.

        Raises:
            SourceError: The source was lost, or the file is damaged.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device or file. Calling it twice is fine."""

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame, and return it with all others that are ready, at most `most`. An empty list is the end."""
        frame = self.read() if most > 0 else None
        return [] if frame is None else [frame]

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames until the end."""
        while (frame := self.read()) is not None:
            yield frame

    def __enter__(self) -> Self:
        """Return the source itself; it is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the source."""
        self.close()


def mode_of(path: str) -> int:
    """Return the `st_mode` of a path, or 0 if nothing is there or the name is invalid."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):  # ValueError: a null byte
        return 0


def check_file(path: str) -> None:
    """Raise SourceError unless the path is a regular file: reading a pipe or a device might block or never end."""
    mode = mode_of(path)
    if not mode:
        name = shown(path).replace("\0", "\\0")
        raise SourceError(f"{name}: no such file or folder; {EXPECTED}{of_missing(path)}")
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise SourceError(f"{path}: is {kind}; {EXPECTED}")


def no_video(path: str) -> SourceError:
    """Return the error for a file that the decoder cannot open."""
    size = Path(path).stat().st_size
    if not size:
        return SourceError(f"{path}: is empty (0 bytes); {EXPECTED}")
    return SourceError(f"{path}: not a video that can be decoded ({size} bytes){_what_else(path)}")


def _what_else(path: str) -> str:
    """Return what a file may be instead of a video, and what to do."""
    use = of_another_kind(path, "video")
    if use:
        return use
    with open_file(path) as file:
        start = file.read(FIRST_BYTES)
    if is_text(start):
        return f"; it is text, {EXPECTED}"
    if lacks_index(path):
        return "; its index (moov) is missing: its end was cut off, or the recorder did not finish it; record as .mkv or .ts"
    return "; is the file complete?"


def only_sound(where: str) -> SourceError:
    """Return the error for a file without a video stream."""
    return SourceError(f"{where}: has no video stream, only audio or other data; {EXPECTED}")


def not_opened(url: str, reason: str) -> SourceError:
    """Return the error for a stream that cannot be opened. The password in `url` is hidden."""
    hint = f"; if its @ belongs to a user and password: {ENCODE}" if is_cut_password(url) else ""
    return SourceError(f"{hidden(url)}: cannot be opened ({reason}); check the address and the network{hint}")


def file_of(where: str, *, live: bool) -> str:
    """Return the file name to store on frames: "" for a live source, only the host for an address."""
    if live:
        return ""
    return public_file(where) if _ADDRESS.match(where) else where


def denied(url: str) -> AccessError:
    """Return the error for a stream that refuses the user and password in `url`."""
    return AccessError(
        f"{hidden(url)}: user and password are refused; write them in the address as USER:PASSWORD@HOST, with %40 for an @"
    )


def lost(where: str, frames: int) -> SourceError:
    """Return the error for a live source that stopped after `frames` frames."""
    return SourceError(f"{where}: no more frames after {frames}; the camera was lost or stopped sending")


def stalled(where: str, frames: int, silent_s: float) -> StalledError:
    """Return the error for a live source that is connected but sent no picture for `silent_s` seconds after `frames`."""
    return StalledError(f"{where}: connected, but no picture for {silent_s:g} s after {counted(frames, 'frame')}")


def check_end(where: str, frames: int, announced: int = 0, *, is_cut_off: bool) -> None:
    """Raise SourceError for a file that is cut off or has no frames. `announced` is the count in its header (0: unknown)."""
    if is_cut_off:
        given = f"{frames} of {announced} frames" if announced > frames else counted(frames, "frame")
        raise SourceError(f"{where}: ended after {given}; the file is cut off")
    if frames == 0:
        raise SourceError(f"{where}: contains no frame that can be decoded")
