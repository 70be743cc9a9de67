"""Cameras, network streams and video files through cv2.VideoCapture."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import image
from edgecls.errors import DataError, SourceError, redact
from edgecls.run.source.choice import Choice
from edgecls.run.source.contract import Reading, Source, check_end, check_file, lost, no_video, not_opened, stalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame, Picture


SELECT_S = 1
"""OpenCV waits so long for a picture of a V4L2 camera. It reads this once in a process, so it is the same for all cameras, and
each is asked again until its own read timeout."""


class OpenCVSource(Source):
    """Frames that OpenCV decodes. Use `camera`, `stream` or `video`.

    `announced` is the number of frames a file says that it has, 0 where it does not say.
    """

    def __init__(self, capture: Any, name: str, where: str, *, live: bool, reading: Reading = Reading()) -> None:
        """Take an opened cv2.VideoCapture; `where` names it in errors."""
        self.name = name
        self.live = live
        self._where = where
        self._capture: Any = capture
        self._index = 0
        self._first_at: float | None = None
        self._choice = Choice(reading)
        self._read_timeout_s = reading.read_timeout_s
        self._halvings: int | None = None  # of a camera that gives its JPEGs as they are, which are decoded here
        self._broken = 0
        self._stopped = False
        cv2 = image.quiet_opencv()
        self.announced = 0 if live else max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._media_s: Callable[[], float] = lambda: float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3

    @classmethod
    def camera(cls, index: int, name: str, reading: Reading = Reading()) -> OpenCVSource:
        """Open the camera that the system calls `index`. Raises SourceError when it is not there or is busy."""
        cv2 = _cv2()
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(SELECT_S))
        capture = cv2.VideoCapture(index)
        if not capture.isOpened():
            raise SourceError(f"camera {index}: cannot be opened; {_why_not(index)}")
        # where a driver knows it: no stale frames after a pause; and with one, a camera has none to fill while it is read,
        # and loses every second picture
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        source = cls(capture, name, f"camera {index}", live=True, reading=reading)
        source._take_jpegs(reading)
        return source

    @classmethod
    def stream(cls, url: str, name: str, reading: Reading = Reading()) -> OpenCVSource:
        """Open a network stream (RTSP, HTTP, UDP ...). A file behind http, which knows its length, is read as a file."""
        cv2 = _cv2()
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(reading.open_timeout_s * 1e3)]
        timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(reading.read_timeout_s * 1e3)]
        began = time.monotonic()
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
        if not capture.isOpened():
            slow = time.monotonic() - began >= reading.open_timeout_s
            refused = "refused, perhaps for its user or password, or not a stream that FFmpeg knows"
            reason = f"no answer within {reading.open_timeout_s:g} s" if slow else refused
            raise not_opened(url, reason)
        return cls(capture, name, redact(url), live=not capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0, reading=reading)

    @classmethod
    def video(cls, path: str, name: str, reading: Reading = Reading()) -> OpenCVSource:
        """Open a video file. Raises SourceError when it is missing or is no video."""
        check_file(path)
        cv2 = _cv2()
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise no_video(path)
        return cls(capture, name, path, live=False, reading=reading)

    def read(self) -> Frame | None:
        """Decode up to the next frame that is wanted; the others are not converted to colour. Raises SourceError when a live
        source stops, or a file ends before its time.
        """
        if self._capture is None:
            return None
        while self._grab():
            now = time.monotonic()
            if self._first_at is None:
                self._first_at = now
            index, self._index = self._index, self._index + 1
            time_s = now - self._first_at if self.live else self._media_s()
            if self._choice.wants(time_s) and (bgr := self._retrieve()) is not None:
                file = "" if self.live else self._where
                return image.as_frame(bgr, self.name, index, time_s=time_s, captured_at=now, file=file)
        if self.live:
            raise lost(self._where, self._index)
        check_end(self._where, self._index, self.announced)
        return None

    @property
    def skipped(self) -> int:
        """The frames that came broken."""
        return self._broken

    def stop(self) -> None:
        """End the wait for a camera that is silent, when OpenCV's own wait of a second is over."""
        self._stopped = True

    def close(self) -> None:
        """Release the capture."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _grab(self) -> bool:
        began = asked = time.monotonic()
        while not self._asked(self._capture.grab):
            before, asked = asked, time.monotonic()
            if self.live and asked - began >= self._read_timeout_s:
                raise stalled(self._where, self._index, self._read_timeout_s)
            gone = asked - before < SELECT_S  # it did not wait
            if gone or self._stopped or not self.live:
                return False
        return True

    def _take_jpegs(self, reading: Reading) -> None:
        """Have a camera that sends JPEGs hand them out undecoded, where its driver can do that: they are decoded no larger
        than is needed, and OpenCV's own decoding patches up what was cut on its way.
        """
        cv2 = image.quiet_opencv()
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        height, width = self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT), self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        if code == cv2.VideoWriter.fourcc(*"MJPG") and self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
            self._halvings = reading.halvings(int(height), int(width))

    def _retrieve(self) -> Picture | None:
        """The frame that was grabbed, or None where it cannot be decoded, as of a JPEG that was cut on its way."""
        good, picture = self._asked(self._capture.retrieve)
        good = good and picture is not None  # of a buffer without a byte in it OpenCV gives a good nothing
        if good and self._halvings is not None:
            try:
                return image.decode(picture.tobytes(), self._where, halvings=self._halvings)
            except DataError:
                good = False
        self._broken += not good
        return picture if good else None

    def _asked(self, call: Callable[[], Any]) -> Any:
        cv2 = image.quiet_opencv()
        try:
            return call()
        except cv2.error as error:
            raise SourceError(f"{self._where}: OpenCV failed at frame {self._index} ({error.err})") from error


def _why_not(index: int) -> str:
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:  # or a system that has no such names
        return "check the number, the plug and your rights to it"
    if (device := Path(f"/dev/video{index}")) in devices:
        return f"{device} is there, so another program may have it, or your rights do not reach it"
    return f"the cameras here are {', '.join(d.name.removeprefix('video') for d in devices)}; check the number and the plug"


def _cv2() -> Any:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's own words can show a password
    return image.quiet_opencv()
