"""The learning curve of errors that follow a known law."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.learn.cross_validation import cross_validated
from edgecls.learn.curve import Curve, _continued, curve
from edgecls.learn.head import Views
from tests.learn.standin import embeddings


def test_a_power_law_is_continued():
    """Errors of 0.8 n^-0.5 at 5, 10 and 20 give 0.8 n^-0.5 at 80."""
    at = np.array([5.0, 10.0, 20.0])
    right = 1e6 * (1 - 0.8 * at**-0.5)
    assert _continued(at, right, 1e6, [80.0])[0] == pytest.approx(1 - 0.8 * 80**-0.5, abs=1e-4)


def test_more_pictures_are_never_forecast_to_be_worse():
    """If chance made the errors grow, the curve is flat."""
    at = np.array([5.0, 10.0])
    assert _continued(at, np.array([90.0, 80.0]), 100, [40.0])[0] == pytest.approx(0.848, abs=0.01)


def learned(counts, distance):
    """The curve of drawn pictures, each a group of its own."""
    rows, class_ids = embeddings(counts, distance=distance)
    known = Views(rows, class_ids, len(counts))
    scored = cross_validated(known, [[i] for i in range(len(class_ids))], seed=0)
    return curve(known, scored, np.arange(len(class_ids)), seed=0)


def test_points_are_those_that_the_pictures_allow():
    """40 a class: heads of 5, 10, 20 and 36; forecasts for 80 and 160 with intervals around them."""
    found = learned([40, 40, 40], 0.35)
    assert [point.pictures for point in found.points] == [5, 10, 20, 36]
    assert [forecast.pictures for forecast in found.forecasts] == [80, 160]
    for point in found.points:
        assert point.interval.low < point.accuracy < point.interval.high
    for forecast in found.forecasts:
        assert forecast.interval.low <= forecast.accuracy <= forecast.interval.high
    assert found.forecasts[0].accuracy >= found.points[0].accuracy


def test_too_few_mistakes_say_nothing_about_more():
    """If all are right, chance would decide how the curve goes on."""
    assert learned([40, 40, 40], 3) == Curve()


def test_few_pictures_say_nothing_about_more():
    """Of 6 a class there is no curve."""
    assert learned([6, 6], 0.7) == Curve()
