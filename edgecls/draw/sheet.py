"""A contact sheet: many pictures side by side, numbered from 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.draw.lettering import fitted, put_text
from edgecls.input_spec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Picture

CELL, GAP, LINE = 150, 6, 20
"""Sides in pixels: of a picture, between two of them, and of the line above it."""
TEXT_PX = 14
PAPER = (34, 32, 30)


def contact_sheet(pictures: Sequence[Picture], names: Sequence[str] | None = None) -> Picture:
    """Return a sheet of pictures, (H, W, 3) uint8 blue-green-red, in rows from left to right.

    Args:
        pictures: (h, w) gray or (h, w, 3) blue-green-red, of any sizes; each is shown whole.
        names: What stands above each; None numbers them from 1.
    """
    columns = max(1, math.ceil(math.sqrt(len(pictures) * 1.6)))
    rows = math.ceil(len(pictures) / columns) if pictures else 0
    high, wide = CELL + LINE + GAP, CELL + GAP
    sheet: Picture = np.full((rows * high + GAP, columns * wide + GAP, 3), PAPER, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = GAP + i // columns * high, GAP + i % columns * wide
        put_text(sheet, fitted(names[i] if names else str(i + 1), TEXT_PX, CELL)[0], left, top + LINE - GAP, TEXT_PX)
        shown = _within(picture)
        height, width = shown.shape[:2]
        down, across = top + LINE + (CELL - height) // 2, left + (CELL - width) // 2
        sheet[down : down + height, across : across + width] = shown
    return sheet


def _within(picture: Picture) -> Picture:
    """Return a picture in colour whose longer side is CELL."""
    scale = CELL / max(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return image.from_rgb(image.fit(picture, InputSpec(height, width, "rgb")))
