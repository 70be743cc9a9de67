"""By how many pictures one sequence of a scene comes after another one, told by what moves in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Picture

STILL = 0.5
"""The least mean deviation of the levels from those of the still scene, for anything to count as moving."""
LASTING = 0.25
"""The least correlation of what moves with the same one picture later: what moves is seen twice, noise is not."""
OVERLAP = 8
"""The least number of pictures that are compared for a shift."""


@dataclass(frozen=True, slots=True)
class TimeShift:
    """How sequences of one scene fit each other in time.

    Attributes:
        pictures: By how many pictures the second one comes later; between two pictures, too.
        alike: The correlation of what moves, at that shift: -1 to 1.
        unshifted: The same without a shift.
    """

    pictures: float
    alike: float
    unshifted: float


def time_shift(first: Sequence[Picture], second: Sequence[Picture], most: int) -> TimeShift | None:
    """Return by how many pictures a sequence comes after another one of the same scene; None if nothing moves in one of them.

    The mean of each sequence, which is the still scene, is taken off. What is left is compared at each shift (the maximum of
    the cross-correlation in time, refined by the parabola through its neighbours).

    Args:
        first: Pictures of one size, at equal steps of time, each (H, W) uint8.
        second: Pictures of that size at the same times.
        most: The largest shift to be tried, in pictures, in both directions.
    """
    moving = [_without_the_still(pictures) for pictures in (first, second)]
    most = min(most, len(first) - OVERLAP)
    if most < 1 or any(float(one.std()) < STILL or _alike(one, one, 1) < LASTING for one in moving):
        return None
    alike = [_alike(moving[0], moving[1], shift) for shift in range(-most, most + 1)]
    best = int(np.argmax(alike))
    between = 0.0
    if 0 < best < 2 * most:
        before, at, after = alike[best - 1 : best + 2]
        between = 0.5 * (before - after) / min(before - 2 * at + after, -1e-6)
    return TimeShift(best - most + float(np.clip(between, -0.5, 0.5)), alike[best], alike[most])


def _without_the_still(pictures: Sequence[Picture]) -> np.ndarray:
    """Return what differs from the mean of all pictures, (N, H * W) float32."""
    stacked = np.stack(pictures).astype(np.float32).reshape(len(pictures), -1)
    return np.asarray(stacked - stacked.mean(axis=0))


def _alike(first: np.ndarray, second: np.ndarray, shift: int) -> float:
    """Return the correlation of a sequence with another one that is moved `shift` pictures forward."""
    count = len(first) - abs(shift)
    one, other = first[max(0, -shift) :][:count], second[max(0, shift) :][:count]
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / scale if scale else 0.0
