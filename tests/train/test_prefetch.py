"""Tests of prefetching: order, errors, and closing."""

from __future__ import annotations

import threading
import time

import pytest

from edgecls.train.prefetch import Prefetcher, depth_for


class Squares:
    """Gives n * n, fails at `fails_at`, and records which numbers were requested."""

    def __init__(self, fails_at=None):
        self.made = []
        self.fails_at = fails_at

    def __getitem__(self, number):
        self.made.append(number)
        if number == self.fails_at:
            raise ValueError(f"no square of {number}")
        return number * number


def threads():
    """Return the threads that make batches."""
    return [t for t in threading.enumerate() if t.name.startswith("batch")]


def wait_until(true, most_s=5.0):
    """Wait until a condition is true."""
    until = time.monotonic() + most_s
    while not true() and time.monotonic() < until:
        time.sleep(0.001)
    assert true()


def test_each_number_gives_what_the_source_gives():
    """Requests in order, with a jump ahead, back to the start, and the same number twice."""
    with Prefetcher(Squares(), 4) as ahead:
        asked = [0, 1, 2, 3, 20, 21, 0, 1, 1, 5]
        assert [ahead[n] for n in asked] == [n * n for n in asked]


def test_the_next_ones_are_made_before_they_are_asked_for_and_no_more():
    """With a depth of four, requesting the first item also makes 1 to 3, but not 4."""
    source = Squares()
    with Prefetcher(source, 4) as ahead:
        assert ahead[0] == 0
        wait_until(lambda: len(source.made) == 4)
        time.sleep(0.02)
        assert sorted(source.made) == [0, 1, 2, 3]


def test_in_order_nothing_is_made_twice():
    """Each of a hundred items in order is made once; a few more are prefetched at the end."""
    source = Squares()
    with Prefetcher(source, 8) as ahead:
        for n in range(100):
            ahead[n]
    assert len(source.made) == len(set(source.made)) <= 108


def test_an_error_is_raised_where_its_number_is_asked_for():
    """Earlier items arrive, the error is raised unchanged, and later requests still work."""
    with Prefetcher(Squares(fails_at=3), 8) as ahead:
        assert [ahead[n] for n in range(3)] == [0, 1, 4]
        with pytest.raises(ValueError, match="no square of 3"):
            ahead[3]
        assert ahead[4] == 16
    assert threads() == []


def test_no_thread_is_left_wherever_it_ends():
    """At the end, after an error in the block, if nothing was requested, and if closed twice."""
    with Prefetcher(Squares(), 4) as ahead:
        ahead[0]
    assert threads() == []
    with pytest.raises(ValueError, match="no square of 0"), Prefetcher(Squares(fails_at=0), 4) as ahead:
        ahead[0]
    assert threads() == []
    idle = Prefetcher(Squares(), 4)
    idle.close()
    idle.close()
    assert threads() == []


def test_after_its_end_whoever_asks_makes_it():
    """A backend may still request items when training is over."""
    ahead = Prefetcher(Squares(), 4)
    ahead.close()
    assert ahead[7] == 49
    assert threads() == []


def test_any_thread_may_ask():
    """Two threads that request the same numbers both get all items."""
    seen = [[], []]
    with Prefetcher(Squares(), 4) as ahead:
        walks = [threading.Thread(target=lambda s=s: s.extend(ahead[n] for n in range(200))) for s in seen]
        for walk in walks:
            walk.start()
        for walk in walks:
            walk.join()
    assert seen == [[n * n for n in range(200)]] * 2


@pytest.mark.parametrize(("batch_bytes", "depth"), [(1, 16), (1_000_000, 8), (5_000_000, 2), (80_000_000, 2)])
def test_large_batches_wait_in_small_numbers(batch_bytes, depth):
    """At most eight megabytes of batches are prefetched, but at least two batches."""
    assert depth_for(batch_bytes) == depth
