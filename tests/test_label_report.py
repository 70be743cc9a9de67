"""The measurement of models with several labels a picture, on numbers that a pencil can check."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import metrics
from edgecls.label_report import LabelReport
from edgecls.model.several_labels import SeveralLabels

TRUTH = np.array([[1, 0], [1, 1], [0, 0], [0, -1]])
PROBABILITIES = np.array([[0.9, 0.2], [0.4, 0.8], [0.6, 0.1], [0.1, 0.9]], np.float32)
REPORT = LabelReport(("car", "person"), TRUTH, PROBABILITIES, 1.0, 1.0, (), SeveralLabels.even(2))


def test_each_label_is_measured_where_it_is_marked():
    """Of car one is found, one missed and one wrong; of person all is right, and the unknown mark counts nowhere."""
    car, person = REPORT.classes()
    assert car == ("car", 2, 4, 0.5, 0.5, 0.5, 0.5, round((1 + 2 / 3) / 2, 5))
    assert person == ("person", 1, 3, 0.5, 1.0, 1.0, 1.0, 1.0)


def test_the_means_are_over_labels():
    """Every label counts alike."""
    assert REPORT.macro_f1 == pytest.approx(0.75)
    assert REPORT.mean_ap == pytest.approx((5 / 6 + 1) / 2)
    assert REPORT.top1 == 0.5, "all labels are right on the first and the last picture"
    assert REPORT.worst_class == "car"
    assert REPORT.mistakes(5) == [(2, 0), (1, 0)] or REPORT.mistakes(5) == [(1, 0), (2, 0)]
    assert set(REPORT.as_metrics()) >= {"macro_f1", "mean_ap", "calibration_error", "all_right", "pictures"}


def test_a_threshold_changes_f1_and_not_average_precision():
    """At 0.3, both cars are found and one picture is wrong."""
    lower = REPORT.read_as(SeveralLabels(thresholds=(0.3, 0.5)))
    assert lower.f1[0] == pytest.approx(0.8)
    assert lower.mean_ap == REPORT.mean_ap


def test_a_label_without_pictures_is_left_out_of_the_means():
    """Its numbers are undefined, not 0."""
    report = LabelReport(("car", "bus"), np.array([[1, 0], [0, 0]]), PROBABILITIES[:2], 1.0, 1.0, (), SeveralLabels.even(2))
    assert report.classes()[1][4:] == (0.0, None, None, None)
    assert np.isfinite(report.macro_f1)


def test_average_precision_is_the_mean_precision_at_each_picture_that_is_found():
    """Pictures with equal scores are taken together; without any, it is undefined."""
    shown = np.array([True, False, True])
    assert metrics.average_precision(np.array([0.9, 0.5, 0.1]), shown) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision(np.array([0.5, 0.5, 0.5]), shown) == pytest.approx(2 / 3)
    assert np.isnan(metrics.average_precision(np.array([0.5]), np.array([False])))
