"""Make `Frame` objects from PyAV's decoded frames.

A grayscale model reads the decoder's Y plane directly, without conversion or copy. OpenCV's reader converts every frame to
colour first, which takes about as long as decoding it and is useless for such a model.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import image
from edgecls.errors import SourceError
from edgecls.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Picture

BITS_OF = {
    **dict.fromkeys(("gray", "nv12", "nv21", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"), 8),
    **dict.fromkeys(("gray10le", "yuv420p10le", "yuv422p10le", "yuv444p10le"), 10),
    **dict.fromkeys(("gray12le", "yuv420p12le", "yuv422p12le", "yuv444p12le"), 12),
    **dict.fromkeys(("p010le", "p210le", "p410le", "p012le", "p016le", "gray16le"), 16),  # the value in the upper bits
}
"""Pixel formats whose first plane is the gray picture, with their bits per level. Others are converted."""
FULL_RANGE_FORMATS = frozenset({"gray", "gray10le", "gray12le", "gray16le", "yuvj420p", "yuvj422p", "yuvj444p"})
FULL_RANGE = 2  # AVCOL_RANGE_JPEG


AVERAGED = 0x20 | 0x2000 | 0x40000
"""SWS_AREA | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND: each pixel is the average of its area, as exactly as FFmpeg can."""


class Scaler:
    """FFmpeg's scaler, which computes its tables once per size and format. It may be used from several threads."""

    def __init__(self, av: Any) -> None:
        """Take PyAV."""
        self._av = av
        self._kept: dict[tuple[int, int, str], Any] = {}
        knows_threads = int(av.__version__.split(".")[0]) >= 17
        self._options: dict[str, int] = {"threads": 1} if knows_threads else {}  # more threads would take the decoder's cores
        self._turn = threading.Lock()

    def picture(self, decoded: Any, height: int, width: int, pixels: str) -> Picture:
        """Return a decoded frame in another size or pixel format, "gray" or "bgr24"."""
        options = dict(self._options)
        if (height, width) != (decoded.height, decoded.width):
            options["interpolation"] = AVERAGED
        with self._turn:
            scaler = self._kept.setdefault((height, width, pixels), self._av.video.reformatter.VideoReformatter())
            made = scaler.reformat(decoded, width, height, pixels, **options)
        return np.asarray(made.to_ndarray(), np.uint8)


def as_frame(
    decoded: Any, scaler: Scaler, camera: str, index: int, time_s: float, captured_at: float, rotation: int | None = None
) -> Frame:
    """Make an upright frame from a decoded one. Colour, gray and smaller pictures are made on first use.

    Phones store the orientation with the pictures; `rotation` is for decoders that do not pass it on.
    """
    turns = round(((getattr(decoded, "rotation", 0) if rotation is None else rotation) or 0) / 90) % 4
    size_hw = (decoded.width, decoded.height) if turns % 2 else (decoded.height, decoded.width)

    def made(make: Callable[[], Picture]) -> Picture:
        try:
            return _turned(make(), turns)
        except (ValueError, ArithmeticError, MemoryError, RuntimeError, OSError) as error:
            why = f"{decoded.format.name}, {decoded.width}x{decoded.height}"
            raise SourceError(f"{camera}: frame {index} cannot be converted to a picture ({why})") from error

    def shrunk(height: int, width: int, color: str) -> Picture:
        size = (width, height) if turns % 2 else (height, width)
        return made(lambda: scaler.picture(decoded, *size, "gray" if color == "gray" else "bgr24"))

    return Frame(
        camera,
        index,
        time_s=time_s,
        captured_at=captured_at,
        size_hw=size_hw,
        bgr=lambda: made(lambda: scaler.picture(decoded, decoded.height, decoded.width, "bgr24")),
        plane=lambda: made(lambda: luma(decoded)),
        shrunk=shrunk,
        limited=decoded.format.name in BITS_OF.keys() - FULL_RANGE_FORMATS and decoded.color_range != FULL_RANGE,
    )


def luma(decoded: Any) -> Picture:
    """Return the Y plane in 8 bits if it is the gray picture; otherwise convert to gray, full range."""
    bits = BITS_OF.get(decoded.format.name)
    if bits is None:
        return image.gray(decoded.to_ndarray(format="bgr24"))
    plane = decoded.planes[0]
    if bits == 8:
        return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: decoded.height, : decoded.width]
    levels = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
    return image.in_8_bits(levels[: decoded.height, : decoded.width], bits)


def _turned(picture: Picture, turns: int) -> Picture:
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
