"""Two streams of one camera, drawn: each picture tells its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgecls.frame import Frame, Picture

STRIPES = 8
MAIN_HW, SUB_HW = (360, 640), (120, 160)
"""The small picture is squeezed from 16:9 to 4:3."""


def numbered(number: int, size_hw: tuple[int, int]) -> Picture:
    """Return a picture that tells its number, from 0 to 255: its binary digits are white stripes."""
    bits = [230 * (number >> (STRIPES - 1 - i) & 1) + 10 for i in range(STRIPES)]
    row = np.repeat(np.array(bits, np.uint8), size_hw[1] // STRIPES)
    return np.repeat(np.tile(row, (size_hw[0], 1))[:, :, None], 3, axis=2)


def in_a_scene(number: int, size_hw: tuple[int, int]) -> Picture:
    """Return a picture that tells its number in its middle fifth, before a scene that stays, as most of what is seen does."""
    blocks = np.random.default_rng(0).integers(0, 2, (10, 8)).astype(np.uint8) * 230 + 10
    picture = np.repeat(np.repeat(blocks, size_hw[0] // 10, axis=0), size_hw[1] // 8, axis=1)[:, :, None].repeat(3, axis=2)
    picture[2 * size_hw[0] // 5 : 3 * size_hw[0] // 5] = numbered(number, (size_hw[0] // 5, size_hw[1]))
    return picture


def number_of(frame: Frame) -> int:
    """Return the number that a frame tells."""
    middle = frame.luma()[frame.size_hw[0] // 2]
    bits = [middle[int((i + 0.5) * len(middle) / STRIPES)] > 127 for i in range(STRIPES)]
    return int("".join(str(int(bit)) for bit in bits), 2)


def write_h264(path: Path, pictures: Iterable[Picture], *, fps: int, gop: int, b_frames: int = 0) -> Path:
    """Write pictures (H, W, 3) as H.264 to a file."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "bf": str(b_frames), "g": str(gop), "sc_threshold": "0", "crf": "20"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        pictures = list(pictures)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path
