"""Reliability, and risk against coverage."""

from __future__ import annotations

from edgecls.report.charts import operating_points, reliability
from tests.report.made import Reader, report


def test_the_bins_of_the_diagram_have_their_pictures():
    """Nine of ten pictures with score 0.97 are right, and one of two with 0.5; empty bins are not drawn."""
    answers = [(0, 0, 0.97)] * 9 + [(1, 0, 0.97), (0, 0, 0.5), (1, 0, 0.5)]
    read = Reader(reliability(report(answers)))
    assert "score 0.93 to 1.00: 10 pictures, mean score 0.970, 90.0 % right" in read.text
    assert "score 0.47 to 0.53: 2 pictures, mean score 0.500, 50.0 % right" in read.text
    assert read.of("rect", "class").count("bar count") == 2
    assert read.of("rect", "class").count("bar right few") == 1
    assert "Expected calibration error 0.0583" in read.text


def test_too_sure_and_too_unsure_look_different():
    """One score is above the share of right labels, the other one below."""
    boasts = Reader(reliability(report([(0, 0, 0.9), (1, 0, 0.9)]))).of("rect", "class")
    doubts = Reader(reliability(report([(0, 0, 0.6), (1, 1, 0.6)]))).of("rect", "class")
    assert "bar sure few" in boasts
    assert "bar shy few" in doubts


def test_the_table_of_risks():
    """The ten least familiar of 100 pictures are wrong: 10 % of all, and none of the first 90."""
    answers = [(0, 0, 0.99 - i / 1000) for i in range(90)] + [(1, 0, 0.6 - i / 1000) for i in range(10)]
    text = Reader(operating_points(report(answers))).text
    percent = [f"{share} %" for share in ("100.0", "99.0", "98.0", "95.0", "90.0", "80.0")]
    risks = [f"{risk} %" for risk in ("10.00", "9.09", "8.16", "5.26", "0.00", "0.00")]
    assert text.endswith(" ".join(["answered", *percent, "of these wrong", *risks]))
