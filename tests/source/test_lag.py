"""A main stream that shows things later or earlier than the substream, in drawn worlds."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import image
from edgecls.source.lag import AGAIN_S, Lag

FPS = 10
HEIGHT, WIDTH = 36, 64


def scene(time_s, seed=0, *, moves=True):
    """A still scene through which a square of 6 pixels passes, 20 pixels a second, with noise of its own."""
    still = np.random.default_rng(7).integers(60, 190, (HEIGHT, WIDTH)).astype(np.float32)
    if moves:
        left = round(20 * time_s) % WIDTH
        top = 4 + 9 * (int(20 * time_s) // WIDTH % 3)
        still[top : top + 6, left : left + 6] = 240
    noise = np.random.default_rng(int(1000 * time_s) + 31 * seed).normal(0, 3, still.shape)
    return np.clip(still + noise, 0, 255).astype(np.uint8)


def watch(lag, late_s, seconds, begins_s=0.0, **options):
    """Show both streams for some seconds; the main one shows what was `late_s` before, less what is known of it."""
    for i in range(int(seconds * FPS)):
        time_s = begins_s + i / FPS
        if lag.is_due(time_s):
            shown_s = time_s - late_s + lag.seconds
            lag.add(time_s, scene(time_s, **options), scene(max(0.0, shown_s), seed=1, **options))


@pytest.mark.parametrize("late_s", [0.5, -0.4, 1.2, 0.13])
def test_a_lag_is_found_and_told_once(late_s):
    said = []
    lag = Lag("gate", said.append)
    watch(lag, late_s, 12.0, begins_s=2.0)
    assert lag.seconds == pytest.approx(late_s, abs=0.05)
    told = [f"gate: source shows things {abs(lag.seconds):.2f} s {'later' if late_s > 0 else 'earlier'} than substream"]
    assert [line.split(";")[0] for line in said] == (told if abs(lag.seconds) >= 0.15 else [])
    watch(lag, late_s, 12.0, begins_s=20.0 + AGAIN_S)  # brought together, it is none any more
    assert lag.seconds == pytest.approx(late_s, abs=0.05)
    assert len(said) <= 1


def test_streams_of_one_moment_stay_as_they_are():
    said = []
    lag = Lag("gate", said.append)
    watch(lag, 0.0, 6.0)
    assert lag.seconds == 0.0
    assert not lag.is_due(6.5)
    assert said == []


def test_a_still_scene_tells_nothing():
    lag = Lag("gate", print)
    watch(lag, 0.5, 12.0, moves=False)
    assert lag.seconds == 0.0
    assert lag.is_due(13.0)


def test_a_short_passage_is_too_little():
    lag = Lag("gate", print)
    for begins_s in (0.0, 5.0, 10.0):
        watch(lag, 0.5, 1.0, begins_s=begins_s)
    assert lag.seconds == 0.0


def test_a_lag_that_is_too_long_means_the_substream_until_it_is_over():
    said = []
    lag = Lag("gate", said.append)
    for i in range(12 * FPS):
        small, main = np.zeros((2, HEIGHT, WIDTH), np.uint8)
        small[:, 2 * i % WIDTH :][:, :8] = 200  # what moves in one does not move in the other
        main[i % HEIGHT :][:8] = 200
        lag.add(i / FPS, small, main)
    assert lag.is_unknown
    assert len(said) == 1
    assert "labels are of the substream until it does" in said[0]
    watch(lag, 0.0, 8.0, begins_s=20.0 + AGAIN_S)
    assert not lag.is_unknown
    assert said[1:] == ["gate: source and substream agree in time now"]


def test_a_shift_lies_between_pictures_too():
    first = [scene(i / FPS) for i in range(2 * FPS, 6 * FPS)]
    second = [scene(i / FPS - 0.25) for i in range(2 * FPS, 6 * FPS)]
    shift = image.time_shift(first, second, 10)
    assert shift is not None
    assert shift.pictures == pytest.approx(2.5, abs=0.3)
    assert shift.alike > shift.unshifted
