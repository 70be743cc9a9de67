"""Minimize a smooth function with L-BFGS (Liu and Nocedal 1989), in numpy alone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Cost = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]
    Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

MEMORY = 10
"""How many earlier steps approximate the curvature."""
SUFFICIENT, MOST_HALVINGS = 1e-4, 30
"""A step must lower the cost by this share of what the slope promises (Armijo 1966); else it is halved."""


def minimize(cost: Cost, start: NDArray[np.float64], *, tolerance: float, most_steps: int = 200) -> NDArray[np.float64]:
    """Return the point where a convex function is smallest.

    Args:
        cost: Point, (D,) -> the value there and its gradient, (D,).
        start: Where to begin, (D,).
        tolerance: The largest component of the gradient at which to stop.
        most_steps: Stop after this many steps at the latest.
    """
    point = start.astype(np.float64)
    value, slope = cost(point)
    memory: deque[Pair] = deque(maxlen=MEMORY)
    for _ in range(most_steps):
        if np.abs(slope).max() <= tolerance:
            break
        direction = -_times_inverse_curvature(slope, memory)
        along = float(direction @ slope)
        length = 1.0 if memory else min(1.0, 1.0 / float(np.linalg.norm(slope)))
        for _ in range(MOST_HALVINGS):
            there = point + length * direction
            value_there, slope_there = cost(there)
            if value_there <= value + SUFFICIENT * length * along:
                break
            length /= 2
        else:
            break  # rounding: no step lowers the cost any more
        step, change = there - point, slope_there - slope
        if float(step @ change) > 1e-12 * float(change @ change):
            memory.append((step, change))
        point, value, slope = there, value_there, slope_there
    return point


def _times_inverse_curvature(slope: NDArray[np.float64], memory: Iterable[Pair]) -> NDArray[np.float64]:
    """Return the inverse of the approximated Hessian times a gradient, by the two-loop recursion."""
    found = slope.copy()
    pairs = [(step, change, 1 / float(step @ change)) for step, change in memory]
    shares = []
    for step, change, scale in reversed(pairs):
        shares.append(scale * float(step @ found))
        found -= shares[-1] * change
    if pairs:
        step, change, scale = pairs[-1]
        found *= 1 / (scale * float(change @ change))
    for (step, change, scale), share in zip(pairs, reversed(shares), strict=True):
        found += (share - scale * float(change @ found)) * step
    return found
