"""Tests of the regions of a frame."""

from __future__ import annotations

import pytest

from edgecls import ConfigError
from edgecls.frame import WHOLE_FRAME, Box, Region
from edgecls.regions.regions import parse_zones, whole_frame, zones
from tests.run.world import frame


def test_the_whole_frame_is_one_region():
    """Without zones, a frame of 64x48 has one region of 64x48."""
    assert list(whole_frame(frame(size_hw=(48, 64)))) == [Region(WHOLE_FRAME, Box(0, 0, 64, 48))]


@pytest.mark.parametrize(
    ("size_hw", "box"),
    [
        ((100, 200), Box(80, 20, 100, 50)),
        ((1080, 1920), Box(768, 216, 960, 540)),
        ((480, 640), Box(256, 96, 320, 240)),
        ((240, 320), Box(128, 48, 160, 120)),
        ((7, 5), Box(2, 1, 2 + 1, 4)),
    ],
)
def test_a_zone_is_the_same_part_at_every_resolution(size_hw, box):
    """gate=0.4,0.2,0.1,0.3 is 40 % to 50 % of the width and 20 % to 50 % of the height, in whole pixels."""
    look = zones(parse_zones(["gate=0.4,0.2,0.1,0.3"]))
    assert list(look(frame(size_hw=size_hw))) == [Region("gate", box)]


@pytest.mark.parametrize("size_hw", [(1, 1), (2, 3), (480, 640), (1081, 1923)])
@pytest.mark.parametrize(
    "rectangle", [(0, 0, 1, 1), (0.999, 0.999, 0.001, 0.001), (1 / 3, 1 / 3, 2 / 3, 2 / 3), (0.7, 0.7, 0.3, 0.3)]
)
def test_a_zone_holds_a_pixel_and_stays_inside(size_hw, rectangle):
    """However small zone and frame are, the box has at least one pixel and none outside the frame."""
    (region,) = zones({"z": rectangle})(frame(size_hw=size_hw))
    left, top, right, bottom = region.box
    assert 0 <= left < right <= size_hw[1]
    assert 0 <= top < bottom <= size_hw[0]


def test_neighbouring_zones_share_no_pixel():
    """Four quarters of a frame with odd sides cover it without gap or overlap."""
    quarters = {f"{x}{y}": (x / 2, y / 2, 0.5, 0.5) for x in (0, 1) for y in (0, 1)}
    boxes = [region.box for region in zones(quarters)(frame(size_hw=(33, 47)))]
    seen = {(x, y) for b in boxes for x in range(b.left, b.right) for y in range(b.top, b.bottom)}
    assert len(seen) == 33 * 47
    assert sum((b.right - b.left) * (b.bottom - b.top) for b in boxes) == 33 * 47


def test_zones_keep_their_order_and_names():
    """Zones keep their order, and spaces around a name are removed."""
    rectangles = parse_zones(["left=0,0,0.5,1", " right = 0.5, 0, 0.5, 1"])
    assert list(rectangles) == ["left", "right"]
    assert rectangles["right"] == (0.5, 0, 0.5, 1)
    assert [region.name for region in zones(rectangles)(frame())] == ["left", "right"]


@pytest.mark.parametrize(
    "rectangle",
    [(0.9, 0, 0.2, 1), (0, 0.9, 1, 0.2), (-0.1, 0, 0.5, 0.5), (0, 0, 0, 1), (0, 0, 1, -1), (0, 0, 640, 480),
     (float("nan"), 0, 1, 1), (0, 0, float("inf"), 1)],
)  # fmt: skip
def test_a_zone_out_of_the_frame_is_refused(rectangle):
    """A zone that is empty, outside the frame or in pixels is an error with its numbers and their meaning."""
    numbers = ",".join(f"{v:g}" for v in rectangle)
    with pytest.raises(
        ConfigError, match=rf"zone gate: expected x,y,w,h as fractions of the frame \(0 to 1\).*found {numbers}"
    ):
        zones({"gate": rectangle})


@pytest.mark.parametrize("text", ["gate", "gate=", "gate=1,2,3", "gate=a,b,c,d", "gate=0,0,1,1,1", "0,0,1,1"])
def test_a_zone_that_cannot_be_read_shows_how_one_is_written(text):
    """A malformed text is shown with an example."""
    with pytest.raises(ConfigError, match=r"expected NAME=x,y,w,h.*such as gate=0.4,0.2,0.1,0.3") as caught:
        parse_zones([text])
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("texts", [["=0,0,1,1"], [" =0,0,1,1"], ["a=0,0,1,1", "a=0,0,0.5,1"]])
def test_every_zone_has_a_name_of_its_own(texts):
    """A missing or duplicate name is an error."""
    with pytest.raises(ConfigError, match="expected a name before the =, and each name once"):
        parse_zones(texts)
