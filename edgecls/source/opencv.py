"""Cameras, network streams and video files through cv2.VideoCapture."""

from __future__ import annotations

import os
import time
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import image
from edgecls.errors import DataError, MissingExtraError, SourceError
from edgecls.limits import check_size
from edgecls.source import container as opening
from edgecls.source.clock import Clock, FileClock, LiveClock
from edgecls.source.device import resolve, why_not
from edgecls.source.recheck import pictures_of_damaged
from edgecls.source.sampling import FrameSampler
from edgecls.source.source import (
    ReadingSettings,
    Source,
    check_end,
    check_file,
    file_of,
    lost,
    no_video,
    not_opened,
    stalled,
)
from edgecls.text.redaction import hidden
from edgecls.video import ffmpeg
from edgecls.video.completeness import missing_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame, Picture


SELECT_S = 1
"""How long OpenCV waits for a picture of a V4L2 camera. It reads this setting once per process, so it is the same for all
cameras; each read is repeated until the camera's own timeout."""


class OpenCVSource(Source):
    """Frames decoded by OpenCV. Create it with `camera`, `stream` or `video`."""

    def __init__(
        self, capture: Any, name: str, where: str, *, live: bool, reading: ReadingSettings = ReadingSettings(), file: str = ""
    ) -> None:
        """Wrap an open capture.

        Args:
            capture: A cv2.VideoCapture.
            name: The camera's name.
            where: The name for error messages.
            live: Whether frames arrive in real time.
            reading: How to read.
            file: The path of a local file, otherwise "".
        """
        self.name = name
        self.live = live
        self._where = where
        self._file = file
        self._capture: Any = capture
        self._index = 0
        self._first_s: float | None = None
        self._sampler = FrameSampler(reading)
        self._read_timeout_s = reading.read_timeout_s
        self._halvings: int | None = None  # for a camera whose JPEGs are decoded here
        self._broken = 0
        self._stopped = False
        cv2 = image.quiet_opencv()
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        check_size(width, height, where, SourceError)
        self._announced = 0 if live else max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        fps = capture.get(cv2.CAP_PROP_FPS)
        self._clock: Clock = LiveClock() if live else FileClock(1 / fps if 0 < fps < inf else 0.04)

    @classmethod
    def camera(cls, camera: int | str, name: str, reading: ReadingSettings = ReadingSettings()) -> OpenCVSource:
        """Open a camera by its number or device path. Raises SourceError if it is missing or busy."""
        cv2 = _cv2()
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(SELECT_S))
        device = resolve(camera)
        capture = cv2.VideoCapture(device) if isinstance(device, int) else cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise SourceError(f"camera {camera}: cannot be opened; {why_not(device)}")
        # If the driver supports it, this avoids stale frames after a pause. With a single buffer, a camera has none to fill
        # while it is read, and loses every second picture.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        source = cls(capture, name, f"camera {camera}", live=True, reading=reading)
        source._take_jpegs(reading)
        return source

    @classmethod
    def stream(cls, url: str, name: str, reading: ReadingSettings = ReadingSettings()) -> OpenCVSource:
        """Open a network stream (RTSP, HTTP, UDP ...). A video file behind HTTP is read as a file, not as a live source."""
        cv2 = _cv2()
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(reading.open_timeout_s * 1e3)]
        timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(reading.read_timeout_s * 1e3)]
        began = time.monotonic()
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
        if not capture.isOpened():
            slow = time.monotonic() - began >= reading.open_timeout_s
            refused = "refused, perhaps because of user or password, or not a stream that FFmpeg can read"
            reason = f"no answer within {reading.open_timeout_s:g} s" if slow else refused
            raise not_opened(url, reason)
        return cls(capture, name, hidden(url), live=not capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0, reading=reading)

    @classmethod
    def video(cls, path: str, name: str, reading: ReadingSettings = ReadingSettings()) -> OpenCVSource:
        """Open a video file. Raises SourceError if it is missing or not a video."""
        check_file(path)
        cv2 = _cv2()
        _check_frames(path)
        whole_path = str(Path(path).absolute())  # FFmpeg interprets the part of a relative name before a colon as a protocol
        capture = cv2.VideoCapture(whole_path, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise no_video(path)
        return cls(capture, name, path, live=False, reading=reading, file=path)

    def read(self) -> Frame | None:
        """Decode up to the next chosen frame. The others are not converted to colour.

        Raises:
            SourceError: A live source was lost, or the file is cut off or damaged.
        """
        if self._capture is None:
            return None
        while self._grab():
            now = time.monotonic()
            index, self._index = self._index, self._index + 1
            # OpenCV does not tell whether the times of a live source are real; those of motion JPEG are not
            time_s = self._clock.time_s(None if self.live else self._file_s(), now)
            if self._sampler.wants(time_s) and (bgr := self._retrieve()) is not None:
                file = file_of(self._where, live=self.live)
                return image.as_frame(bgr, self.name, index, time_s=time_s, captured_at=now, file=file)
        if self.live:
            raise lost(self._where, self._index)
        is_cut_off = bool(self._file) and missing_bytes(self._file) > 0
        check_end(self._where, self._index, self._announced, is_cut_off=is_cut_off)
        if self._file and (pictures := pictures_of_damaged(self._file, self._index)):
            self._broken += max(0, pictures - self._index)
            why = "some may be damaged, which OpenCV does not report; `decoder=pyav` skips those"
            raise SourceError(f"{self._where}: {self._index} of {pictures} pictures were read, the file is damaged; {why}")
        return None

    @property
    def skipped(self) -> int:
        """The number of broken frames so far."""
        return self._broken

    def stop(self) -> None:
        """Stop waiting for a silent camera, after OpenCV's own timeout of a second."""
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

    def _file_s(self) -> float:
        time_s = float(self._capture.get(image.quiet_opencv().CAP_PROP_POS_MSEC)) / 1e3
        if self._first_s is None:  # an AVI file with B-frames starts later than 0
            self._first_s = time_s
        return time_s - self._first_s

    def _take_jpegs(self, reading: ReadingSettings) -> None:
        """Ask a motion JPEG camera for undecoded JPEGs, if its driver supports that. They are then decoded no larger than
        needed, and truncated ones are detected, which OpenCV would patch up.
        """
        cv2 = image.quiet_opencv()
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        height, width = self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT), self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        if code == cv2.VideoWriter.fourcc(*"MJPG") and self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
            self._halvings = reading.halvings(int(height), int(width))

    def _retrieve(self) -> Picture | None:
        """Return the grabbed frame, or None if it cannot be decoded, such as a truncated JPEG."""
        good, picture = self._asked(self._capture.retrieve)
        good = good and picture is not None  # for an empty buffer OpenCV returns True and None
        if good and self._halvings is not None:
            try:
                return image.decode(picture.tobytes(), self._where, halvings=self._halvings, live=True)
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


def _check_frames(path: str) -> None:
    """Raise SourceError for a video whose frames are too large, where PyAV can tell: OpenCV decodes some as it opens a file."""
    try:
        av = ffmpeg.load("Looking at a video")
    except MissingExtraError:
        return
    with opening.open_file(av, path) as container:
        opening.check_frames(container, path)


def _cv2() -> Any:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's messages can contain a password
    return image.quiet_opencv()
