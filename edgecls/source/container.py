"""Open containers with PyAV: unambiguous paths, limited frame sizes, one kind of error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import SourceError
from edgecls.limits import VARIABLE, check_size, max_pixels
from edgecls.source.source import EXPECTED, denied, no_video, not_opened, only_sound
from edgecls.text.words import counted
from edgecls.video import nal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.source.source import ReadingSettings

ALIGNED_PIXELS = 1 << 16
"""Tolerance for decoders, which round frame sizes up before comparing. Decoded frames are checked exactly."""
ONE_THREAD_PIXELS = 35_000_000
"""Frames larger than 8K are decoded without frame threads, because each thread would hold frames of its own."""

FRAME_THREADS = 1 << 12
"""AV_CODEC_CAP_FRAME_THREADS."""
TEXT_ART = frozenset({"ansi", "bintext", "idf", "xbin"})
"""Decoders that draw the characters of a text. FFmpeg takes any file called .txt, .nfo or .asc for such a "video"."""


def faults(av: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions that PyAV raises for damaged files: FFmpeg's errors, and Python's for invalid values such as
    metadata that is not text, an impossible size, or a time base of zero.
    """
    return (av.FFmpegError, OSError, ValueError, ArithmeticError, LookupError, MemoryError, RuntimeError)


def reason(error: Exception) -> str:
    """Return a short reason for an error. The full text of FFmpeg's errors may contain a password."""
    return getattr(error, "strerror", None) or type(error).__name__


def open_file(av: Any, path: str) -> Any:
    """Open a video file. Raises SourceError if it is not a video.

    The path is made absolute, because FFmpeg interprets the part of a relative name before a colon as a protocol.
    """
    options = limits()
    try:
        return av.open(str(Path(path).absolute()), options=options, metadata_errors="replace")
    except faults(av) as error:
        raise no_video(path) from error


def open_stream(av: Any, url: str, reading: ReadingSettings) -> tuple[Any, bool]:
    """Open a network stream.

    Returns:
        The container, and whether it is live: a video file behind HTTP is not.

    Raises:
        AccessError: User and password are refused.
        SourceError: It cannot be opened.
    """
    timeout = (reading.open_timeout_s, reading.read_timeout_s)
    try:
        container = av.open(url, options=stream_options(url), timeout=timeout, metadata_errors="replace")
    except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
        raise denied(url) from None
    except (av.ExitError, TimeoutError):
        raise not_opened(url, f"no answer within {reading.open_timeout_s:g} s") from None
    except faults(av) as error:
        raise not_opened(url, reason(error)) from None  # its text contains the password
    return container, not (url.lower().startswith(("http", "file")) and container.duration)


