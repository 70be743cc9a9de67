"""Random augmentation of training pictures: geometry, brightness, sharpness, occlusion. The exported model has none of it."""

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


def augment(picture: Picture, config: Augment, rng: np.random.Generator) -> Picture:
    """Return a randomly changed copy of a picture.

    Brightness scales the mean level, contrast the distance from the mean. Pixels from outside the picture repeat its border.

    Args:
        picture: (H, W, C) uint8.
        config: The largest change of each kind.
        rng: Draws how far each change goes.

    Returns:
        (H, W, C) uint8.
    """
    changed = _moved(picture, config, rng).reshape(picture.shape)
    if config.blur:
        sigma = 0.01 + rng.uniform() * config.blur * picture.shape[1]
        changed = cast("Picture", cv2.GaussianBlur(changed, (0, 0), sigma).reshape(picture.shape))
    if config.noise:
        grain = rng.standard_normal(picture.shape[:2], np.float32) * (255 * config.noise * rng.uniform())
        changed = np.clip(changed + grain[..., None] + 0.5, 0, 255).astype(np.uint8)
    if config.erase:
        _erase(changed, config.erase, rng)
    return changed


def mirrored_classes(labels: Sequence[str], entries: Sequence[str]) -> NDArray[np.int64]:
    """Return the class that a picture of each class has when mirrored.

    Args:
        labels: The label of each class.
        entries: Each is a label (its pictures keep their class), `LABEL=LABEL` (the two classes swap) or `all`.

    Returns:
        (classes,) int64 class ids; -1 for a class that must not be mirrored.

    Raises:
        ConfigError: An entry names an unknown label.
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
    batch: NDArray[np.uint8], truth: NDArray[np.int64], mirror: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Mirror each picture that may be mirrored with a probability of one half.

    Args:
        batch: (N, H, W, C) uint8.
        truth: (N,) int64 class ids; with several labels a picture, (N, labels) marks. A picture that has, or may have, a label
            that must not be mirrored stays as it is.
        mirror: What `mirrored_classes` returns.
        rng: Chooses the pictures.

    Returns:
        Copies of the batch and of its truth.
    """
    if truth.ndim == 1:
        allowed, swapped = mirror[truth] >= 0, mirror[truth]
    else:
        allowed = ~((truth != 0) & (mirror < 0)).any(axis=1)
        swapped = truth[:, np.where(mirror < 0, np.arange(len(mirror)), mirror)]
    flipped = allowed & (rng.uniform(size=len(batch)) < 0.5)
    of_truth = flipped.reshape(-1, *(1,) * (truth.ndim - 1))
    return np.where(flipped[:, None, None, None], batch[:, :, ::-1], batch), np.where(of_truth, swapped, truth)


def _moved(picture: Picture, config: Augment, rng: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    scale, turn, right, down, bright, contrast = rng.uniform(-1, 1, 6)
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, turn * config.rotation_deg, 1 + scale * config.scale), np.float64)
    if config.shear:
        matrix = _sheared(matrix, config.shear, (height, width), rng)
    matrix[:, 2] += right * config.translation * width, down * config.translation * height
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    mean = float(moved.mean())
    levels = (np.arange(256) - mean) * (1 + contrast * config.contrast) + mean * (1 + bright * config.brightness)
    return cast("Picture", cv2.LUT(moved, np.clip(levels + 0.5, 0, 255).astype(np.uint8)))


def _sheared(
    matrix: NDArray[np.float64], most: float, size_hw: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Add a random shear and stretch about the center, by up to `most` of the side in each direction: an oblique view."""
    shear = np.eye(2) + most * rng.uniform(-1, 1, (2, 2))
    middle = np.array([(size_hw[1] - 1) / 2, (size_hw[0] - 1) / 2])
    return np.column_stack([shear @ matrix[:, :2], shear @ (matrix[:, 2] - middle) + middle])


def _erase(picture: Picture, most: float, rng: np.random.Generator) -> None:
    """Fill a random rectangle with one gray level with sides up to `most` of the picture's (DeVries and Taylor 2017)."""
    height, width = picture.shape[:2]
    tall, wide = (rng.uniform(size=2) * most * (height, width)).astype(int)
    top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
    picture[top : top + tall, left : left + wide] = rng.integers(0, 256)
