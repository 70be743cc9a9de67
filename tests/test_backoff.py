"""Waits between tries."""

from __future__ import annotations

import random

import pytest

from edgecls.backoff import Backoff


class Highest(random.Random):
    """Shortens nothing."""

    def uniform(self, _low: float, high: float) -> float:
        """Return the upper bound."""
        return high


def test_waits_double_up_to_the_longest():
    """From the first one on; the longest need not be one of the doubled ones."""
    backoff = Backoff(0.5, 3.0, rng=Highest())
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_success_begins_anew():
    """After `reset` the first wait comes again, and what follows doubles again."""
    backoff = Backoff(1.0, 8.0, rng=Highest())
    assert [backoff.next_s() for _ in range(3)] == [1.0, 2.0, 4.0]
    backoff.reset()
    assert [backoff.next_s() for _ in range(2)] == [1.0, 2.0]


def test_each_wait_is_shortened_by_up_to_a_half():
    """Over many tries the waits fill the range between the half and the whole."""
    backoff = Backoff(4.0, 4.0, rng=random.Random(1))  # noqa: S311 - it keeps no secret
    waits = [backoff.next_s() for _ in range(1000)]
    assert all(2.0 <= wait_s <= 4.0 for wait_s in waits)
    assert min(waits) < 2.1
    assert max(waits) > 3.9


def test_the_generator_decides_the_waits():
    """Equal generators give equal waits; without one, two devices wait differently."""
    given = [Backoff(1.0, 9.0, rng=random.Random(seed)) for seed in (3, 3)]  # noqa: S311 - they keep no secret
    assert len({tuple(backoff.next_s() for _ in range(5)) for backoff in given}) == 1
    own = [Backoff(1.0, 9.0) for _ in range(2)]
    assert len({tuple(backoff.next_s() for _ in range(5)) for backoff in own}) == 2


@pytest.mark.parametrize("seed", range(3))
def test_no_wait_is_longer_than_the_longest(seed):
    """However often it fails."""
    backoff = Backoff(0.5, 10.0, rng=random.Random(seed))  # noqa: S311 - it keeps no secret
    assert max(backoff.next_s() for _ in range(100)) <= 10.0
