"""Every pixel rule of the project, once.

Trainer, calibrator, evaluator and runtime call the same `fit`, so there is no second place where a pixel can be
treated differently. Colour conversion comes before shrinking, and a picture is always read in colour and made gray
here: a JPEG decoder's own gray differs from `gray` by a few levels, enough to move a score. Frames of a video decoder may be
shrunk by its own scaler (`fit_region`), which is nearer to the exact picture than OpenCV's colour conversion is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls.card import InputSpec
from edgecls.errors import DataError
from edgecls.frame import FULL_RANGE, Box, Frame, Picture
from edgecls.image.opencv import cv2
from edgecls.image.opencv import keep_opencv_to_one_thread as keep_opencv_to_one_thread
from edgecls.image.opencv import quiet_opencv as quiet_opencv
from edgecls.image.shrink import in_whole_columns, shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset(
    [
        ".avif",
        ".bmp",
        ".dib",
        ".exr",
        ".gif",
        ".hdr",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".pic",
        ".png",
        ".pnm",
        ".ppm",
        ".ras",
        ".sr",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
"""Endings of the pictures that OpenCV reads."""

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
SCALED_FROM = 2
"""From this factor on, the decoder's scaler averages as INTER_AREA does."""
_LETTERBOX_GRAY = 114  # the border that most trainers use, so that adopted models see what they know


def load(path: str | Path) -> Picture:
    """Read a picture file: (H, W, 3) uint8 blue-green-red, turned upright by its EXIF orientation.

    Raises DataError for a file that is missing, is no picture, or ends too early.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return decode(data, str(path))


_HALVED = (cv2.IMREAD_COLOR, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_8)


def decode(data: bytes, where: str, *, halvings: int = 0) -> Picture:
    """Decode the bytes of a picture file as `load` does; `where` names it in errors.

    With `halvings` (0 to 3) each side is halved so often; of a JPEG that much less is computed.
    """
    if not data:
        raise DataError(f"{where}: the file is empty, expected a picture")
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise DataError(f"{where}: the JPEG is cut off after {len(data)} bytes; copy it again")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), _HALVED[halvings])
    except cv2.error as error:
        raise DataError(f"{where}: OpenCV cannot decode it ({error.err})") from error
    if picture is None:
        raise DataError(f"{where}: not a picture that OpenCV can decode ({len(data)} bytes)")
    return cast("Picture", picture)


def encode_png(picture: Picture) -> bytes:
    """(H, W), (H, W, 1) or (H, W, 3) uint8 -> the bytes of a PNG, which keeps every level and the order of the channels."""
    return bytes(cv2.imencode(".png", picture)[1])


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """Encode a picture as a JPEG of a quality of 1 to 100."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def decode_as_stored(data: bytes, where: str) -> Picture:
    """Decode what `encode_png` made: (H, W) or (H, W, 3) uint8."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None:
        raise DataError(f"{where}: holds a picture that OpenCV cannot decode ({len(data)} bytes)")
    return cast("Picture", picture)


def gray(bgr: Picture) -> Picture:
    """(H, W, 3) uint8 blue-green-red -> (H, W) uint8 luma, full range (BT.601 weights)."""
    return cast("Picture", cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))


def colored(luma: Picture) -> Picture:
    """(H, W) uint8 -> (H, W, 3) uint8 with three equal channels."""
    return cast("Picture", cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR))


def in_8_bits(levels: NDArray[np.uint16], bits: int) -> Picture:
    """(H, W) uint16 with levels of so many bits -> (H, W) uint8."""
    return cast("Picture", cv2.convertScaleAbs(levels, alpha=1 / (1 << bits - 8)))


def from_rgb(rgb: Picture) -> Picture:
    """(H, W, 3) uint8 red-green-blue <-> blue-green-red."""
    return cast("Picture", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def fit_region(frame: Frame, box: Box, spec: InputSpec) -> Picture:
    """Bring a part of a frame to a model's input as `fit` does, from those pixels alone that the model needs.

    Colour of a whole frame is shrunk by the decoder's own scaler, and so is the gray picture where adding up whole columns
    is no way: ten times as fast as INTER_AREA, and within 1.5 levels of it in the mean.
    """
    height, width = frame.size_hw
    gray_model = spec.color == "gray"
    small = _small_hw(frame.size_hw, spec) if box == (0, 0, width, height) else None
    if small is not None and not (gray_model and in_whole_columns(width, small[1])):
        shrunk = frame.shrunk(*small, "gray" if gray_model else "bgr")
        if shrunk is not None:
            return fit(shrunk, spec)
    if gray_model:
        return fit(crop(frame.plane(), box), spec, limited=frame.limited)
    return fit(crop(frame.bgr(), box), spec)


def overview(frame: Frame, width: int) -> Picture:
    """Return all of a frame in gray, shrunk to `width` pixels if it is wider: (H, W) uint8, full range, read-only. It is made
    once for a frame, whoever asks.
    """
    picture = frame.overviews.get(width)
    if picture is None:
        high, wide = frame.size_hw
        small = min(wide, width)
        picture = fit_region(frame, Box(0, 0, wide, high), InputSpec(max(1, round(high * small / wide)), small))[..., 0]
        picture.flags.writeable = False
        frame.overviews[width] = picture
    return picture


def as_frame(bgr: Picture, camera: str, index: int, *, time_s: float, captured_at: float, file: str = "") -> Frame:
    """A frame of a picture that is decoded to colour already: (H, W, 3) uint8; its luma is made when it is asked for."""
    return Frame(
        camera,
        index,
        time_s=time_s,
        captured_at=captured_at,
        size_hw=(bgr.shape[0], bgr.shape[1]),
        bgr=lambda: bgr,
        plane=lambda: gray(bgr),
        file=file,
    )


def crop(picture: Picture, box: Box) -> Picture:
    """Cut `box` out of a picture, without a copy. The box must lie inside and hold a pixel."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise DataError(f"box {tuple(box)} does not lie inside the picture of {width}x{height}")
    return picture[top:bottom, left:right]


