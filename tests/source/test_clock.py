"""Tests of media time, computed from timestamps and arrival times of good and bad streams."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from edgecls.source.clock import OFF_S, FileClock, LiveClock, Presentation

FPS = 25
BEGAN_S = 1000.0
"""When the first packet arrives, on the monotonic clock."""


def even(seconds: float, fps: float = FPS) -> list[float]:
    """Return the times at which a camera captures its frames."""
    return [i / fps for i in range(round(seconds * fps))]


def live(stream: list[float | None], arrivals: list[float]) -> list[float]:
    """Return the media times of packets, from 0."""
    clock = LiveClock()
    times = [clock.time_s(s, BEGAN_S + a) for s, a in zip(stream, arrivals, strict=True)]
    assert all(before < after for before, after in pairwise(times))
    return [t - times[0] for t in times]


def of_file(stream: list[float | None], usual_s: float = 0.04) -> list[float]:
    clock = FileClock(usual_s)
    return [clock.time_s(s) for s in stream]


def untouched(stream: list[float], arrivals: list[float]) -> bool:
    """Return whether the clock keeps every timestamp bit for bit."""
    clock = LiveClock()
    return [clock.time_s(s, BEGAN_S + a) for s, a in zip(stream, arrivals, strict=True)] == stream


def late_by_chance(times: list[float], most_s: float) -> list[float]:
    """Return arrival times over a network that delays each packet at random and keeps the order."""
    rng, arrivals = random.Random(0), []  # noqa: S311 - no secret
    for t in times:
        arrivals.append(max(t + rng.uniform(0, most_s), arrivals[-1] if arrivals else 0.0))
    return arrivals


def stalled(times: list[float], at_s: float, for_s: float, burst_step_s: float = 0.001) -> list[float]:
    """Return arrival times over a link that stalls once and then delivers what it held."""
    arrivals: list[float] = []
    for t in times:
        held = at_s + for_s if at_s <= t < at_s + for_s else t
        arrivals.append(max(held, arrivals[-1] + burst_step_s if arrivals else 0.0))
    return arrivals


def in_segments(times: list[float], length_s: float) -> list[float]:
    """Return arrival times of HLS: a whole segment at once."""
    arrivals: list[float] = []
    for t in times:
        arrivals.append(max((t // length_s + 1) * length_s, arrivals[-1] + 0.002 if arrivals else 0.0))
    return arrivals


@pytest.mark.parametrize(
    "arrivals",
    [
        pytest.param(even(120), id="even"),
        pytest.param(late_by_chance(even(120), 0.4), id="jitter of 0.4 s"),
        pytest.param(stalled(even(120), 30, 8), id="a stall of 8 s and all that was held at once"),
        pytest.param(stalled(even(120), 30, 8, burst_step_s=0.02), id="a stall of 8 s, caught up at twice the speed"),
        pytest.param(stalled(even(120), 0, 5), id="5 s in store when it connects"),
        pytest.param(stalled(even(120), 0, 18), id="18 s in store when it connects"),
        pytest.param(in_segments(even(120), 6), id="HLS"),
        pytest.param([t * 1.0002 for t in even(7200, 5) if t][: 120 * FPS], id="a crystal that is 0.02 % slow"),
        pytest.param([t * 1.001 for t in even(120)], id="29.97 for 30"),
        pytest.param([t + (0.8 if t > 60 else 0) for t in even(120)], id="a longer way from the middle on"),
    ],
)
def test_the_times_of_a_good_stream_are_untouched(arrivals):
    """A stream with a correct clock keeps its timestamps bit for bit, however the network delivers it."""
    stream = even(120) if arrivals[-1] < 300 else even(7200, 5)[1 : 120 * FPS + 1]
    assert untouched([77.7 + t for t in stream], arrivals)


def test_a_slow_drift_over_hours_is_no_fault():
    """Two hours of a camera whose crystal is off by 0.05 % in either direction."""
    for off in (0.9995, 1.0005):
        times = even(7200, 5)
        assert untouched(times, [t * off for t in times])


def test_uneven_frames_are_no_fault():
    """Frames 20 ms to 3 s apart, as of a camera that sends on motion, keep their times."""
    rng, times = random.Random(1), [0.0]  # noqa: S311 - no secret
    for _ in range(2000):
        times.append(times[-1] + rng.choice([0.02, 0.04, 0.2, 1.0, 3.0]))
    assert untouched(times, late_by_chance(times, 0.1))


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.5, 0.9, 0.96, 1.04, 1.25, 2.0, 4.0, 10.0, 100.0, -1.0])
def test_a_wrong_speed_follows_the_arrival(speed):
    """Whatever the speed of its clock, a minute of a stream lasts a minute, within 2 % and the tolerance."""
    times = even(60)
    found = live([500 + speed * t for t in times], late_by_chance(times, 0.05))
    assert abs(found[-1] - 60) < 60 * 0.02 + OFF_S + 0.2
    last_10_s = found[-1] - found[-1 - 10 * FPS]
    assert last_10_s == pytest.approx(10, abs=1.2 if abs(speed - 1) < 0.05 else 0.2)


def test_without_timestamps_the_arrival_counts():
    """Eight pictures per second are an eighth of a second apart."""
    times = even(10, 8)
    assert live([None] * len(times), times) == pytest.approx(times)


def test_timestamps_that_are_missing_now_and_then():
    """Every third timestamp is missing; the others are kept."""
    times = even(10)
    found = live([None if i % 3 == 2 else t for i, t in enumerate(times)], times)
    assert found == pytest.approx(times)


@pytest.mark.parametrize("again_s", [0.0, -3.0, 9.5, 3600.0, 1e6, -1e6, 2.0**33 / 90_000])
def test_a_jump_goes_on_by_the_arrival(again_s):
    """If the clock is set back or ahead, or wraps around, the next frame comes one frame later."""
    times = even(20)
    stream = [100 + t if t < 10 else 90 + again_s + t + 0.5 for t in times]
    assert live(stream, times) == pytest.approx(times, abs=0.6 if again_s == 9.5 else 1e-6)


def test_a_restart_after_a_pause_counts_the_pause():
    """A camera that restarts takes 4 s, and its clock begins at 0 again."""
    stream = even(10) + even(10)
    arrivals = even(10) + [14 + t for t in even(10)]
    assert live(stream, arrivals) == pytest.approx(arrivals)


def test_a_clock_that_stops_and_goes_on():
    """The clock stands still for 5 s and continues: no time is lost or counted twice."""
    times = even(40)
    stream = [t if t < 10 else max(10.0, t - 5) for t in times]
    assert live(stream, times) == pytest.approx(times, abs=0.05)


def test_a_pause_that_the_clock_does_not_count_is_made_up():
    """A camera that pauses for 5 s without counting them lags behind the clock for at most 3 s."""
    stream = even(60)
    arrivals = [t if t < 20 else t + 5 for t in stream]
    found = live(stream, arrivals)
    assert found[-1] == pytest.approx(arrivals[-1], abs=0.05)
    assert found[24 * FPS] == pytest.approx(29, abs=0.05)


def test_a_clock_that_comes_right_is_trusted_again():
    """After a minute at double speed and two at the right one, the steps are those of the stream again."""
    slow, good = even(60), even(120)
    stream = [2 * t for t in slow] + [120 + t for t in good]
    found = live(stream, late_by_chance(slow + [60 + t for t in good], 0.1))
    steps = [after - before for before, after in pairwise(found[-FPS:])]
    assert steps == pytest.approx([0.04] * len(steps), abs=1e-9)


def test_the_times_of_a_good_file_are_untouched():
    """Regular and irregular steps, and a gap of hours, as of a camera that records on motion."""
    stream = [7.0, 7.04, 7.08, 7.5, 9.0, 9.04, 9000.0, 9000.04]
    assert of_file(stream) == stream


@pytest.mark.parametrize("again_s", [0.0, 9.0, -500.0])
def test_the_second_recording_in_a_file_goes_on_one_step_later(again_s):
    """Wherever the second recording's times begin, its first frame comes one typical step after the last one."""
    stream = [10 + t for t in even(2, 10)] + [again_s + t for t in even(2, 10)]
    assert of_file(stream) == pytest.approx([10 + t for t in even(4, 10)])


