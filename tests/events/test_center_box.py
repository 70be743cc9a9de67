"""Tests of boxes as center and size."""

from __future__ import annotations

import pytest

from edgecls.events.center_box import CenterBox, center_box, off_inside, off_sides, overlap, share, union
from edgecls.frame import Box

LEFT, RIGHT = CenterBox(30, 50, 20, 40), CenterBox(60, 55, 20, 40)


def test_center_size_area_and_reach():
    """How far the box reaches counts from the origin."""
    place = center_box(Box(20, 30, 40, 70))
    assert place == LEFT
    assert place.area == 800
    assert [place.reach(axis, sign) for axis in (0, 1) for sign in (-1, 1)] == [-20, 40, -30, 70]
    assert place.at(1, 2) == CenterBox(1, 2, 20, 40)


def test_overlap_share_and_union():
    """Intersection over union, the share of one inside another, and the box around both."""
    assert overlap(LEFT, LEFT) == share(LEFT, LEFT) == 1
    assert overlap(LEFT, RIGHT) == share(LEFT, RIGHT) == 0
    assert overlap(LEFT, LEFT.at(40, 50)) == pytest.approx(1 / 3)
    assert share(LEFT, LEFT.at(40, 50)) == pytest.approx(1 / 2)
    assert union([LEFT, RIGHT]) == CenterBox(45, 52.5, 50, 45)


@pytest.mark.parametrize(
    ("seen", "left", "right"),
    [
        (union([LEFT, RIGHT]), (0, 0), (0, 0)),
        (union([LEFT.at(33, 52), RIGHT]), (3, 2), (0, 0)),
        (union([LEFT, RIGHT.at(56, 50)]), (0, 0), (-4, -5)),
    ],
)
def test_each_side_belongs_to_the_box_that_reaches_farthest(seen, left, right):
    """On each axis, for two boxes."""
    assert off_sides(LEFT, seen, [LEFT, RIGHT]) == left
    assert off_sides(RIGHT, seen, [LEFT, RIGHT]) == right


def test_the_smaller_error_counts_if_a_box_reaches_farthest_on_both_sides():
    """If the observed box grew on one side only, the other side shows no error. A box that reaches farthest nowhere has 0."""
    wide, hidden = CenterBox(50, 50, 60, 60), CenterBox(50, 50, 10, 10)
    seen = CenterBox(60, 50, 80, 60)
    assert off_sides(wide, seen, [wide, hidden]) == (0, 0)
    assert off_sides(hidden, seen, [wide, hidden]) == (0, 0)


@pytest.mark.parametrize(
    ("seen", "off"),
    [(CenterBox(30, 50, 60, 80), (0, 0)), (CenterBox(60, 50, 60, 80), (10, 0)), (CenterBox(10, 40, 30, 40), (-15, -10))],
)
def test_a_box_inside_another_is_off_as_far_as_it_sticks_out(seen, off):
    """If it does not, the error is 0."""
    assert off_inside(LEFT, seen) == off
