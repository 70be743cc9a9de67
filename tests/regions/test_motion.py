"""Tests of motion in drawn videos."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.frame import Box, Frame
from edgecls.regions.exposure import as_exposed
from edgecls.regions.geometry import Polygon
from edgecls.regions.motion import Motion, MotionSettings

FPS = 10
USUAL = MotionSettings()
HIGH, WIDE = 180, 320
CHANCE = np.random.default_rng(0)
ROAD = np.clip(90 + 40 * np.sin(np.arange(WIDE) / 30) + CHANCE.normal(0, 6, (HIGH, WIDE)), 0, 255)
"""Uneven like a real road."""


def frame(index, picture, fps=FPS):
    """Return a frame of a gray picture."""
    levels = np.clip(picture + np.random.default_rng(index).normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
    return Frame(
        "c",
        index,
        time_s=index / fps,
        captured_at=0.0,
        size_hw=levels.shape,
        bgr=lambda: np.dstack([levels] * 3),
        plane=lambda: levels,
    )


def with_car(left, top=60, level=220.0, size=(40, 70)):
    """Return the road with a car on it."""
    picture = ROAD.copy()
    picture[top : top + size[0], max(0, left) : max(0, left + size[1])] = level
    return picture


def drive(motion, pictures, first=0):
    """Return the boxes of each frame."""
    return [[region.box for region in motion(frame(i, picture))] for i, picture in enumerate(pictures, first)]


def watched(rule=USUAL, seconds=5, **areas):
    """Return a motion detector that has seen the empty road for some seconds, and the number of its frames."""
    motion = Motion(rule, **areas)
    boxes = drive(motion, [ROAD] * (seconds * FPS))
    assert boxes == [[]] * (seconds * FPS)
    return motion, seconds * FPS


def overlap(one, two):
    """Return the intersection over union."""
    wide = min(one.right, two.right) - max(one.left, two.left)
    high = min(one.bottom, two.bottom) - max(one.top, two.top)
    common = max(0, wide) * max(0, high)
    return common / (sum((b.right - b.left) * (b.bottom - b.top) for b in (one, two)) - common)


@pytest.mark.parametrize("method", ["mog2", "knn"])
def test_a_car_is_one_box_and_an_empty_road_none(method):
    """Within a few pixels of where it was drawn; no box once it has left."""
    motion, first = watched(MotionSettings(method=method))
    lefts = list(range(10, 240, 10))
    found = drive(motion, [with_car(left) for left in lefts], first)
    for boxes, left in zip(found, lefts, strict=True):
        assert len(boxes) == 1
        assert overlap(boxes[0], Box(left, 60, left + 70, 100)) > 0.8
    assert drive(motion, [ROAD] * 20, first + len(lefts)) == [[]] * 20


def test_a_change_of_exposure_is_no_motion():
    """The camera halves its gain within a second when a white car comes, with a nonlinear curve."""
    motion, first = watched()
    pictures = []
    for i, left in enumerate(range(10, 240, 10)):
        gain = max(0.5, 1 - 0.05 * i)
        pictures.append(255 * (with_car(left) / 255) ** (1 + 0.3 * (1 - gain)) * gain)
    found = drive(motion, pictures, first)
    assert [len(boxes) for boxes in found] == [1] * len(found)
    assert (
        min(overlap(boxes[0], Box(left, 60, left + 70, 100)) for boxes, left in zip(found, range(10, 240, 10), strict=True))
        > 0.7
    )


def test_lights_that_go_on_are_no_motion():
    """From one frame to the next, the left becomes darker and the right brighter: the same scene in another light."""
    motion, first = watched()
    lit = np.clip(ROAD * np.linspace(0.5, 1.6, WIDE)[None], 0, 255)
    found = drive(motion, [lit] * 60, first)
    assert sum(map(len, found)) == 0


def test_a_stopped_car_becomes_background_after_a_while():
    """With a history of 12 s, it is detected for some seconds more."""
    motion, first = watched(MotionSettings(history_s=12.0))
    found = [len(boxes) for boxes in drive(motion, [with_car(100)] * 200, first)]
    assert found[:20] == [1] * 20
    assert found[-50:] == [0] * 50


def test_boxes_are_in_pixels_of_the_frame():
    """At three times the size, they are three times as large."""
    motion = Motion(USUAL)
    large = [np.kron(picture, np.ones((3, 3))) for picture in [ROAD] * 30 + [with_car(100)]]
    (box,) = drive(motion, large)[-1]
    assert overlap(box, Box(300, 180, 510, 300)) > 0.8


def test_sizes_and_areas_are_limited():
    """Too small, too large, outside of `within`, inside of `outside`."""
    corner, left_half = Polygon.rectangle(0.8, 0.8, 0.2, 0.2), Polygon.rectangle(0.0, 0.0, 0.5, 1.0)
    for rule, areas in (
        (MotionSettings(smallest=0.2), {}),
        (MotionSettings(largest=0.01), {}),
        (USUAL, {"within": [corner]}),
        (USUAL, {"outside": [corner, left_half]}),
    ):
        motion, first = watched(rule, **areas)
        assert drive(motion, [with_car(60)] * 3, first) == [[]] * 3
    motion, first = watched(USUAL, within=[corner, left_half])
    assert [len(boxes) for boxes in drive(motion, [with_car(60)] * 3, first)] == [1] * 3


def test_another_resolution_is_learned_anew():
    """If a camera changes its stream."""
    motion, first = watched()
    small = ROAD[::2, ::2]
    assert drive(motion, [small] * 30, first) == [[]] * 30


def test_a_slow_camera_learns_as_fast_as_a_quick_one():
    """Learning depends on seconds: at two frames per second, a car is also detected after the warm-up."""
    motion = Motion(USUAL)
    boxes = [motion(frame(i, ROAD, fps=2)) for i in range(10)] + [motion(frame(10, with_car(100), fps=2))]
    assert [len(b) for b in boxes] == [0] * 10 + [1]


def test_the_exposure_of_another_picture():
    """Whatever the curve, the same places match except for noise; an object that was not there stays different."""
    darker = (255 * (ROAD / 255) ** 1.4 * 0.6).astype(np.uint8)
    like = ROAD.astype(np.uint8)
    assert np.abs(as_exposed(darker, like).astype(int) - like).mean() < 3
    assert np.abs(as_exposed(like, like).astype(int) - like).mean() < 2
    with_thing = darker.copy()
    with_thing[50:100, 100:160] = 250
    back = as_exposed(with_thing, like)
    assert (back[50:100, 100:160].astype(int) - like[50:100, 100:160]).mean() > 60
    assert np.abs(back[:40].astype(int) - like[:40]).mean() < 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"width": 8}, "width must be from 32 to 4096 pixels, not 8"),
        ({"smallest": 0.95}, "smallest must be from 0 to below largest (0.9), not 0.95"),
        ({"largest": 1.5}, "largest must be a share of the frame, up to 1, not 1.5"),
        ({"history_s": 0.0}, "history_s must be 1 or more seconds, not 0.0"),
        ({"around": -0.1}, "around must be from 0 to 2 times the longer side, not -0.1"),
        ({"warm_up_s": 90.0}, "warm_up_s must be 0 or more seconds, below history_s, not 90.0"),
    ],
)
def test_invalid_settings_are_rejected(wrong, said):
    """One line each."""
    with pytest.raises(ConfigError) as error:
        MotionSettings(**wrong)
    assert str(error.value) == said


def test_what_is_seen_through_a_window_is_a_part_of_the_car():
    """A car that is as bright as the road in a ring around its center is one box, not one within another."""
    motion, seen = watched()
    picture = with_car(120, 50, size=(100, 140))
    picture[70:130, 145:235] = ROAD[70:130, 145:235]
    picture[90:110, 170:210] = 240.0
    (boxes,) = drive(motion, [picture], seen)
    (box,) = boxes
    assert overlap(box, Box(120, 50, 260, 150)) > 0.8


def test_the_surroundings_of_a_box_are_classified_too():
    """A fifth of its longer side on all sides, within the frame; with 0, only the box."""
    motion, first = watched()
    (region,) = motion(frame(first, with_car(100)))
    left, top, right, bottom = region.box
    assert region.around == Box(left - 14, top - 14, right + 14, bottom + 14)
    (region,) = motion(frame(first + 1, with_car(0)))
    assert region.around.left == 0
    motion, first = watched(MotionSettings(around=0.0))
    (region,) = motion(frame(first, with_car(100)))
    assert region.around is None


def test_people_side_by_side_are_two():
    """Eight pixels apart horizontally; eight pixels apart vertically is one, because upright objects fall into parts."""
    motion, first = watched()
    beside = ROAD.copy()
    beside[60:100, 100:112] = beside[60:100, 120:132] = 220
    assert len(motion(frame(first, beside))) == 2
    above = ROAD.copy()
    above[60:76, 100:120] = above[84:100, 100:120] = 220
    (region,) = motion(frame(first + 1, above))
    assert overlap(region.box, Box(100, 60, 120, 100)) > 0.8


def test_thin_legs_are_seen():
    """They are two pixels wide; specks of one pixel are ignored."""
    motion, first = watched(MotionSettings(smallest=0.0005))
    legs = ROAD.copy()
    legs[60:100, 100:102] = 220
    legs[20:160:6, 200] = 220
    (region,) = motion(frame(first, legs))
    assert overlap(region.box, Box(100, 60, 102, 100)) > 0.6


def test_a_camera_that_moves_by_a_pixel_sees_no_motion():
    """A road marking shifted by a pixel looks as before."""
    marked = ROAD.copy()
    for i in range(40):
        marked[60 + i, 100 + i : 106 + i] = 250
    motion = Motion(USUAL)
    boxes = drive(motion, [marked] * 50 + [np.roll(marked, 1, axis=1)] * 3)
    assert boxes[-3:] == [[]] * 3
    gone = drive(motion, [ROAD] * 3, 53)
    assert [len(found) for found in gone] == [1] * 3