def limits() -> dict[str, str]:
    """Return the options that limit the frame size: FFmpeg decodes some frames while it opens a file, to probe it."""
    return {"max_pixels": str(max_pixels() + max_pixels() // 8 + ALIGNED_PIXELS)}


def stream_options(url: str) -> dict[str, str]:
    """Return the options for opening a network stream."""
    options, scheme = limits(), url.lower()
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    if not scheme.startswith(("http", "file")):  # not a file: FFmpeg would hold back 20 pictures to find their rate
        options["fpsprobesize"] = "0"
    return options


def check_frames(container: Any, where: str) -> None:
    """Raise SourceError if a container has no video stream, if it is a text, or if its frames are too large."""
    if not container.streams.video:
        raise only_sound(where)
    _check_is_no_text(container.streams.video, where)
    for stream in container.streams.video:
        if stream.codec_context is not None:
            check_size(stream.codec_context.width, stream.codec_context.height, where, SourceError)


def video_stream(container: Any, where: str, *, live: bool) -> Any:
    """Choose the video stream to read: not a cover picture; the container's default stream, otherwise the first.

    Raises:
        SourceError: There is no video stream, no decoder for it, it is a text, or its frames are too large.
    """
    streams = [one for one in container.streams.video if not _is_cover(one)]
    known = [one for one in streams if one.codec_context is not None]
    _check_is_no_text(known, where)
    if not known:
        if not live and not streams:
            raise only_sound(where)
        if not live:
            raise SourceError(f"{where}: FFmpeg has no decoder for its video; expected a codec such as H.264, convert it")
        raise not_opened(where, "it contains no video" if not streams else "FFmpeg has no decoder for its video")
    sized = [one for one in known if one.codec_context.width and one.codec_context.height] or known
    chosen = max(sized, key=lambda one: (one.frames != 1, _is_default(one)))  # the first of equals
    check_size(chosen.codec_context.width, chosen.codec_context.height, where, SourceError)
    return chosen


def prepare(stream: Any, reading: ReadingSettings, *, live: bool) -> None:
    """Configure a stream's decoder: what it may skip, the largest frame size, and its threads."""
    context = stream.codec_context
    options = limits()
    if context.name == "mjpeg":  # a JPEG can be decoded at a half, a quarter or an eighth, for a fraction of the time
        options["lowres"] = str(reading.halvings(context.height, context.width))
        if not live:  # damaged data is an error; by default FFmpeg patches it up
            options["err_detect"] = "explode"
    elif reading.fast_decode:
        options["skip_loop_filter"] = "all"
    context.options = options
    is_large = context.width * context.height > ONE_THREAD_PIXELS
    context.thread_type = "SLICE" if live or is_large else "AUTO"  # each frame thread would delay live frames by one
    if reading.decode_threads:
        context.thread_count = reading.decode_threads


def spare_threads(stream: Any, packet: Any) -> None:
    """Give a decoder that is not open yet a single thread, if it would share one picture among threads that has only one part.

    FFmpeg wakes a second thread for each picture all the same, and waits for it: a tenth of the time of decoding.
    """
    context = stream.codec_context
    if context.is_open or context.thread_count or context.thread_type.name != "SLICE" or context.name not in nal.CODECS:
        return
    if nal.is_in_one_piece(context.name, bytes(packet), context.extradata or b""):
        context.thread_count = 1


def rotation_of(av: Any, path: str) -> int:
    """Return by how many degrees the pictures of a file must be turned, which only FFmpeg's own decoder knows."""
    with open_file(av, path) as container:
        try:
            first = next(container.decode(video_stream(container, path, live=False)), None)
        except faults(av):
            return 0
        return int(getattr(first, "rotation", 0) or 0)


def frame_threads(stream: Any) -> int:
    """Return how many packets an open decoder works on in parallel; 1 if it decodes them one by one."""
    context = stream.codec_context
    is_threaded = context.thread_type.name != "SLICE" and context.codec.capabilities & FRAME_THREADS
    return max(1, context.thread_count) if is_threaded else 1


def is_too_large(av: Any, stream: Any, error: Exception) -> bool:
    """Whether a decoder rejected a frame because of its size: it knows the size by then, or reports arguments or memory."""
    context = stream.codec_context
    area = max(context.width * context.height, context.coded_width * context.coded_height)
    return area > max_pixels() or (isinstance(error, ValueError | MemoryError) and not isinstance(error, av.InvalidDataError))


def too_large(where: str, frames: int) -> SourceError:
    """Return the error for frames that the decoder rejects as too large."""
    return SourceError(
        f"{where}: the frame after {counted(frames, 'frame')} is too large; frames of more than {max_pixels():,} pixels are "
        f"not decoded; set {VARIABLE} to allow them"
    )


def _check_is_no_text(streams: Iterable[Any], where: str) -> None:
    if any(one.codec_context is not None and one.codec_context.name in TEXT_ART for one in streams):
        raise SourceError(f"{where}: is a text, not a video; {EXPECTED}")


def _is_cover(stream: Any) -> bool:
    return _has(stream, "attached_pic")


def _is_default(stream: Any) -> bool:
    return _has(stream, "default")


def _has(stream: Any, flag: str) -> bool:
    disposition = getattr(stream, "disposition", None)  # older versions of PyAV do not show it
    return disposition is not None and bool(disposition & getattr(type(disposition), flag))
