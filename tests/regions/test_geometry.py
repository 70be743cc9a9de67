"""Tests of lines and polygons."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecls.errors import ConfigError
from edgecls.regions.geometry import Line, Polygon

DOWN = Line((0.5, 0.1), (0.5, 0.9))
"""Its left side, seen from its start, is the right half of the picture."""
ARROW = Polygon(((0.1, 0.1), (0.9, 0.5), (0.1, 0.9), (0.4, 0.5)))


def test_a_line_that_is_crossed_says_to_which_side():
    """As seen from its start: the left side of a line from the top down is the right half of the picture."""
    assert DOWN.crossed_by((0.4, 0.5), (0.6, 0.5)) == "left"
    assert DOWN.crossed_by((0.6, 0.5), (0.4, 0.5)) == "right"
    back = Line(DOWN.end, DOWN.start)
    assert back.crossed_by((0.4, 0.5), (0.6, 0.5)) == "right"


def test_a_path_beside_a_line_does_not_cross_it():
    """Above its start, and along one side."""
    assert DOWN.crossed_by((0.4, 0.05), (0.6, 0.05)) == ""
    assert DOWN.crossed_by((0.1, 0.2), (0.4, 0.8)) == ""
    assert DOWN.crossed_by((0.3, 0.5), (0.3, 0.5)) == ""


def test_a_stop_on_the_line_crosses_it_once():
    """Whatever the steps: onto it, along it, off it."""
    path = [(0.4, 0.5), (0.5, 0.5), (0.5, 0.6), (0.5, 0.6), (0.6, 0.6)]
    assert [DOWN.crossed_by(a, b) for a, b in itertools.pairwise(path)] == ["left", "", "", ""]
    there_and_back = [(0.4, 0.5), (0.5, 0.5), (0.4, 0.5)]
    assert [DOWN.crossed_by(a, b) for a, b in itertools.pairwise(there_and_back)] == ["left", "right"]


def test_the_side_is_a_distance():
    """A point a tenth of the frame to the right of a line from the top down is at 0.1, on its left side."""
    assert DOWN.side((0.6, 0.3)) == pytest.approx(0.1)
    assert DOWN.side((0.4, 0.3)) == pytest.approx(-0.1)


POINTS = st.tuples(st.integers(0, 3840).map(lambda x: x / 3840), st.integers(0, 2160).map(lambda y: y / 2160))
"""Pixels of a frame: with smaller floats, a path may pass the end of a line at less than the floating-point precision."""


@given(st.lists(POINTS, min_size=2, max_size=30))
def test_crossings_of_a_line_across_the_frame_take_turns(path):
    """No path can cross it twice in the same direction, and its end tells how often it did."""
    line = Line((0.0, 0.3), (1.0, 0.6))
    crossed = [side for a, b in itertools.pairwise(path) if (side := line.crossed_by(a, b))]
    assert all(one != two for one, two in itertools.pairwise(crossed))
    assert (len(crossed) % 2 == 1) == ((line.side(path[0]) >= 0) != (line.side(path[-1]) >= 0))


def test_a_polygon_holds_the_same_points_as_in_opencv():
    """Also with a concave corner."""
    corners = np.array(ARROW.corners, np.float32)[:, None]
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(0, 1, (500, 2)):
        assert ARROW.holds((x, y)) == (cv2.pointPolygonTest(corners, (float(x), float(y)), measureDist=False) > 0)


def test_area_and_bounds():
    """Of a quarter of the frame, and of the arrow: 0.8 x 0.8 / 2, minus the notch."""
    quarter = Polygon.rectangle(0.5, 0.0, 0.5, 0.5)
    assert quarter.area == pytest.approx(0.25)
    assert quarter.bounds == (0.5, 0.0, 1.0, 0.5)
    assert math.isclose(abs(ARROW.area), 0.32 - 0.12)
    assert ARROW.bounds == (0.1, 0.1, 0.9, 0.9)


def test_a_rectangle_may_touch_the_edge_of_the_frame():
    """And exceed it by rounding."""
    assert Polygon.rectangle(0.3333, 0.0, 0.6667, 1.00005).holds((0.9, 0.9))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Polygon(((0, 0), (1, 1))), "expected 3 corners or more, found 2"),
        (
            lambda: Polygon(((0, 0), (1, 1), (1, 0), (0, 1))),
            "the side from (0, 0) to (1, 1) crosses the one from (1, 0) to (0, 1); expected the corners in their order",
        ),
        (
            lambda: Polygon(((0, 0), (1.2, 0), (1, 1))),
            "(1.2, 0) is outside of the frame; expected fractions of its width and height, from 0 to 1",
        ),
        (
            lambda: Polygon(((0.1, 0.1), (0.5, 0.5), (0.9, 0.9))),
            "its corners (0.1, 0.1), (0.5, 0.5), (0.9, 0.9) lie on a line; expected an area",
        ),
        (
            lambda: Polygon.rectangle(0.5, 0.5, 0.6, 0.1),
            "[0.5, 0.5, 0.6, 0.1] reaches from (0.5, 0.5) to (1.1, 0.6), which is outside of the frame; "
            "expected [x, y, width, height] as fractions of it, from 0 to 1",
        ),
        (
            lambda: Polygon.rectangle(0.1, 0.1, 0.9, 0.95),
            "[0.1, 0.1, 0.9, 0.95] reaches from (0.1, 0.1) to (1, 1.05), which is outside of the frame; expected "
            "[x, y, width, height] as fractions of it, from 0 to 1; for the corners (0.1, 0.1) and (0.9, 0.95) the numbers are "
            "0.1, 0.1, 0.8, 0.85",
        ),
        (
            lambda: Polygon.rectangle(100, 200, 300, 100),
            "[100, 200, 300, 100] reaches from (100, 200) to (400, 300), which is outside of the frame; expected "
            "[x, y, width, height] as fractions of it, from 0 to 1; divide pixels by the width and height of the frame",
        ),
        (
            lambda: Polygon.rectangle(0.5, 0.5, 0.3, float("nan")),
            "width and height must be above 0, not 0.3 and nan",
        ),
        (
            lambda: Polygon.rectangle(0.5, 0.5, 0.0, 0.2),
            "width and height must be above 0, not 0 and 0.2",
        ),
        (lambda: Line((0.5, 0.5), (0.5, 0.5)), "the line goes from (0.5, 0.5) to (0.5, 0.5); expected two different points"),
        (
            lambda: Line((0.5, 0.5), (768, 0.5)),
            "(768, 0.5) is outside of the frame; expected fractions of its width and height, from 0 to 1; "
            "divide pixels by the width and height of the frame",
        ),
    ],
)
def test_invalid_shapes_are_rejected(make, said):
    """One line each, with the wrong numbers."""
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value) == said


def _star(corners: int) -> tuple[tuple[float, float], ...]:
    """Return a star around the center of the frame, which does not cross itself."""
    turns = [2 * math.pi * i / corners for i in range(corners)]
    return tuple(
        (0.5 + (0.3 + 0.1 * (i % 2)) * math.cos(t), 0.5 + (0.3 + 0.1 * (i % 2)) * math.sin(t)) for i, t in enumerate(turns)
    )


def test_a_polygon_has_a_thousand_corners_at_most():
    """A thousand are checked and used; more are an error in one line, however many there are."""
    star = Polygon(_star(1000))
    assert star.holds((0.5, 0.5))
    assert not star.holds((0.95, 0.95))
    for corners in (1001, 10_000):
        with pytest.raises(ConfigError, match=f"expected at most 1,000 corners, found {corners:,}"):
            Polygon.from_setting([list(corner) for corner in _star(corners)])


def test_a_long_polygon_that_crosses_itself_names_two_sides():
    """Two far corners are swapped, and the crossing is found among all pairs of sides."""
    corners = list(_star(600))
    corners[100], corners[400] = corners[400], corners[100]
    with pytest.raises(ConfigError, match="crosses the one from"):
        Polygon(tuple(corners))


def test_a_message_about_a_long_list_is_short():
    """A list of ten thousand numbers is not printed completely."""
    with pytest.raises(ConfigError) as error:
        Polygon.from_setting([0.5] * 10_000)
    assert len(str(error.value)) < 400


@given(st.lists(POINTS, min_size=4, max_size=12, unique=True))
def test_crossings_are_those_of_all_pairs(corners):
    """The bounding boxes exclude no pair of sides that touch."""
    from edgecls.regions.geometry import _first_crossing, _touch

    sides = list(itertools.pairwise((*corners, corners[0])))
    pairs = [
        (i, j)
        for (i, one), (j, two) in itertools.combinations(enumerate(sides), 2)
        if j - i not in (1, len(sides) - 1) and _touch(one, two)
    ]
    assert _first_crossing(corners) == (pairs[0] if pairs else None)
