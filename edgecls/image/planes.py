"""Mix colour pictures of the planes of video: gray (Y) and two differences of colour (U and V)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

Weights: TypeAlias = tuple[float, float]
"""The weights of red and blue in gray. The rest is that of green."""


def from_planes(
    y: Picture, u: Picture, v: Picture, weights: Weights, order: Literal["rgb", "bgr"], *, limited: bool
) -> Picture:
    """Mix a colour picture of three planes of the same size.

    Args:
        y: (H, W) uint8, gray.
        u: (H, W) uint8, the difference of blue and gray, 128 where there is none.
        v: (H, W) uint8, the difference of red and gray.
        weights: Those of the stream.
        order: Of the channels of the result.
        limited: Whether the levels have limited range: 16..235 for gray, 16..240 for colour; otherwise 0..255.

    Returns:
        (H, W, 3) uint8, full range.

    Source: ITU-R BT.601-7, section 2.5, and BT.709-6, section 3.
    """
    return cast("Picture", cv2.transform(cv2.merge((y, u, v)), _matrix(weights, order, limited)))


def between(picture: Picture, *, down: bool, across: bool) -> Picture:
    """Return the means of each pixel and the next one below or beside it, or both: (H, W) uint8. The last ones stay."""
    if across:
        picture = np.hstack([_mean(picture[:, :-1], picture[:, 1:]), picture[:, -1:]])
    return np.vstack([_mean(picture[:-1], picture[1:]), picture[-1:]]) if down else picture


def enlarged_by(picture: Picture, down: float, across: float, size_hw: tuple[int, int]) -> Picture:
    """Enlarge a picture by factors that need not be whole, with bilinear interpolation.

    Args:
        picture: (H, W) uint8.
        down: Along its height.
        across: Along its width.
        size_hw: The height and width to which the result is cut, or continued with its last pixels.
    """
    made = cast("Picture", cv2.resize(picture, None, fx=across, fy=down, interpolation=cv2.INTER_LINEAR))
    missing = [max(0, size - found) for size, found in zip(size_hw, made.shape, strict=True)]
    if any(missing):
        made = cast("Picture", cv2.copyMakeBorder(made, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE))
    return made[: size_hw[0], : size_hw[1]]


def channels(picture: Picture) -> tuple[Picture, ...]:
    """Return the channels of an (H, W, C) uint8 picture as pictures of their own, (H, W) each."""
    return cast("tuple[Picture, ...]", cv2.split(picture))


def _mean(one: Picture, other: Picture) -> Picture:
    return cast("Picture", cv2.addWeighted(one, 0.5, other, 0.5, 0))


@lru_cache(maxsize=32)
def _matrix(weights: Weights, order: str, limited: bool) -> NDArray[np.float32]:
    """Return (3, 4) float32: from Y, U, V and 1 to the channels."""
    red, blue = weights
    green = 1 - red - blue
    gain, color_gain, black = (255 / 219, 255 / 224, 16) if limited else (1.0, 1.0, 0)
    of_u, of_v = 2 * (1 - blue) * color_gain, 2 * (1 - red) * color_gain
    rows = np.array(
        [[gain, 0, of_v], [gain, -blue / green * of_u, -red / green * of_v], [gain, of_u, 0]],
    )  # fmt: skip
    matrix = np.column_stack([rows, -rows @ np.array([black, 128, 128])])
    return (matrix if order == "rgb" else matrix[::-1]).astype(np.float32)
