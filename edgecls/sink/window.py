"""A sink that shows annotated pictures on the screen, in one window per camera."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2

from edgecls.draw.results import draw
from edgecls.draw.steady import Steady
from edgecls.errors import SinkError
from edgecls.sink.sink import Sink, SinkKind

if TYPE_CHECKING:
    from edgecls.frame import Result

QUIT_KEYS = {ord("q"), 27}


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """The annotated picture on the screen."""

    kind: Literal["window"] = "window"


class WindowSink(Sink):
    """Shows every result. Pressing q or Esc, or closing a window, ends the run."""

    def __init__(self) -> None:
        """Check that there is a screen. Without one, OpenCV would abort the process. Raises SinkError."""
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise SinkError("window: no screen (neither DISPLAY nor WAYLAND_DISPLAY is set); use `sink=video:out.mp4` instead")
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # else Qt warns about fonts, which no window needs
        self._shown: dict[str, Steady] = {}
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the user has closed a window."""
        return self._done

    def write(self, result: Result) -> None:
        """Show a result."""
        name = f"edgecls {result.frame.camera}"
        try:
            new = name not in self._shown
            if new:
                cv2.namedWindow(name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
                self._shown[name] = Steady()
            cv2.imshow(name, draw(result, self._shown[name]))
            if new:  # only now: showing the first picture sets the size of the window
                height, width = result.frame.size_hw
                cv2.resizeWindow(name, max(width, 320), max(height, 240))
            key = cv2.waitKey(1) & 0xFF
            closed = cv2.getWindowProperty(name, cv2.WND_PROP_VISIBLE) == 0
        except cv2.error as error:
            raise SinkError(f"window: this OpenCV cannot show windows ({error.err}); pip install opencv-python in place of "
                            "opencv-python-headless, or use `sink=video:out.mp4` instead") from error  # fmt: skip
        self._done = self._done or key in QUIT_KEYS or closed

    def close(self) -> None:
        """Close the windows."""
        if self._shown:
            self._shown.clear()
            cv2.destroyAllWindows()


KIND = SinkKind(WindowSettings, lambda _out, _say: WindowSink(), draws=True)
