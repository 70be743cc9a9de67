"""Synthetic outliers: training pictures that belong to no class, so that the network learns to be unsure of unknown things.

Networks are overconfident on things that they have never seen, unless some are shown in training with the target "all classes
equally likely" (outlier exposure, Hendrycks et al. 2019). Since nobody has pictures of everything else, they are generated:
fragments of the training pictures, which have their colours and textures but no whole object, and drawn lines, shapes and
letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abdefghkmnqrt?!&%+#"
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def make(pictures: NDArray[np.uint8], kinds: Sequence[str], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make an outlier from each picture.

    Args:
        pictures: (N, H, W, C) uint8.
        kinds: Keys of KINDS to draw from.
        rng: Draws the kind and everything else.

    Returns:
        (N, H, W, C) uint8.
    """
    chosen = [KINDS[kinds[i]] for i in rng.integers(0, len(kinds), len(pictures)).tolist()]
    return np.stack([kind(picture, pictures, rng) for kind, picture in zip(chosen, pictures, strict=True)])


def _shuffled(picture: Picture, others: NDArray[np.uint8], rng: np.random.Generator) -> Picture:  # noqa: ARG001
    """Cut the picture into 3x3 or 4x4 tiles and shuffle them."""
    height, width = picture.shape[:2]
    tiles = int(rng.integers(3, 5))
    rows, columns = np.linspace(0, height, tiles + 1).astype(int), np.linspace(0, width, tiles + 1).astype(int)
    made = picture.copy()
    for position, source in enumerate(rng.permutation(tiles * tiles).tolist()):
        (row, column), (from_row, from_column) = divmod(position, tiles), divmod(source, tiles)
        target = made[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
        tile = picture[rows[from_row] : rows[from_row + 1], columns[from_column] : columns[from_column + 1]]
        target[:] = _resized(tile, target.shape)
    return made


def _part(picture: Picture, others: NDArray[np.uint8], rng: np.random.Generator) -> Picture:  # noqa: ARG001
    """Enlarge a part, a fifth to two fifths of each side, from along the upper or lower border."""
    height, width = picture.shape[:2]
    share = rng.uniform(0.2, 0.4)
    tall, wide = max(2, round(share * height)), max(2, round(share * width))
    top, left = (height - tall) * rng.integers(2), rng.integers(0, width - wide + 1)
    return _resized(picture[top : top + tall, left : left + wide], picture.shape)


def _patchwork(picture: Picture, others: NDArray[np.uint8], rng: np.random.Generator) -> Picture:
    """Assemble four quarters of random pictures, each moved to another corner."""
    height, width = picture.shape[:2]
    middle_y, middle_x = height // 2, width // 2
    corners = [(y, x) for y in (0, height - middle_y) for x in (0, width - middle_x)]
    made = picture.copy()
    for i, (top, left) in enumerate(corners):
        other = others[rng.integers(len(others))]
        from_top, from_left = corners[(i + rng.integers(1, 4)) % 4]
        made[top : top + middle_y, left : left + middle_x] = other[
            from_top : from_top + middle_y, from_left : from_left + middle_x
        ]
    return made


def _shapes(picture: Picture, others: NDArray[np.uint8], rng: np.random.Generator) -> Picture:  # noqa: ARG001
    """Draw a few lines and polygons on a gradient."""
    made = _gradient(picture.shape, rng)
    height, width = picture.shape[:2]
    for _ in range(rng.integers(1, 6)):
        corners = (rng.uniform(-0.2, 1.2, (rng.integers(2, 6), 2)) * (width, height)).astype(np.int32)
        level = rng.integers(0, 256, picture.shape[2]).tolist()
        if len(corners) > 2 and rng.uniform() < 0.5:
            cv2.fillPoly(made, [corners], level, cv2.LINE_AA)
        else:
            cv2.polylines(made, [corners], False, level, int(rng.integers(1, max(2, width // 8))), cv2.LINE_AA)
    return _as_from_camera(made, picture.shape, rng)


def _letters(picture: Picture, others: NDArray[np.uint8], rng: np.random.Generator) -> Picture:  # noqa: ARG001
    """Draw one or two large letters, light on dark or dark on light."""
    made = _gradient(picture.shape, rng)
    height, width = picture.shape[:2]
    text = "".join(LETTERS[i] for i in rng.integers(0, len(LETTERS), 1 + (rng.uniform() < 0.25)))
    font, thick = _FONTS[rng.integers(len(_FONTS))], max(1, round(height * rng.uniform(0.03, 0.14)))
    (wide, tall), _ = cv2.getTextSize(text, font, 1, 1)
    scale = rng.uniform(0.6, 1.05) * min(height / tall, width / wide)
    left, base = (width - wide * scale) / 2, (height + tall * scale) / 2
    shift = rng.uniform(-0.12, 0.12, 2) * (width, height)
    level = rng.integers(0, 100) if made.mean() > 128 else rng.integers(156, 256)
    origin = (int(left + shift[0]), int(base + shift[1]))
    cv2.putText(made, text, origin, font, scale, [int(level)] * picture.shape[2], thick, cv2.LINE_AA)
    return _as_from_camera(made, picture.shape, rng)


KINDS: dict[str, Callable[[Picture, NDArray[np.uint8], np.random.Generator], Picture]] = {
    "shuffled": _shuffled,
    "part": _part,
    "patchwork": _patchwork,
    "shapes": _shapes,
    "letters": _letters,
}
"""The kinds of outliers by name: (picture, all pictures of the batch, rng) -> outlier."""


def _gradient(shape: tuple[int, ...], rng: np.random.Generator) -> Picture:
    height, width, channels = shape
    one, other = rng.uniform(0, 255, (2, channels))
    along = np.linspace(0, 1, width)[None, :, None] if rng.uniform() < 0.5 else np.linspace(0, 1, height)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(one + (other - one) * along * rng.uniform(), shape).astype(np.uint8))


def _as_from_camera(made: Picture, shape: tuple[int, ...], rng: np.random.Generator) -> Picture:
    """Add slight blur and noise, as a camera does."""
    blurred = cv2.GaussianBlur(made, (0, 0), 0.01 + rng.uniform(0, 0.04) * shape[1]).reshape(shape)
    noise = rng.standard_normal(shape, np.float32) * rng.uniform(0, 12)
    return cast("Picture", np.clip(blurred + noise, 0, 255).astype(np.uint8))


def _resized(tile: Picture, shape: tuple[int, ...]) -> Picture:
    grid = [np.linspace(0, have - 1, want).round().astype(int) for have, want in zip(tile.shape[:2], shape[:2], strict=True)]
    return cast("Picture", tile[np.ix_(*grid)])
