"""The picture of which label was shown when."""

from __future__ import annotations

import re

import pytest

from edgecls.event import Moment
from edgecls.labels.stretches import Shown, Stretch
from edgecls.report.svg import NAMESPACE
from edgecls.report.timeline import timeline
from tests.labels.test_stretches import shown, utc  # noqa: F401 - a fixture
from tests.report.made import Reader

NOON = 1_763_812_800.0


def bars(made):
    """Return (left, width) of each bar."""
    return [(float(x), float(w)) for x, w in zip(made.of("rect", "x"), made.of("rect", "width"), strict=True)]


def test_a_bar_stands_where_its_stretch_is():
    """Bars for the first half, a quarter and the last tenth of 100 s; the axis is from 0:00:00 to 0:01:40."""
    made = Reader(timeline([shown(("open", 0, 50, 0.9), ("shut", 50, 75, 0.8), ("open", 90, 100, 0.7))], title="day.jsonl"))
    first, last, middle = bars(made)  # row by row
    whole = last[0] + last[1] - first[0]
    assert first[1] / whole == pytest.approx(0.5, abs=1e-3)
    assert ((middle[0] - first[0]) / whole, middle[1] / whole) == (pytest.approx(0.5, abs=1e-3), pytest.approx(0.25, abs=1e-3))
    assert last[1] / whole == pytest.approx(0.1, abs=1e-3)
    assert made.of("rect", "y")[0] == made.of("rect", "y")[1] < made.of("rect", "y")[2]
    for words in (
        "day.jsonl",
        "gate: bar",
        "0:00:00 0:00:15 0:00:30",
        "60.0 % 0:01:00.0",
        "open, 0:00:00.0 to 0:00:50.0, score 0.90",
    ):
        assert words in made.text


def test_the_file_is_self_contained():
    """It is an SVG file with its own light and dark style, and loads nothing."""
    content = timeline([shown(("open", 0, 50, 0.9))])
    made = Reader(content)
    assert made.of("svg", "xmlns") == [NAMESPACE]
    assert "prefers-color-scheme: dark" in content
    assert not re.search(r"(href|src|url\(|@import)", content)


def test_unknown_has_its_own_style():
    """The bar of the label unknown has another CSS class."""
    made = Reader(timeline([shown(("unknown", 0, 50, 0.5), ("open", 50, 60, 0.9))]))
    assert made.of("rect", "class") == ["stretch unknown", "stretch"]


def test_a_day_of_flicker_is_a_small_picture():
    """100,000 stretches of two labels: bars too close to distinguish are merged, and the tooltip has their number."""
    stretches = [(f"{'ab'[i % 2]}", i, i + 0.5, 0.9) for i in range(100_000)]
    content = timeline([shown(*stretches, seconds=100_000.0)])
    assert len(content) < 50_000
    assert "0:00:00.0 to 27:46:38.5: 50000 stretches" in content


def test_a_short_stretch_can_be_seen():
    """One second of a day is one pixel wide."""
    ((_, width),) = bars(Reader(timeline([shown(("fire", 40_000, 40_001, 0.9), seconds=86_400.0)])))
    assert width == 1


def test_many_labels_share_a_last_row():
    """The 24 longest shown of 60 labels have rows. A long label is cut, and complete in the tooltip."""
    stretches = [(f"label {i} {'long ' * 9}", i * 100, i * 100 + 60 - i, 0.9) for i in range(60)]
    made = Reader(timeline([shown(*stretches, seconds=6000.0)]))
    assert len(set(made.of("rect", "y"))) == 25
    assert "36 other labels" in made.text
    assert f"label 0 {'long ' * 9}".strip() in made.text


def test_live_cameras_have_the_time_of_day(utc):  # noqa: F811
    """Ticks are round hours of the local time zone; date and offset from UTC are shown."""
    utc("Asia/Kolkata")  # half an hour beside UTC
    first, last = Moment(0, 0.0, NOON), Moment(1, 6 * 3600.0, NOON + 6 * 3600)
    made = Reader(timeline([Shown("gate", "frame", first, last, 2, 6 * 3600.0, (Stretch("open", first, last, 0.9),))]))
    assert "2025-11-22, UTC+0530" in made.text
    assert "18:00 19:00 20:00" in made.text
    assert "gate: the whole frame" in made.text
    long = Moment(1, 3 * 86_400.0, NOON + 3 * 86_400)
    made = Reader(timeline([Shown("gate", "frame", first, long, 2, 3 * 86_400.0, (Stretch("open", first, long, 0.9),))]))
    assert "11-23 00:00" in made.text


def test_empty_and_single_frame_recordings_can_be_drawn():
    """No region, a region without stretches, and a recording of one frame."""
    assert "nothing was recorded" in Reader(timeline([])).text
    assert "no label lasted" in Reader(timeline([shown()])).text
    assert bars(Reader(timeline([shown(("stop", 0, 0, 0.9), seconds=0.0)])))[0][1] == 1


def test_labels_are_escaped():
    """A label that looks like code is shown as text."""
    assert "<script>" not in timeline([shown(("<script>", 0, 50, 0.9))], title="<script>")
