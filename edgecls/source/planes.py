"""Parts of a decoded picture, made of only those pixels of its planes that they show.

A video decoder gives a picture as planes: gray (Y), and two of colour (U and V), which are mostly half as high and wide.
Converting all of a 1080p picture to blue-green-red takes as long as decoding it. So a part is cut out of each plane, without a
copy, brought to the size that is wanted, and only then converted: mixing colours is linear, so the result is the same but for
rounding, and nearer to the exact one than that of the fast conversions of FFmpeg and OpenCV.

Planes are shrunk by FFmpeg's scaler, which averages as exactly as OpenCV's INTER_AREA and takes a third of the time, or less.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgecls import image
from edgecls.frame import FULL_RANGE, Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Picture
    from edgecls.image.planes import Weights
    from edgecls.input_spec import Color, Interpolation

    Resize = Callable[[Picture, tuple[int, int], Interpolation], Picture]


class Layout(NamedTuple):
    """How the planes of a pixel format lie in memory.

    Attributes:
        bits: Of a level: 8, or those that are used of two bytes; 16 if the value is in the upper bits.
        down: The rows of gray to one of colour; 0 for a format without colour.
        across: The columns of gray to one of colour; 0 for a format without colour.
        pairs: "uv" or "vu" if the colours lie in one plane in turns; "" if each has its own.
    """

    bits: int
    down: int = 0
    across: int = 0
    pairs: str = ""


LAYOUTS = {
    "gray": Layout(8),
    "gray10le": Layout(10),
    "gray12le": Layout(12),
    "gray16le": Layout(16),
    **{
        f"{kind}{shape}p{end}": Layout(bits, down, across)
        for shape, down, across in (("420", 2, 2), ("422", 1, 2), ("444", 1, 1))
        for kind, end, bits in (("yuv", "", 8), ("yuvj", "", 8), ("yuv", "10le", 10), ("yuv", "12le", 12))
    },
    "nv12": Layout(8, 2, 2, "uv"),
    "nv21": Layout(8, 2, 2, "vu"),
    "nv16": Layout(8, 1, 2, "uv"),
    **{f"p0{bits}le": Layout(16, 2, 2, "uv") for bits in (10, 12, 16)},
    "p210le": Layout(16, 1, 2, "uv"),
    "p410le": Layout(16, 1, 1, "uv"),
}
"""Pixel formats whose first plane is the gray picture. Pictures in others are converted."""

BT_601, BT_709, FCC, SMPTE_240, BT_2020 = (0.299, 0.114), (0.2126, 0.0722), (0.30, 0.11), (0.212, 0.087), (0.2627, 0.0593)
"""The weights of red and blue in gray."""
WEIGHTS: dict[int, Weights] = {1: BT_709, 2: BT_601, 4: FCC, 5: BT_601, 6: BT_601, 7: SMPTE_240, 9: BT_2020, 10: BT_2020}
"""By the number that streams carry (ITU-T H.273, MatrixCoefficients). A stream that names none (2) has those of BT.601 in high
definition too. Players assume BT.709 for it; FFmpeg and OpenCV do not, and it is their pictures that models are trained on."""


def luma(decoded: Any) -> Picture:
    """Return the Y plane in 8 bits if it is the gray picture, as a view where it has them; otherwise convert to full range."""
    layout = LAYOUTS.get(decoded.format.name)
    if layout is None:
        return image.gray(decoded.to_ndarray(format="bgr24"))
    return _levels(decoded, 0, Box(0, 0, decoded.width, decoded.height), layout.bits)


def part(decoded: Any, box: Box, size_hw: tuple[int, int], color: Color, interpolation: Interpolation,
         resize: Resize, *, limited: bool) -> Picture | None:  # fmt: skip
    """Return a part of a decoded picture in the size and colour of a model.

    Args:
        decoded: An av.VideoFrame.
        box: The part, in pixels.
        size_hw: Height and width of the result.
        color: "gray", "rgb" or "bgr".
        interpolation: "area" or "linear".
        resize: What brings one plane, (H, W) uint8, to another size.
        limited: Whether the levels of the Y plane go from 16 to 235.

    Returns:
        (height, width) gray, or (height, width, 3) in the order of `color`, uint8, full range. None if the pixel format or its
        colours have no known planes.
    """
    layout = LAYOUTS.get(decoded.format.name)
    if layout is None:
        return None
    gray = resize(_levels(decoded, 0, box, layout.bits), size_hw, interpolation)
    if color == "gray" or not layout.down:
        gray = FULL_RANGE[gray] if limited else gray
        return gray if color == "gray" else image.colored(gray)
    weights = WEIGHTS.get(int(decoded.colorspace))
    if weights is None:
        return None
    rows = _Samples.of(box.top, box.bottom, layout.down, decoded.height)
    columns = _Samples.of(box.left, box.right, layout.across, decoded.width)
    cut = Box(columns.begin, rows.begin, columns.end, rows.end)
    u, v = (_brought(plane, rows, columns, size_hw, interpolation, resize) for plane in _chroma(decoded, cut, layout))
    return image.from_planes(gray, u, v, weights, color, limited=limited)


class _Samples(NamedTuple):
    """Which samples of colour belong to some rows or columns of a picture.

    Attributes:
        begin: The first sample.
        end: One past the last sample that is needed.
        is_between: Whether the part begins in the middle of a sample, so that the means of neighbours belong to it.
        covering: How many samples, or fractions of one, cover the part.
    """

    begin: int
    end: int
    is_between: bool
    covering: float

    @classmethod
    def of(cls, first: int, last: int, each: int, whole: int) -> _Samples:
        """Find those of the rows `first` to `last` (exclusive) of `whole`."""
        begin, covering, is_between = first // each, (last - first) / each, first % each > 0
        end = min(begin + math.ceil(covering) + is_between, math.ceil(whole / each))
        return cls(begin, end, is_between, covering)


def _brought(samples: Picture, rows: _Samples, columns: _Samples, size_hw: tuple[int, int], interpolation: Interpolation,
             resize: Resize) -> Picture:  # fmt: skip
    """Bring the samples of colour that cover a part to its size.

    A part may end in the middle of a sample. Enlarging is exact then too; when shrinking, half a sample is less than a pixel.
    """
    samples = image.between(samples, down=rows.is_between, across=columns.is_between)
    down, across = size_hw[0] / rows.covering, size_hw[1] / columns.covering
    if interpolation == "linear" or min(down, across) >= 1:
        return image.enlarged_by(samples, down, across, size_hw)
    cut = samples[: math.ceil(rows.covering), : math.ceil(columns.covering)]
    return resize(cut, size_hw, interpolation)


def _chroma(decoded: Any, box: Box, layout: Layout) -> tuple[Picture, Picture]:
    """Return U and V inside a box of their own samples."""
    if not layout.pairs:
        return _levels(decoded, 1, box, layout.bits), _levels(decoded, 2, box, layout.bits)
    first, second = image.channels(_levels(decoded, 1, box, layout.bits, each=2))
    return (first, second) if layout.pairs == "uv" else (second, first)


def _levels(decoded: Any, number: int, box: Box, bits: int, each: int = 1) -> Picture:
    """Return a box of a plane as 8 bits: (H, W), or (H, W, `each`) uint8 if several levels belong to a sample."""
    plane = decoded.planes[number]
    columns = slice(box.left * each, box.right * each)
    if bits == 8:
        levels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[box.top : box.bottom, columns]
    else:
        wide = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)[box.top : box.bottom, columns]
        levels = image.in_8_bits(wide, bits)
    return levels.reshape(len(levels), -1, each) if each > 1 else levels
