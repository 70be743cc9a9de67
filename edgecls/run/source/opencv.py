"""Cameras, network streams and video files through cv2.VideoCapture."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import image
from edgecls.errors import SourceError, redact
from edgecls.run.source.contract import (
    OPEN_TIMEOUT_S,
    READ_TIMEOUT_S,
    Source,
    check_end,
    check_file,
    lost,
    no_video,
    not_opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame


class OpenCVSource(Source):
    """Frames that OpenCV decodes. Use `camera`, `stream` or `video`.

    `announced` is the number of frames a file says that it has, 0 where it does not say.
    """

    def __init__(self, capture: Any, name: str, where: str, *, live: bool) -> None:
        """Take an opened cv2.VideoCapture; `where` names it in errors."""
        self.name = name
        self.live = live
        self._where = where
        self._capture: Any = capture
        self._index = 0
        self._first_at: float | None = None
        cv2 = image.quiet_opencv()
        self.announced = 0 if live else max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._media_s: Callable[[], float] = lambda: float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3

    @classmethod
    def camera(cls, index: int, name: str) -> OpenCVSource:
        """Open the camera that the system calls `index`. Raises SourceError when it is not there or is busy."""
        cv2 = _cv2()
        capture = cv2.VideoCapture(index)
        if not capture.isOpened():
            found = sorted(p.name.removeprefix("video") for p in Path("/dev").glob("video*"))
            state = f"the cameras here are {', '.join(found)} (is it in use?)" if found else "no camera was found here"
            raise SourceError(f"camera {index}: cannot be opened; {state}; check the number, the plug and your rights to it")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where a driver knows it: no stale frames after a pause
        return cls(capture, name, f"camera {index}", live=True)

    @classmethod
    def stream(cls, url: str, name: str) -> OpenCVSource:
        """Open a network stream (RTSP, HTTP, UDP ...). A file behind http, which knows its length, is read as a file."""
        cv2 = _cv2()
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_TIMEOUT_S * 1e3)]
        timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(READ_TIMEOUT_S * 1e3)]
        began = time.monotonic()
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
        if not capture.isOpened():
            slow = time.monotonic() - began >= OPEN_TIMEOUT_S
            reason = f"no answer within {OPEN_TIMEOUT_S:.0f} s" if slow else "refused, or not a stream that FFmpeg knows"
            raise not_opened(url, reason)
        return cls(capture, name, redact(url), live=not capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0)

    @classmethod
    def video(cls, path: str, name: str) -> OpenCVSource:
        """Open a video file. Raises SourceError when it is missing or is no video."""
        check_file(path)
        cv2 = _cv2()
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise no_video(path)
        return cls(capture, name, path, live=False)

    def read(self) -> Frame | None:
        """Decode the next frame. Raises SourceError when a live source stops, or a file ends before its time."""
        if self._capture is None:
            return None
        good, bgr = self._grab()
        if not good:
            if self.live:
                raise lost(self._where, self._index)
            check_end(self._where, self._index, self.announced)
            return None
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = now
        index, self._index = self._index, self._index + 1
        time_s = now - self._first_at if self.live else self._media_s()
        return image.as_frame(bgr, self.name, index, time_s=time_s, captured_at=now)

    def close(self) -> None:
        """Release the capture."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _grab(self) -> tuple[bool, Any]:
        cv2 = image.quiet_opencv()
        try:
            good, bgr = self._capture.read()
        except cv2.error as error:
            raise SourceError(f"{self._where}: OpenCV failed at frame {self._index} ({error.err})") from error
        return bool(good), bgr


def _cv2() -> Any:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's own words can show a password
    return image.quiet_opencv()
