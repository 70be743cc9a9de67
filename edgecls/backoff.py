"""How long to wait before something that has failed is tried again."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from `first_s` to `longest_s` seconds (exponential backoff with jitter).

    Each wait is shortened at random, by up to a half, so that all the devices behind a switch or a server that was restarted do
    not come back at the same moment. `reset` begins with the first wait again.

    Args:
        first_s: The first wait, in seconds.
        longest_s: No wait is longer.
        rng: Where the random numbers come from; left out, a generator of its own.

    Example:
        >>> backoff = Backoff(0.5, 10.0, rng=random.Random(1))
        >>> [round(backoff.next_s(), 2) for _ in range(3)]
        [0.28, 0.92, 1.76]
    """

    def __init__(self, first_s: float, longest_s: float, *, rng: random.Random | None = None) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._rng = rng or random.Random()  # noqa: S311 - it spreads load, it keeps no secret
        self._wait_s = first_s

    def next_s(self) -> float:
        """Return how many seconds to wait after another failure."""
        wait_s = self._wait_s
        self._wait_s = min(2 * wait_s, self._longest_s)
        return wait_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin with the first wait again, as after a success."""
        self._wait_s = self._first_s
