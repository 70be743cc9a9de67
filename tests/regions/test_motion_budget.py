"""Tests of how many moving boxes of a frame are classified, which ones, and where the others are counted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecls.cli.meter import Meter
from edgecls.errors import ConfigError
from edgecls.frame import Result, Timing
from edgecls.labels.json_lines import to_line
from edgecls.regions.motion import Motion, MotionSettings, _best_first, _outermost
from tests.regions.test_motion import FPS, HIGH, ROAD, WIDE, frame


def crowd(sizes, shift: int = 0):
    """Return the road with rows of squares, each with a size in pixels."""
    picture = ROAD.copy()
    for i, size in enumerate(sizes):
        top, left = 8 + 34 * (i // 8), 10 + 38 * (i % 8) + shift
        picture[top : top + size, left : left + size] = 235
    return picture


def classified(rule: MotionSettings, pictures):
    """Return the boxes of each picture after five seconds of an empty road, and the numbers left out."""
    motion = Motion(rule)
    for i in range(5 * FPS):
        motion(frame(i, ROAD))
    found = []
    for i, picture in enumerate(pictures, 5 * FPS):
        one = frame(i, picture)
        found.append(([region.box for region in motion(one)], one.left_out))
    return found


def test_the_largest_are_classified_and_the_others_counted():
    """Of forty squares, the eight large ones are."""
    sizes = [20 if i % 5 == 0 else 10 for i in range(40)]
    every = classified(MotionSettings(max_regions=100), [crowd(sizes)])[0]
    assert (len(every[0]), every[1]) == (40, 0)
    boxes, left_out = classified(MotionSettings(max_regions=8), [crowd(sizes)])[0]
    assert left_out == 32
    assert len(boxes) == 8
    assert all(right - left > 14 for left, _, right, _ in boxes)


def test_boxes_of_the_previous_frame_stay():
    """Otherwise their tracks would end: slightly larger squares do not displace those of the previous frame."""
    first = [14] * 8 + [12] * 24
    later = [14] * 8 + [16] * 24
    (before, _), (after, left_out) = classified(MotionSettings(max_regions=8), [crowd(first), crowd(later)])
    assert left_out == 24
    assert {box.top // 30 for box in before} == {box.top // 30 for box in after} == {0}


def test_a_far_larger_box_displaces_others():
    """If it is more than four times as large."""
    boxes = [[0, 0, 10, 10], [50, 0, 30, 30], [100, 0, 11, 11]]
    assert _best_first(boxes, [[1, 1, 10, 10]]) == [1, 0, 2]
    assert _best_first(boxes, []) == [1, 2, 0]


def test_boxes_inside_others_are_dropped():
    """Any number of them; a single box or none stays as it is."""
    assert _outermost([]) == []
    assert _outermost([[0, 0, 5, 5]]) == [[0, 0, 5, 5]]
    assert _outermost([[0, 0, 50, 50], [10, 10, 5, 5], [45, 45, 10, 10]]) == [[0, 0, 50, 50], [45, 45, 10, 10]]


def test_what_was_left_out_is_counted_everywhere():
    """In the result, its line and the status line; a frame with all of its boxes has no count."""
    one = frame(0, np.zeros((HIGH, WIDE)))
    result = Result(one, (), Timing(0.0, 0.0, 0.0))
    assert "regions_left_out" not in json.loads(to_line(result))
    one.left_out = 7
    assert json.loads(to_line(result))["regions_left_out"] == result.left_out == 7
    meter = Meter()
    assert "left out" not in meter.line(["c"], 0.0, 0)
    meter.add(result, 0.0)
    meter.add(result, 0.1)
    assert "2 frames, 0 skipped, 14 regions left out" in meter.line(["c"], 0.2, 0)


@pytest.mark.parametrize("most", [0, -1, 1001])
def test_the_budget_has_limits(most):
    """At least one, at most a thousand."""
    with pytest.raises(ConfigError, match="max_regions must be from 1 to 1000"):
        MotionSettings(max_regions=most)
