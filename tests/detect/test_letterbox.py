"""The way of a frame to the input of a detector, and of boxes back."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import image
from edgecls.detect.input import DetectorInput
from edgecls.detect.letterbox import BORDER, place, prepare
from edgecls.errors import ModelError

FITS = ("letterbox", "letterbox-corner", "letterbox-exact", "letterbox-warp", "stretch", "stretch-warp")
SIZES_HW = ((1080, 1920), (333, 250), (64, 96), (5, 3), (2000, 31))


def frame(picture):
    return image.as_frame(picture, "c", 0, time_s=0.0, captured_at=0.0)


@pytest.mark.parametrize("size_hw", SIZES_HW, ids=str)
@pytest.mark.parametrize("fit", FITS)
def test_boxes_find_their_way_back(fit, size_hw):
    """A box of the frame, put where the frame lies in the input, comes back as itself."""
    placement = place(size_hw, DetectorInput(64, 96, fit=fit))
    height, width = size_hw
    box = np.array([[0.1 * width, 0.2 * height, 0.6 * width, 0.9 * height]], np.float32)
    scale, offset = [placement.scale_x, placement.scale_y] * 2, [placement.left, placement.top] * 2
    assert placement.back((box * scale + offset).astype(np.float32), size_hw) == pytest.approx(box, abs=max(size_hw) * 1e-5)


def test_boxes_end_at_the_edge_of_the_frame():
    """What lies in the border is no part of the frame."""
    spec = DetectorInput(64, 96)
    corners = place((100, 100), spec).back(np.array([[0, -5, 96, 70]], np.float32), (100, 100))
    assert corners.tolist() == [[0, 0, 100, 100]]


@pytest.mark.parametrize(("fit", "inside"), [
    ("letterbox", (slice(0, 64), slice(16, 80))),
    ("letterbox-corner", (slice(0, 64), slice(0, 64))),
    ("letterbox-exact", (slice(0, 64), slice(0, 96))),
    ("letterbox-warp", (slice(0, 64), slice(16, 80))),
    ("stretch", (slice(0, 64), slice(0, 96))),
    ("stretch-warp", (slice(0, 64), slice(0, 96))),
])  # fmt: skip
def test_a_frame_lies_where_its_placement_says(fit, inside):
    """A square frame of one colour in a wide input: in the middle, in the corner, or all over; the rest is the border."""
    picture, placement = prepare(frame(np.full((32, 32, 3), (10, 20, 200), np.uint8)), DetectorInput(64, 96, fit=fit))
    assert picture.shape == (64, 96, 3)
    assert (picture[inside][3:-3, 3:-3] == (200, 20, 10)).all()
    outside = np.ones((64, 96), bool)
    outside[inside] = False
    border = picture[outside & ~np.isin(np.arange(96), [15, 80])] if fit == "letterbox-warp" else picture[outside]
    assert (border == (0 if fit == "letterbox-warp" else BORDER)).all()
    assert placement.scale_x == (3 if fit in ("letterbox-exact", "stretch", "stretch-warp") else 2)


def test_an_exact_letterbox_is_black_around():
    """CenterNet's: the longer side of the frame becomes the width of the input."""
    picture, placement = prepare(frame(np.full((32, 128, 3), 255, np.uint8)), DetectorInput(64, 64, fit="letterbox-exact"))
    assert (placement.scale_x, placement.left, placement.top) == (0.5, 0.0, 24.0)
    assert (picture[25:39] == 255).all()
    assert (picture[:23] == 0).all()


def test_a_warp_maps_the_corners_of_pixels():
    """The warp of OpenCV maps the number of a pixel, its resize the middle of it: a pixel and a half of this frame."""
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None], (64, 128, 3)).copy()
    for fit, first in (("stretch", 1.5), ("stretch-warp", 0)):
        picture, _ = prepare(frame(ramp), DetectorInput(16, 32, fit=fit))
        assert picture[8, :, 0] == pytest.approx(np.arange(32) * 4 + first, abs=0.51)


def test_the_order_of_the_channels_is_that_of_the_card():
    """Blue-green-red or red-green-blue."""
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 0] = 255
    for fit in FITS:
        for color, first in (("bgr", 255), ("rgb", 0)):
            picture, _ = prepare(frame(blue), DetectorInput(8, 8, color, fit))
            assert (picture[..., 0] == first).all()


@pytest.mark.parametrize(("wrong", "message"), [
    ({"fit": "squeeze"}, "input fit must be one of letterbox, letterbox-corner, .*, stretch, stretch-warp, not 'squeeze'"),
    ({"color": "gray"}, "input color must be one of rgb, bgr, not 'gray'"),
    ({"height": 0}, "input size must be 1 to 4096 pixels a side, not 96x0"),
])  # fmt: skip
def test_an_input_that_cannot_be_is_refused(wrong, message):
    """A card may have been edited by hand."""
    with pytest.raises(ModelError, match=message):
        DetectorInput(**{"height": 64, "width": 96, **wrong})
