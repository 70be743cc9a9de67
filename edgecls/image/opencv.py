"""OpenCV as this project imports it, and how it behaves in a process of cameras."""

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
except ImportError as error:  # the wheel is there, a system library under it is not
    raise MissingExtraError(
        f"a library that OpenCV loads ({error}); without a desktop take opencv-python-headless instead of opencv-python, and",
        "cpu",
        "Reading pictures and cameras",
    ) from error


@cache
def quiet_opencv() -> ModuleType:
    """Stop OpenCV from writing to stderr (it would show camera URLs with their passwords). Returns cv2."""
    log = getattr(getattr(cv2, "utils", None), "logging", None)
    if log is not None:
        log.setLogLevel(log.LOG_LEVEL_SILENT)
    return cv2


def keep_opencv_to_one_thread() -> None:
    """For a whole process that runs cameras: OpenCV's own threads spin while they wait for each other, which costs the decoder
    more than they bring. A library must not decide that for the program around it, so commands call this.
    """
    cv2.setNumThreads(1)
