"""A camera at /dev/video0 for the programs that the tests start, made by the library in `v4l2.c`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Picture


def build(folder: Path) -> Path:
    """Compile the library. Skips the test where that cannot be done."""
    if sys.platform != "linux":
        pytest.skip("cameras by number are V4L2 on Linux alone")
    if shutil.which("cc") is None:
        pytest.skip("a C compiler is not installed: apt install gcc libc6-dev linux-libc-dev")
    library = folder / "v4l2.so"
    source = Path(__file__).with_name("v4l2.c")
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    return library


class FakeCamera:
    """Sends `pictures`, (H, W, 3) uint8, in turn. `env` is the environment of a program that shall see it."""

    def __init__(self, library: Path, folder: Path, pictures: Sequence[Picture], pixels: str = "YUYV", fps: int = 20) -> None:
        """Write the frames as the camera sends them, "YUYV" or "MJPG"."""
        self._folder = folder
        height, width = pictures[0].shape[:2]
        (folder / "format").write_text(f"{pixels} {width} {height} {fps}")
        for number, picture in enumerate(pictures):
            (folder / str(number)).write_bytes(
                _yuyv(picture) if pixels == "YUYV" else cv2.imencode(".jpg", picture)[1].tobytes()
            )
        self.env = {**os.environ, "LD_PRELOAD": str(library), "EDGECLS_FAKE_CAMERA": str(folder)}

    def now(self, state: str) -> None:
        """Have it be "unplugged", "silent" or "busy"."""
        (self._folder / state).touch()

    def no_longer(self, state: str) -> None:
        """Undo `now`."""
        (self._folder / state).unlink()


def _yuyv(picture: Picture) -> bytes:
    """Two pixels in four bytes: their levels, and between them what colour they share."""
    luma, red, blue = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    packed = np.empty((*luma.shape, 2), np.uint8)
    packed[..., 0] = np.clip(np.rint(luma * (219 / 255) + 16), 16, 235)
    packed[:, 0::2, 1], packed[:, 1::2, 1] = blue[:, 0::2], red[:, 0::2]
    return packed.tobytes()
