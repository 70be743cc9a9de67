"""Pictures of no class, made to be shown while training, so that a network learns to be unsure of what it was not taught.

A network is certain of things that it has never seen, unless it is shown some of them with the answer "any of all classes
alike" (outlier exposure, Hendrycks et al. 2019). Nobody has pictures of everything else, so they are made: parts of the
training pictures, which have their colours and textures but nothing whole in them, and drawn lines, shapes and letters.
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


def make(pictures: NDArray[np.uint8], kinds: Sequence[str], chance: np.random.Generator) -> NDArray[np.uint8]:
    """Make a picture of no class for each of `pictures`, (N, H, W, C) uint8, of a kind of `kinds` drawn by chance."""
    chosen = [KINDS[kinds[i]] for i in chance.integers(0, len(kinds), len(pictures)).tolist()]
    return np.stack([kind(picture, pictures, chance) for kind, picture in zip(chosen, pictures, strict=True)])


def _shuffled(picture: Picture, others: NDArray[np.uint8], chance: np.random.Generator) -> Picture:  # noqa: ARG001
    """Its nine or sixteen tiles in another order."""
    height, width = picture.shape[:2]
    tiles = int(chance.integers(3, 5))
    rows, columns = np.linspace(0, height, tiles + 1).astype(int), np.linspace(0, width, tiles + 1).astype(int)
    made = picture.copy()
    for place, source in enumerate(chance.permutation(tiles * tiles).tolist()):
        (row, column), (from_row, from_column) = divmod(place, tiles), divmod(source, tiles)
        target = made[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
        tile = picture[rows[from_row] : rows[from_row + 1], columns[from_column] : columns[from_column + 1]]
        target[:] = _sized(tile, target.shape)
    return made


def _part(picture: Picture, others: NDArray[np.uint8], chance: np.random.Generator) -> Picture:  # noqa: ARG001
    """A fifth to two fifths of its sides, somewhere along its upper or lower border, enlarged."""
    height, width = picture.shape[:2]
    share = chance.uniform(0.2, 0.4)
    tall, wide = max(2, round(share * height)), max(2, round(share * width))
    top, left = (height - tall) * chance.integers(2), chance.integers(0, width - wide + 1)
    return _sized(picture[top : top + tall, left : left + wide], picture.shape)


def _patchwork(picture: Picture, others: NDArray[np.uint8], chance: np.random.Generator) -> Picture:
    """Its quarters and those of three others, each in another corner than it was."""
    height, width = picture.shape[:2]
    middle_y, middle_x = height // 2, width // 2
    corners = [(y, x) for y in (0, height - middle_y) for x in (0, width - middle_x)]
    made = picture.copy()
    for i, (top, left) in enumerate(corners):
        other = others[chance.integers(len(others))]
        from_top, from_left = corners[(i + chance.integers(1, 4)) % 4]
        made[top : top + middle_y, left : left + middle_x] = other[
            from_top : from_top + middle_y, from_left : from_left + middle_x
        ]
    return made


def _shapes(picture: Picture, others: NDArray[np.uint8], chance: np.random.Generator) -> Picture:  # noqa: ARG001
    """A few lines and polygons of any level on a ground that runs from one level to another."""
    made = _ground(picture.shape, chance)
    height, width = picture.shape[:2]
    for _ in range(chance.integers(1, 6)):
        corners = (chance.uniform(-0.2, 1.2, (chance.integers(2, 6), 2)) * (width, height)).astype(np.int32)
        level = chance.integers(0, 256, picture.shape[2]).tolist()
        if len(corners) > 2 and chance.uniform() < 0.5:
            cv2.fillPoly(made, [corners], level, cv2.LINE_AA)
        else:
            cv2.polylines(made, [corners], False, level, int(chance.integers(1, max(2, width // 8))), cv2.LINE_AA)
    return _softened(made, picture.shape, chance)


def _letters(picture: Picture, others: NDArray[np.uint8], chance: np.random.Generator) -> Picture:  # noqa: ARG001
    """One letter or two, filling most of the picture, light on dark or dark on light."""
    made = _ground(picture.shape, chance)
    height, width = picture.shape[:2]
    text = "".join(LETTERS[i] for i in chance.integers(0, len(LETTERS), 1 + (chance.uniform() < 0.25)))
    font, thick = _FONTS[chance.integers(len(_FONTS))], max(1, round(height * chance.uniform(0.03, 0.14)))
    (wide, tall), _ = cv2.getTextSize(text, font, 1, 1)
    scale = chance.uniform(0.6, 1.05) * min(height / tall, width / wide)
    left, base = (width - wide * scale) / 2, (height + tall * scale) / 2
    shift = chance.uniform(-0.12, 0.12, 2) * (width, height)
    ground = made.mean()
    level = chance.integers(0, 100) if ground > 128 else chance.integers(156, 256)
    place = (int(left + shift[0]), int(base + shift[1]))
    cv2.putText(made, text, place, font, scale, [int(level)] * picture.shape[2], thick, cv2.LINE_AA)
    return _softened(made, picture.shape, chance)


KINDS: dict[str, Callable[[Picture, NDArray[np.uint8], np.random.Generator], Picture]] = {
    "shuffled": _shuffled,
    "part": _part,
    "patchwork": _patchwork,
    "shapes": _shapes,
    "letters": _letters,
}
"""Each kind of stranger by name: (a picture, those beside it, chance) -> picture."""


def _ground(shape: tuple[int, ...], chance: np.random.Generator) -> Picture:
    height, width, channels = shape
    one, other = chance.uniform(0, 255, (2, channels))
    along = np.linspace(0, 1, width)[None, :, None] if chance.uniform() < 0.5 else np.linspace(0, 1, height)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(one + (other - one) * along * chance.uniform(), shape).astype(np.uint8))


def _softened(made: Picture, shape: tuple[int, ...], chance: np.random.Generator) -> Picture:
    """As a camera gives it: not quite sharp, with noise."""
    blurred = cv2.GaussianBlur(made, (0, 0), 0.01 + chance.uniform(0, 0.04) * shape[1]).reshape(shape)
    noise = chance.standard_normal(shape, np.float32) * chance.uniform(0, 12)
    return cast("Picture", np.clip(blurred + noise, 0, 255).astype(np.uint8))


def _sized(tile: Picture, shape: tuple[int, ...]) -> Picture:
    grid = [np.linspace(0, have - 1, want).round().astype(int) for have, want in zip(tile.shape[:2], shape[:2], strict=True)]
    return cast("Picture", tile[np.ix_(*grid)])