def fit(picture: Picture, spec: InputSpec, *, limited: bool = False) -> Picture:
    """Bring a picture of any size to a model's input.

    `picture`: (H, W) gray or (H, W, 3) blue-green-red, uint8, full range; a gray one of levels 16..235 if `limited`, which
    is stretched when it is small already (it is linear, and the border of a letterbox is a fixed point of it). Returns
    (height, width, channels) uint8 in the colour order of `spec`. Raises DataError for any other array.
    """
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.size == 0 or not (picture.ndim == 2 or picture.shape[2:] == (3,)):
        raise DataError(f"expected a uint8 picture (H, W) or (H, W, 3), found {picture.dtype} {picture.shape}")
    if spec.color == "gray" and picture.ndim == 3:
        picture = gray(picture)
    elif spec.color != "gray" and picture.ndim == 2:
        picture = colored(picture)
    picture = _FITS[spec.fit](picture, spec)
    if limited:
        picture = FULL_RANGE[picture]
    if spec.color == "rgb":
        picture = from_rgb(picture)
    return picture.reshape(spec.shape)


def _stretch(picture: Picture, spec: InputSpec) -> Picture:
    return _resize(picture, spec.height, spec.width, spec.interpolation)


def _letterbox(picture: Picture, spec: InputSpec) -> Picture:
    inner_h, inner_w = _inside(picture.shape[:2], spec)
    canvas = np.full((spec.height, spec.width, *picture.shape[2:]), _LETTERBOX_GRAY, np.uint8)
    top, left = (spec.height - inner_h) // 2, (spec.width - inner_w) // 2
    canvas[top : top + inner_h, left : left + inner_w] = _resize(picture, inner_h, inner_w, spec.interpolation)
    return canvas


def _inside(size_hw: tuple[int, int], spec: InputSpec) -> tuple[int, int]:
    """The size of a picture that keeps its shape inside the input."""
    height, width = size_hw
    scale = min(spec.height / height, spec.width / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _center_crop(picture: Picture, spec: InputSpec) -> Picture:
    height, width = picture.shape[:2]
    scale = min(height / spec.height, width / spec.width)
    inner_h, inner_w = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    return _stretch(crop(picture, Box(left, top, left + inner_w, top + inner_h)), spec)


_FITS = {"stretch": _stretch, "letterbox": _letterbox, "center-crop": _center_crop}


def _small_hw(size_hw: tuple[int, int], spec: InputSpec) -> tuple[int, int] | None:
    """What the whole of a picture of this size is averaged down to, if it is that and not by little."""
    small = {"stretch": (spec.height, spec.width), "letterbox": _inside(size_hw, spec)}.get(spec.fit)
    if small is None or spec.interpolation != "area" or min(size_hw[0] / small[0], size_hw[1] / small[1]) < SCALED_FROM:
        return None
    return small


def _resize(picture: Picture, height: int, width: int, interpolation: str) -> Picture:
    """INTER_AREA averages when it shrinks, and is nearly nearest-neighbour when it enlarges: an axis that grows is
    interpolated linearly instead, after the other has shrunk.
    """
    if interpolation == "area":
        picture = shrink(picture, min(height, picture.shape[0]), min(width, picture.shape[1]))
    if (height, width) != picture.shape[:2]:
        picture = cast("Picture", cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR))
    return picture
