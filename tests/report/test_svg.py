"""Scales and shapes."""

from __future__ import annotations

import math

import pytest

from edgecls.report.svg import Scale, path, shortened, svg
from tests.report.made import Reader


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (1, 10, [2, 4, 6, 8, 10]), (0.8, 1, [0.8, 0.85, 0.9, 0.95, 1]), (3, 3, [3])],
)
def test_ticks_are_round_numbers(low, high, ticks):
    """Steps are 1, 2 or 5 times a power of ten; a scale with a single value has that tick."""
    assert Scale(low, high, 0, 100).ticks() == pytest.approx(ticks)


def test_a_scale_is_linear_and_may_be_of_one_value():
    """The middle value is the middle pixel, on a reversed scale too; a single value does not divide by zero."""
    assert Scale(0, 10, 100, 0)(5) == 50
    assert Scale(7, 7, 20, 90)(7) == 20


def test_a_line_is_broken_where_there_is_no_number():
    """NaN and infinity interrupt a line; an isolated point is a dot; without points nothing is drawn."""
    made = Reader(path([(0, 0), (1, 1), (2, math.nan), (3, 3), (4, math.inf)], "val"))
    assert made.of("polyline", "points") == ["0.0,0.0 1.0,1.0"]
    assert made.of("circle", "cx") == ["3"]
    assert path([], "val") == ""


def test_a_chart_says_what_it_shows():
    """For screen readers it is one picture with a title and a description."""
    read = Reader(svg(10, 20, title="t", desc="d"))
    assert read.tags == ["svg", "title", "desc"]
    assert read.of("svg", "role") == ["img"]


def test_long_words_are_cut():
    """The ellipsis counts for the length."""
    assert shortened("priority road", 9) == "priority\u2026"
    assert shortened("stop", 4) == "stop"
