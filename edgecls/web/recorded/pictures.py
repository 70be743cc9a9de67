"""Single pictures of a recording, for what a browser cannot play and for cameras with private areas.

Pictures that follow each other are decoded on from where the last one was; any other place is sought at its key frame.
"""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls import image
from edgecls.files import stamp_of
from edgecls.source import container as opening
from edgecls.source.decoded import Scaler, as_frame
from edgecls.video import ffmpeg
from edgecls.web.answers import NotThereError
from edgecls.web.jpeg import frame_jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.web.recorded.found import Recording

WIDTH, QUALITY = 960, 80
NEAR_S = 3.0
"""A picture so far ahead is reached by decoding on; one beyond is sought."""
SAME_S = 0.002


class About(NamedTuple):
    """The length of a recording in seconds, 0 if unknown, and the time in the file at which it begins."""

    duration_s: float
    first_s: float


class Pictures:
    """One open recording. Its methods may be called from several threads, one at a time."""

    def __init__(self, path: str) -> None:
        """Open a file. Raises SourceError if it is no video."""
        av = ffmpeg.load("Showing a recording")
        self._av = av
        self._path = path
        self._lock = threading.Lock()
        self._container = opening.open_file(av, path)
        self._stream = opening.video_stream(self._container, path, live=False)
        self._scaler = Scaler(av)
        self._frames: Iterator[Any] = iter(())
        self._last: tuple[float, Any] | None = None
        self._stamp = stamp_of(Path(path).stat())
        self._is_closed = False
        self.about = self._measure()
        """How long it is, and where it begins."""

    def _measure(self) -> About:
        stream, container = self._stream, self._container
        first_s = float((stream.start_time or 0) * stream.time_base)
        if stream.duration:
            return About(float(stream.duration * stream.time_base), first_s)
        ends_s = (container.duration or 0) / self._av.time_base
        return About(max(0.0, ends_s - (first_s - (container.start_time or 0) / self._av.time_base)), first_s)

    def is_of(self, path: str) -> bool:
        """Return whether it shows this file, which may have been replaced."""
        try:
            return path == self._path and stamp_of(Path(path).stat()) == self._stamp
        except OSError:
            return False

    def at(self, time_s: float, recording: Recording) -> tuple[bytes, float]:
        """Return the picture that is shown at a time as JPEG, with its private areas black, and the time of it.

        Raises:
            NotThereError: There is no picture at this time.
        """
        with self._lock:
            if self._is_closed:  # other recordings were asked for meanwhile
                raise NotThereError("the recording was closed; ask again")
            try:
                found_s, decoded = self._decoded(time_s)
            except opening.faults(self._av) as error:
                raise NotThereError(f"this place of the recording cannot be decoded ({opening.reason(error)})") from error
            frame = as_frame(decoded, self._scaler, "", 0, found_s, time.monotonic())
            if recording.private:
                frame = frame.painted(image.BlackedOut([area.corners for area in recording.private]))
            return frame_jpeg(frame, width=WIDTH, quality=QUALITY), found_s

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._is_closed = True
            self._frames, self._last = iter(()), None
            self._container.close()

    def _decoded(self, time_s: float) -> tuple[float, Any]:
        """Return the last picture at or before a time, and its time; the first one if there is none before."""
        last = self._last
        if last is None or not -SAME_S <= time_s - last[0] <= NEAR_S:
            first_s = self.about.first_s
            self._container.seek(max(0, round((time_s + first_s) / self._stream.time_base)), stream=self._stream)
            self._frames, last = self._decode(first_s), None
        for found in self._frames:
            if last is not None and found[0] > time_s + SAME_S:
                self._frames = itertools.chain([found], self._frames)
                break
            last = found
        self._last = last
        if last is None:
            raise NotThereError("there is no picture at this time")
        return last

    def _decode(self, first_s: float) -> Iterator[tuple[float, Any]]:
        for decoded in self._container.decode(self._stream):
            if decoded.pts is not None:
                yield float(decoded.pts * self._stream.time_base) - first_s, decoded
