"""Distances between samples, against what they are by definition and by chance."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.drift.distances import jensen_shannon, jensen_shannon_by_chance, wasserstein, wasserstein_by_chance


def test_distances_of_known_samples():
    """Equal shares: 0. No label in common: 1. All values two bins higher: two bins."""
    assert jensen_shannon(np.array([2.0, 2, 0]), np.array([5.0, 5, 0])) == pytest.approx(0)
    assert jensen_shannon(np.array([2.0, 0]), np.array([0, 5.0])) == pytest.approx(1)
    assert wasserstein(np.array([3.0, 1, 0, 0]), np.array([0, 0, 6.0, 2]), 0.1) == pytest.approx(0.2)


@pytest.mark.parametrize("size", [40, 400])
def test_samples_of_the_same_source_hardly_exceed_the_limit_of_chance(size):
    """At most one of a hundred pairs does, and the limit is not far from the largest."""
    rng, shares = np.random.default_rng(1), np.array([0.4, 0.3, 0.2, 0.1])
    pairs = [(rng.multinomial(size, shares).astype(float), rng.multinomial(5 * size, shares).astype(float)) for _ in range(300)]
    labels = [jensen_shannon(a, b) / jensen_shannon_by_chance(4, size, 5 * size) for a, b in pairs]
    values = [wasserstein(a, b, 0.1) / wasserstein_by_chance(shares, 0.1, size, 5 * size) for a, b in pairs]
    for ratios in (labels, values):
        assert np.mean(np.array(ratios) > 1) <= 0.01
        assert max(ratios) > 0.4
