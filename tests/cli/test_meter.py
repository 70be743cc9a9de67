"""Tests of the status of a run."""

from __future__ import annotations

import math

from edgecls.cli.meter import WINDOW_FRAMES, Meter
from tests.run.world import frame, result


def test_nothing_seen_is_no_rate_and_no_age():
    """Without results, the meter shows 0 fps and no age."""
    meter = Meter()
    assert meter.fps("gate") == 0
    assert math.isnan(meter.age_ms("gate"))
    assert meter.line(["gate"], 1.0, 0) == "0 frames, 0 skipped | gate nothing yet"


def test_a_rate_counts_intervals():
    """Eleven results, one every 0.1 s, are ten intervals in a second: 10 fps, not 11."""
    meter = Meter()
    for i in range(11):
        meter.add(result(frame(i)), i / 10)
    assert abs(meter.fps("gate") - 10) < 1e-9


def test_one_result_has_no_rate():
    """One result has no interval, and neither have two at the same time."""
    meter = Meter()
    meter.add(result(frame()), 5.0)
    assert meter.fps("gate") == 0
    meter.add(result(frame(1)), 5.0)
    assert meter.fps("gate") == 0


def test_the_age_is_the_median():
    """One slow frame among fast ones does not change the age."""
    meter = Meter()
    for i, age_ms in enumerate((2.0, 1.0, 900.0, 3.0, 2.0)):
        meter.add(result(frame(i), age_ms=age_ms), float(i))
    assert meter.age_ms("gate") == 2.0


def test_only_the_last_results_count_for_the_rate():
    """After a slow start, the rate is that of the last results, while the count includes all."""
    meter, now_s = Meter(), 0.0
    for i in range(3 * WINDOW_FRAMES):
        now_s += 10.0 if i < WINDOW_FRAMES else 0.5
        meter.add(result(frame(i)), now_s)
    assert abs(meter.fps("gate") - 2) < 1e-9
    assert meter.frames == {"gate": 3 * WINDOW_FRAMES}


def test_each_camera_has_its_own_rate():
    """Two cameras at 10 and 2 fps have two rates, in one line with the total and the skipped frames. A camera without new
    results has no rate, and a removed one is not shown.
    """
    meter = Meter()
    for i in range(11):
        meter.add(result(frame(i, camera="fast"), age_ms=4), i / 10)
    for i in range(3):
        meter.add(result(frame(i, camera="slow"), age_ms=40), i / 2)
    assert meter.line(["fast", "slow"], 1.5, 7) == "14 frames, 7 skipped | fast 10.0 fps, 4 ms old | slow 2.0 fps, 40 ms old"
    assert meter.line(["slow"], 21.0, 7) == "14 frames, 7 skipped | slow nothing for 20 s"
