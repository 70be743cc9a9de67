"""Import OpenCV, and set its logging and threads."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from edgecls.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

try:
    import cv2 as cv2
except ModuleNotFoundError as error:
    raise MissingExtraError("opencv-python (or opencv-python-headless)", "cpu", "Reading pictures and cameras") from error
except ImportError as error:  # the wheel is installed, but a system library that it needs is missing
    raise MissingExtraError(
        f"a library that OpenCV loads ({error}); without a desktop, use opencv-python-headless instead of opencv-python, and",
        "cpu",
        "Reading pictures and cameras",
    ) from error


@cache
def quiet_opencv() -> ModuleType:
    """Silence OpenCV's log on stderr, which would show camera URLs with their passwords. Returns the cv2 module.

    Its libjpeg and libpng may still print a line about a damaged file: they write to the file descriptor, and redirecting that
    would swallow the output of all other threads.
    """
    log = getattr(getattr(cv2, "utils", None), "logging", None)
    if log is not None:
        log.setLogLevel(log.LOG_LEVEL_SILENT)
    return cv2


def keep_opencv_to_one_thread() -> None:
    """Make OpenCV use a single thread in this process.

    Its worker threads busy-wait, which takes more time from the video decoder than they save. Only commands call this, because
    a library must not change it for the program that uses it.
    """
    cv2.setNumThreads(1)
