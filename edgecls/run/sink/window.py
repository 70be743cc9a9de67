"""The annotated picture on a screen, one window for each camera."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import cv2

from edgecls.errors import SinkError
from edgecls.run.draw import draw
from edgecls.run.sink.contract import Sink

if TYPE_CHECKING:
    from edgecls.frame import Result

QUIT_KEYS = {ord("q"), 27}


class WindowSink(Sink):
    """Shows each result. Key q, Esc, or closing a window ends the run."""

    def __init__(self) -> None:
        """Check that there is a screen: without one OpenCV's window would end the whole process."""
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise SinkError(
                "window: no screen (neither DISPLAY nor WAYLAND_DISPLAY is set); write a video instead: --sink video:out.mp4"
            )
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # OpenCV's Qt misses its fonts; no window needs one
        self._shown: set[str] = set()
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the person has closed a window."""
        return self._done

    def write(self, result: Result) -> None:
        """Show one result."""
        name = f"edgecls {result.frame.camera}"
        try:
            new = name not in self._shown
            if new:
                cv2.namedWindow(name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
                self._shown.add(name)
            cv2.imshow(name, draw(result))
            if new:  # once there is a picture: before, the window takes a size of its own
                height, width = result.frame.size_hw
                cv2.resizeWindow(name, max(width, 320), max(height, 240))
            key = cv2.waitKey(1) & 0xFF
            closed = cv2.getWindowProperty(name, cv2.WND_PROP_VISIBLE) == 0
        except cv2.error as error:
            raise SinkError(f"window: this OpenCV cannot show windows ({error.err}); pip install opencv-python in place of "
                            "opencv-python-headless, or write a video: --sink video:out.mp4") from error  # fmt: skip
        self._done = self._done or key in QUIT_KEYS or closed

    def close(self) -> None:
        """Close the windows."""
        if self._shown:
            self._shown.clear()
            cv2.destroyAllWindows()
