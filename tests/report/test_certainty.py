"""Intervals are shown where pictures are few."""

from __future__ import annotations

from edgecls.metrics import FEW_PICTURES
from edgecls.report import to_html
from edgecls.report.certainty import certainty, interval_of, range_of
from tests.report import made


def test_six_of_six_is_no_certainty():
    """Wilson's interval is 61.0 to 100.0 %."""
    report = made.report([(0, 0, 0.9)] * 6)
    assert certainty(report) == "95 % interval: 61.0 to 100.0 %"
    assert range_of(interval_of(report, 0)) == "61.0 to 100.0 %"
    assert interval_of(report, 1) is None
    assert interval_of(report, worth=0.5).low < interval_of(report).low


def test_many_pictures_need_no_interval():
    """The shares themselves say what is known."""
    assert certainty(made.report([(0, 0, 0.9), (1, 0, 0.9)] * (FEW_PICTURES // 2))) == ""


def test_the_page_shows_it():
    """For all pictures and in the row of each class."""
    page = made.Reader(to_html(made.page()))
    assert page.text.count("95 % interval") == 2
