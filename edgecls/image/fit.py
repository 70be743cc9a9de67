"""Bring pictures to the input of a model.

Training, calibration, evaluation and runtime all shrink, convert and place a picture in the same way, so they cannot treat a
pixel differently. Pictures are always read in colour and converted to gray here, because the gray of a JPEG decoder
differs from `gray` by a few levels, enough to change a score. Of a video frame, only the pixels that are seen are taken, and
converted when they have the size of the model (`Frame.part`), which is closer to the exact result than OpenCV's conversion of
the whole. Files are read in `edgecls.image.reading`.
"""

from __future__ import annotations

import numpy as np

from edgecls.errors import DataError
from edgecls.frame import FULL_RANGE, Box, Frame, Picture
from edgecls.image.color import colored, from_rgb, gray
from edgecls.image.placing import scaled
from edgecls.image.shrink import resized
from edgecls.input_spec import InputSpec

_LETTERBOX_GRAY = 114  # the border that most training frameworks use, so adopted models see what they were trained on


def fit_region(frame: Frame, box: Box, spec: InputSpec) -> Picture:
    """Crop a box from a frame and bring it to the input of a model, like `fit`, but converting only the pixels that are needed.

    The part is cut out of the sharpest picture that there is.

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
    check_inside(box, frame.size_hw)
    seen, size_hw = _view(box, spec)
    picture = frame.part(seen, size_hw, spec.color, spec.interpolation)
    if picture is None and spec.color == "gray":
        picture = _brought(crop(frame.plane(), seen), size_hw, spec, limited=frame.limited)
    elif picture is None:
        picture = _brought(crop(frame.bgr(), seen), size_hw, spec)
    return _placed(picture, spec)


def cut_out(frame: Frame, box: Box) -> Picture:
    """Return a part of a frame in its own size, (H, W, 3) uint8 blue-green-red, of the pixels that a model sees.

    Raises:
        DataError: The box is empty or not inside the frame.
    """
    check_inside(box, frame.size_hw)
    left, top, right, bottom = box
    picture = frame.part(box, (bottom - top, right - left), "bgr", "area")
    return crop(frame.bgr(), box) if picture is None else picture


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
    check_inside(box, picture.shape[:2])
    left, top, right, bottom = box
    return picture[top:bottom, left:right]


def check_inside(box: Box, size_hw: tuple[int, int]) -> None:
    """Raise DataError if a box is empty, or not inside a picture of this height and width."""
    height, width = size_hw
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise DataError(f"box {tuple(box)} does not lie inside the picture of {width}x{height}")


def fit(picture: Picture, spec: InputSpec, *, limited: bool = False) -> Picture:
    """Bring a picture of any size to the input of a model.

    Limited range is expanded after shrinking, when there are fewer pixels. The result is the same, because expansion is linear.

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
    height, width = picture.shape[:2]
    seen, size_hw = _view(Box(0, 0, width, height), spec)
    if spec.color == "gray" and picture.ndim == 3:
        picture = gray(picture)
    elif spec.color != "gray" and picture.ndim == 2:
        picture = colored(picture)
    return _placed(_brought(crop(picture, seen), size_hw, spec, limited=limited), spec)


def _brought(picture: Picture, size_hw: tuple[int, int], spec: InputSpec, *, limited: bool = False) -> Picture:
    """Bring gray or blue-green-red to a size, to full range, and to the order of channels of a model."""
    picture = resized(picture, *size_hw, spec.interpolation)
    if limited:
        picture = FULL_RANGE[picture]
    return from_rgb(picture) if spec.color == "rgb" else picture


def _view(box: Box, spec: InputSpec) -> tuple[Box, tuple[int, int]]:
    """Return the part of a box that a model sees, and the height and width that it has in the input."""
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    if spec.fit == "letterbox":
        scale = min(spec.height / height, spec.width / width)
        return box, (max(1, round(height * scale)), max(1, round(width * scale)))
    if spec.fit == "center-crop":
        scale = min(height / spec.height, width / spec.width)
        inner_h, inner_w = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
        top, left = top + (height - inner_h) // 2, left + (width - inner_w) // 2
        box = Box(left, top, left + inner_w, top + inner_h)
    return box, (spec.height, spec.width)


def _placed(picture: Picture, spec: InputSpec) -> Picture:
    """Put a picture in the middle of the input, if it does not fill it."""
    height, width = picture.shape[:2]
    if (height, width) != (spec.height, spec.width):
        canvas = np.full((spec.height, spec.width, *picture.shape[2:]), _LETTERBOX_GRAY, np.uint8)
        top, left = (spec.height - height) // 2, (spec.width - width) // 2
        canvas[top : top + height, left : left + width] = picture
        picture = canvas
    return picture.reshape(spec.shape)
