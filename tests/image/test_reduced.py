"""A frame in a smaller size."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import image
from edgecls.frame import Box, Frame


def stepped(*, limited=False, part=None):
    """Return a frame of 40x80 whose left half is dark and whose right half is bright."""
    plane = np.full((40, 80), 50, np.uint8)
    plane[:, 40:] = 200
    bgr = np.repeat(plane[:, :, None], 3, axis=2)
    make = {"bgr": lambda: bgr, "plane": lambda: plane, "part": part, "limited": limited}
    return Frame("gate", 7, time_s=1.5, captured_at=2.0, size_hw=(40, 80), **make)


@pytest.mark.parametrize("limited", [False, True])
def test_all_pictures_have_the_size(limited):
    """Gray and colour, without a way to make parts; levels, number and times stay."""
    frame = stepped(limited=limited)
    small = image.reduced(frame, (20, 20))
    assert (small.camera, small.index, small.time_s, small.size_hw, small.limited) == ("gate", 7, 1.5, (20, 20), limited)
    assert small.plane().tolist() == [[50] * 10 + [200] * 10] * 20
    assert small.luma()[0, 0] == frame.luma()[0, 0]
    assert small.bgr().shape == (20, 20, 3)
    assert small.bgr()[0].tolist() == [[50] * 3] * 10 + [[200] * 3] * 10
    assert small.part(Box(0, 0, 20, 20), (10, 10), "gray", "area") is None


def test_parts_are_made_of_the_large_frame():
    """The box of a part is brought to the size of the large frame, and so is that of the whole picture in colour."""
    asked = []

    def part(box, size_hw, color, interpolation):
        asked.append((tuple(box), size_hw, color, interpolation))
        return np.zeros((*size_hw, 3), np.uint8)

    small = image.reduced(stepped(part=part), (20, 20))
    assert small.bgr().shape == (20, 20, 3)
    assert small.part(Box(5, 10, 15, 20), (8, 8), "rgb", "linear").shape == (8, 8, 3)
    assert asked == [((0, 0, 80, 40), (20, 20), "bgr", "area"), ((20, 20, 60, 40), (8, 8), "rgb", "linear")]


@pytest.mark.parametrize("size_hw", [(40, 80), (20, 100), (60, 20)])
def test_a_frame_is_not_enlarged(size_hw):
    """One that is smaller in one direction stays as it is."""
    frame = stepped()
    assert image.reduced(frame, size_hw) is frame
