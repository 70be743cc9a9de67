"""Random changes to training pictures: scale, rotation, translation, brightness, contrast. Never exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from edgecls.frame import Picture
    from edgecls.train.config import Augment


def augment(picture: Picture, config: Augment, chance: np.random.Generator) -> Picture:
    """Return a changed copy. `picture`: (H, W, C) uint8; `chance` decides by how much within `config`.

    What comes in from outside the picture repeats its border; brightness scales the mean, contrast the distance to it.
    """
    height, width = picture.shape[:2]
    scale, turn, right, down, bright, contrast = chance.uniform(-1, 1, 6)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn * config.rotation_deg, 1 + scale * config.scale)
    matrix[:, 2] += right * config.translation * width, down * config.translation * height
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    mean = float(moved.mean())
    levels = (np.arange(256) - mean) * (1 + contrast * config.contrast) + mean * (1 + bright * config.brightness)
    changed = cv2.LUT(moved, np.clip(levels + 0.5, 0, 255).astype(np.uint8))
    return cast("Picture", changed.reshape(picture.shape))
