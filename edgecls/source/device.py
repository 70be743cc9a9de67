"""Local cameras: by number, as /dev/videoN, or by a stable link such as /dev/v4l/by-id/..."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

from edgecls.errors import SourceError
from edgecls.source.source import mode_of

_VIDEO = re.compile(r"/dev/video([0-9]{1,3})")
_KNOWN = re.compile(r"/dev/(video[0-9]+|v4l/.+)")
_MAJOR = 81
"""The major number of V4L2 character devices in Linux."""


def is_device(path: str) -> bool:
    """Whether a path belongs to a camera. If its name says so, the camera need not be plugged in."""
    if _KNOWN.fullmatch(path):
        return True
    return stat.S_ISCHR(mode_of(path)) and hasattr(os, "major") and os.major(Path(path).stat().st_rdev) == _MAJOR


def resolve(camera: int | str) -> int | str:
    """Return what OpenCV has to open for a number or path: the number, or the path of a device with another name.

    Links are resolved on each call, because after replugging a camera they may point to another number.

    Raises:
        SourceError: The path does not exist.
    """
    if isinstance(camera, int):
        return camera
    if not mode_of(camera):
        raise SourceError(f"camera {camera}: there is no such device; {others()}")
    real = os.path.realpath(camera)
    numbered = _VIDEO.fullmatch(real)
    return int(numbered[1]) if numbered else real


def check_device(camera: int | str) -> None:
    """Raise SourceError if no such device is plugged in. Numbers can only be checked on Linux."""
    found = resolve(camera)
    if sys.platform.startswith("linux") and isinstance(found, int) and not mode_of(f"/dev/video{found}"):
        raise SourceError(f"camera {camera}: there is no such device; {others()}")


def why_not(device: int | str) -> str:
    """Return the probable reason why a camera cannot be opened."""
    path = Path(f"/dev/video{device}") if isinstance(device, int) else Path(device)
    if not listed():  # no camera, or a system without such names
        return "check the number, the cable and your permissions"
    if path in listed():
        return f"{path} exists, so another program may be using it, or you lack permission"
    return others()


def others() -> str:
    """Return a message about the cameras that are plugged in."""
    found = ", ".join(device.name.removeprefix("video") for device in listed())
    return f"the cameras here are {found}; check the number and the cable" if found else "no camera is plugged in here"


def listed() -> list[Path]:
    """Return the device paths of the cameras that are plugged in."""
    return sorted(Path("/dev").glob("video*"))
