"""Bring pictures to the input of a model.

Training, calibration, evaluation and runtime all call the same `fit`, so they cannot treat a pixel differently. Colour is
converted before shrinking. Pictures are always read in colour and converted to gray here, because the gray of a JPEG decoder
differs from `gray` by a few levels, enough to change a score. Video frames may be shrunk by the scaler of the decoder
(`fit_region`), which is closer to the exact result than OpenCV's colour conversion. Files are read in `edgecls.image.reading`.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from edgecls.errors import DataError
from edgecls.frame import FULL_RANGE, Box, Frame, Picture
from edgecls.image.color import colored, from_rgb, gray
from edgecls.image.opencv import cv2
from edgecls.image.placing import scaled
from edgecls.image.shrink import in_whole_columns, shrink
from edgecls.input_spec import InputSpec

SCALED_FROM = 2
"""When shrinking by at least this factor, the scaler of the decoder averages like INTER_AREA."""
_LETTERBOX_GRAY = 114  # the border that most training frameworks use, so adopted models see what they were trained on


def fit_region(frame: Frame, box: Box, spec: InputSpec) -> Picture:
    """Crop a box from a frame and bring it to the input of a model, like `fit`, converting only the pixels that are needed.

    A whole frame is shrunk by the scaler of the decoder if its colour is needed, or if its gray columns cannot be summed: ten
    times as fast as INTER_AREA, with a mean difference below 1.5 levels. A part of a frame is cut out of the main stream's
    picture, if the camera has two streams and that one is decoded.

    Args:
        frame: The frame.
        box: The part of it, in pixels.
        spec: The input of the model.

    Returns:
        (height, width, channels) uint8 as `spec` says.

    Raises:
        DataError: The box is empty or not inside the frame.
    """
    frame, box = sharpest(frame, box)
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


def sharpest(frame: Frame, box: Box) -> tuple[Frame, Box]:
    """Return the frame to cut a part from, and its box there: of a camera with two streams the main frame, if there is one.

    A whole frame stays itself, because it is only shrunk.
    """
    sharp, (height, width) = frame.sharp, frame.size_hw
    if sharp is None or box == (0, 0, width, height):
        return frame, box
    return sharp, scaled(box, frame.size_hw, sharp.size_hw)


def overview(frame: Frame, width: int) -> Picture:
    """Return a gray overview of a frame, at most `width` pixels wide. It is computed once per frame and width.

    Returns:
        (H, W) uint8, full range, read-only.
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
    """Wrap a decoded picture in a frame.

    Args:
        bgr: (H, W, 3) uint8 blue-green-red. Gray is computed when it is needed.
        camera: The name of the camera.
        index: The number of the frame, from 0.
        time_s: Media time in seconds.
        captured_at: Unix time in seconds.
        file: The file that the picture is from, if any.

    Example:
        frame = as_frame(load("door.jpg"), "door", 0, time_s=0.0, captured_at=time.time())
    """
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
    """Return the part of a picture inside a box, as a view.

    Args:
        picture: (H, W) or (H, W, C).
        box: Left, top, right, bottom in pixels; right and bottom are exclusive.

    Raises:
        DataError: The box is empty or not inside the picture.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise DataError(f"box {tuple(box)} does not lie inside the picture of {width}x{height}")
    return picture[top:bottom, left:right]


def fit(picture: Picture, spec: InputSpec, *, limited: bool = False) -> Picture:
    """Bring a picture of any size to the input of a model.

    Limited range is expanded after shrinking, when there are fewer pixels. The result is the same, because expansion is linear
    and leaves the gray of a letterbox border unchanged.

    Args:
        picture: (H, W) gray or (H, W, 3) blue-green-red, uint8.
        spec: The size, colour, fit and interpolation that the model expects.
        limited: Whether a gray picture has limited range (16..235) instead of full range.

    Returns:
        (height, width, channels) uint8 in the channel order of `spec`.

    Raises:
        DataError: The array has another shape or dtype.

    Example:
        pixels = fit(load("stop.png"), InputSpec(32, 32, color="gray"))  # (32, 32, 1) uint8
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
    """Return the largest size with the aspect ratio of a picture that fits inside the input."""
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
    """Return the size to which a whole picture is shrunk by averaging; None if it is not, or by less than SCALED_FROM."""
    small = {"stretch": (spec.height, spec.width), "letterbox": _inside(size_hw, spec)}.get(spec.fit)
    if small is None or spec.interpolation != "area" or min(size_hw[0] / small[0], size_hw[1] / small[1]) < SCALED_FROM:
        return None
    return small


def _resize(picture: Picture, height: int, width: int, interpolation: str) -> Picture:
    """Resize each axis by averaging to shrink, and linearly to enlarge (INTER_AREA enlarges like nearest neighbour)."""
    if interpolation == "area":
        picture = shrink(picture, min(height, picture.shape[0]), min(width, picture.shape[1]))
    if (height, width) != picture.shape[:2]:
        picture = cast("Picture", cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR))
    return picture
