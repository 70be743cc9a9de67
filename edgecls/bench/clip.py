"""The clip that is measured with: what an IP camera would send."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

FPS = 25
KEY_FRAME_EVERY_S = 2.0


def write_clip(path: Path, *, width: int = 1920, height: int = 1080, seconds: float = 4.0) -> Path:
    """Draw a clip like that of an IP camera: 25 frames/s, H.264 main at 4 Mbit/s, no B-frames, a key frame every 2 s.

    It shows a moving texture with noise, because an empty picture would be decoded much faster.
    """
    av = ffmpeg.load("Drawing a clip")
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (height // 8 + 64, width // 8 + 64), np.uint8)
    texture = np.repeat(np.repeat(coarse, 8, 0), 8, 1)
    noise = rng.integers(0, 8, (2 * height, 2 * width), np.uint8)
    options = {"profile": "main", "preset": "veryfast", "bf": "0", "g": str(round(KEY_FRAME_EVERY_S * FPS))}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for index in range(round(seconds * FPS)):
            x, y = 3 * index % 500, index % 500
            down, right = rng.integers(0, (height, width))
            luma = texture[y : y + height, x : x + width] + noise[down : down + height, right : right + width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
