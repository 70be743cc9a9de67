"""Random changes to training pictures: where they lie, how light they are, how sharp, what covers them. Never exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture
    from edgecls.train.config import Augment

ALL = "all"
"""The entry of `Augment.mirror` that stands for every class."""


def augment(picture: Picture, config: Augment, chance: np.random.Generator) -> Picture:
    """Return a changed copy. `picture`: (H, W, C) uint8; `chance` decides by how much within `config`.

    What comes in from outside the picture repeats its border; brightness scales the mean, contrast the distance to it.
    """
    changed = _moved(picture, config, chance).reshape(picture.shape)
    if config.blur:
        sigma = 0.01 + chance.uniform() * config.blur * picture.shape[1]
        changed = cast("Picture", cv2.GaussianBlur(changed, (0, 0), sigma).reshape(picture.shape))
    if config.noise:
        grain = chance.standard_normal(picture.shape[:2], np.float32) * (255 * config.noise * chance.uniform())
        changed = np.clip(changed + grain[..., None] + 0.5, 0, 255).astype(np.uint8)
    if config.erase:
        _erase(changed, config.erase, chance)
    return changed


def mirrored_classes(labels: Sequence[str], entries: Sequence[str]) -> NDArray[np.int64]:
    """(classes,) what class a mirrored picture of each class has; -1 for classes that are not mirrored.

    An entry is a label, whose pictures stay what they are, or `LABEL=LABEL`, two that turn into each other, or `all`. Raises
    ConfigError for what is no label.
    """
    mirror = np.full(len(labels), -1, np.int64)
    for entry in entries:
        if entry == ALL and ALL not in labels:
            mirror = np.where(mirror < 0, np.arange(len(labels)), mirror)
            continue
        one, _, other = (entry, "", entry) if entry in labels else entry.partition("=")
        for label in (one, other):
            if label not in labels:
                raise ConfigError(f"augment.mirror {entry!r}: expected a label, LABEL=LABEL or {ALL}; {label!r} is no label")
        here, there = labels.index(one), labels.index(other)
        mirror[here], mirror[there] = there, here
    return mirror


def mirrored(
    batch: NDArray[np.uint8], class_ids: NDArray[np.int64], mirror: NDArray[np.int64], chance: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Turn left and right of every second picture or so that may be mirrored. `batch`: (N, H, W, C); returns copies."""
    turned = (mirror[class_ids] >= 0) & (chance.uniform(size=len(batch)) < 0.5)
    return np.where(turned[:, None, None, None], batch[:, :, ::-1], batch), np.where(turned, mirror[class_ids], class_ids)


def _moved(picture: Picture, config: Augment, chance: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    scale, turn, right, down, bright, contrast = chance.uniform(-1, 1, 6)
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, turn * config.rotation_deg, 1 + scale * config.scale), np.float64)
    if config.shear:
        matrix = _sheared(matrix, config.shear, (height, width), chance)
    matrix[:, 2] += right * config.translation * width, down * config.translation * height
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    mean = float(moved.mean())
    levels = (np.arange(256) - mean) * (1 + contrast * config.contrast) + mean * (1 + bright * config.brightness)
    return cast("Picture", cv2.LUT(moved, np.clip(levels + 0.5, 0, 255).astype(np.uint8)))


def _sheared(
    matrix: NDArray[np.float64], most: float, size_hw: tuple[int, int], chance: np.random.Generator
) -> NDArray[np.float64]:
    """Lean and stretch about the middle, by up to a share `most` of the side in each direction: a view from beside."""
    lean = np.eye(2) + most * chance.uniform(-1, 1, (2, 2))
    middle = np.array([(size_hw[1] - 1) / 2, (size_hw[0] - 1) / 2])
    return np.column_stack([lean @ matrix[:, :2], lean @ (matrix[:, 2] - middle) + middle])


def _erase(picture: Picture, most: float, chance: np.random.Generator) -> None:
    """Cover a rectangle at random with one level (DeVries and Taylor 2017), of sides up to a share `most` of the picture's."""
    height, width = picture.shape[:2]
    tall, wide = (chance.uniform(size=2) * most * (height, width)).astype(int)
    top, left = chance.integers(0, height - tall + 1), chance.integers(0, width - wide + 1)
    picture[top : top + tall, left : left + wide] = chance.integers(0, 256)