def test_a_file_whose_times_stand_or_miss():
    """Then its usual step counts."""
    assert of_file([0.0, 0.0, 0.0, 0.0]) == pytest.approx([0, 0.04, 0.08, 0.12])
    assert of_file([None, None, None]) == pytest.approx([0, 0.04, 0.08])
    assert of_file([0.0, 0.1, None, 0.3]) == pytest.approx([0, 0.1, 0.2, 0.3])


def test_pictures_take_times_in_their_order():
    """Packets 0..5 come out as 0 2 1 4 3 5 and get the times 0..5. A packet without a picture is dropped in time."""
    presentation = Presentation(1)
    for ticks in range(6):
        presentation.expect(ticks)
    assert [presentation.take(ticks) for ticks in (0, 2, 1, 4, 3, 5)] == [0, 1, 2, 3, 4, 5]


def test_a_packet_without_a_picture_costs_no_time():
    """The picture of packet 100 never comes: the next ones are one step early until it is certain to be lost."""
    presentation = Presentation(1)
    for ticks in range(100, 104):
        presentation.expect(ticks)
    found = []
    for ticks in range(101, 160):
        presentation.expect(ticks + 3)
        found.append(presentation.take(ticks))
    assert found[:3] == [100, 101, 102]
    assert found[-40:] == list(range(120, 160))
    assert all(before < after for before, after in pairwise(found))
