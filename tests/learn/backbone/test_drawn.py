"""The drawn pictures have what photographs have: light, colour, edges at all scales."""

from __future__ import annotations

import numpy as np

from edgecls.learn.backbone.drawn import drawn_pictures


def test_they_are_the_same_for_the_same_seed():
    """A backbone is built alike everywhere."""
    one, other = (drawn_pictures(2, 48, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (2, 48, 48, 3)
    assert one.dtype == np.uint8


def test_they_have_the_statistics_of_photographs():
    """Channels that agree, dark and light pictures, and a spectrum that falls about as the frequency squared."""
    pictures = drawn_pictures(40, 64, np.random.default_rng(0)).astype(np.float64)
    means = pictures.mean((1, 2, 3))
    assert means.min() < 90 < 160 < means.max()
    red, green, _ = pictures.reshape(-1, 3).T
    assert np.corrcoef(red, green)[0, 1] > 0.6
    gray = pictures.mean(3)
    power = (np.abs(np.fft.fft2(gray - gray.mean((1, 2), keepdims=True))) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    inner = (frequency > 0.04) & (frequency < 0.35)
    slope = np.polyfit(np.log(frequency[inner]), np.log(power[inner]), 1)[0]
    assert -3 < slope < -1.5
