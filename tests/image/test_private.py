"""Private areas are black, to the last pixel that they touch."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import image
from edgecls.image.private import blacked_out

RECTANGLE = ((0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0))
TRIANGLE = ((0.1, 0.1), (0.9, 0.3), (0.4, 0.95))


def white(height, width):
    """A picture without a dark pixel."""
    return np.full((height, width, 3), 255, np.uint8)


def test_a_rectangle_is_black_and_nothing_else():
    """In colour and in gray; the given picture stays as it is."""
    picture = white(40, 80)
    expected = picture.copy()
    expected[20:, 20:60] = 0
    assert np.array_equal(blacked_out(picture, [RECTANGLE]), expected)
    assert np.array_equal(blacked_out(picture[..., 0], [RECTANGLE]), expected[..., 0])
    assert picture.min() == 255
    assert image.blacked_out is blacked_out


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 7), (9, 16), (33, 31), (270, 480)])
@pytest.mark.parametrize("corners", [RECTANGLE, TRIANGLE, ((0.013, 0.27), (0.51, 0.27), (0.51, 0.333), (0.013, 0.333))])
def test_a_pixel_that_an_area_touches_is_black(corners, size_hw):
    """Whatever the size: points inside, eight to a pixel in each direction, all lie in black pixels; far away none is."""
    height, width = size_hw
    black = blacked_out(white(*size_hw)[..., 0], [corners]) == 0
    xs, ys = np.meshgrid((np.arange(8 * width) + 0.5) / (8 * width), (np.arange(8 * height) + 0.5) / (8 * height))
    inside = np.ones(xs.shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        inside &= (x2 - x1) * (ys - y1) - (y2 - y1) * (xs - x1) >= 0
    rows, columns = (ys[inside] * height).astype(int), (xs[inside] * width).astype(int)
    assert black[rows, columns].all()
    assert black.sum() <= inside.sum() / 64 + 4 * (height + width)
