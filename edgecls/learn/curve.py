"""The learning curve: how accurate heads of fewer pictures are, and what more pictures are likely to be worth.

The error of a classifier falls with the number n of training pictures about as c x n^-a (Hestness et al. 2017, Rosenfeld et al.
2020). The curve is fitted to heads of 5, 10, 20, ... pictures per class, each scored by cross-validation with the same folds,
and continued to at most MOST_TIMES as many pictures as there are. Its uncertainty comes from drawing the groups again with
replacement (the bootstrap, Efron 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.learn.accuracy import SHARED_TRAINING
from edgecls.learn.cross_validation import scores
from edgecls.learn.folds import NEVER
from edgecls.metrics import Interval, effective_pictures, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.learn.cross_validation import Scored
    from edgecls.learn.head import Views

FIRST = 5
"""The smallest number of pictures per class on the curve; each further one is twice the one before."""
FEWEST_POINTS = 2
"""A curve of fewer points says nothing about more pictures."""
FEWEST_SCORED, FEWEST_MISTAKES = 30, 5
"""With fewer pictures, or fewer mistakes among them, chance decides how the curve goes on."""
MOST_TIMES = 4
DRAWS = 400
STEEPEST = 1.0
"""The largest exponent of the curve: faster progress does not last."""


@dataclass(frozen=True, slots=True)
class Point:
    """The accuracy of heads of `pictures` per class, 0..1, and the interval of 95 %."""

    pictures: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """The accuracy to expect of `pictures` per class: the most likely value, 0..1, and the interval of 95 %."""

    pictures: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """What was measured with fewer pictures, and what to expect of more. Empty if the pictures are too few to say.

    Attributes:
        points: By rising number of pictures per class; the last one is of all pictures that a fold can train with.
        forecasts: For twice and for MOST_TIMES as many pictures as there are.
    """

    points: tuple[Point, ...] = ()
    forecasts: tuple[Forecast, ...] = ()


def curve(views: Views, scored: Scored, group_of: NDArray[np.int64], *, seed: int) -> Curve:
    """Return the learning curve.

    Args:
        views: The embeddings.
        scored: The scores of heads of all pictures, which the last point of the curve is of.
        group_of: The group of each picture, (N,).
        seed: Chooses the pictures of the smaller heads, and draws the groups.
    """
    held = scored.fold_of != NEVER
    counts = np.bincount(views.class_ids, minlength=views.classes)
    folds = len(np.unique(scored.fold_of[held]))
    all_pictures = float(np.median(counts)) * (1 - 1 / max(2, folds))
    sizes: list[int] = []
    while FIRST * 2 ** len(sizes) <= 0.7 * all_pictures:
        sizes.append(FIRST * 2 ** len(sizes))
    mistakes = int((~scored.right[held]).sum())
    if len(sizes) + 1 < FEWEST_POINTS or held.sum() < FEWEST_SCORED or mistakes < FEWEST_MISTAKES:
        return Curve()
    rights = [_right_with(views, scored, size, seed)[held] for size in sizes]
    rows = np.stack([*rights, scored.right[held]]).astype(np.float64)
    at = np.array([*sizes, all_pictures])
    targets = [2 * float(np.median(counts)), MOST_TIMES * float(np.median(counts))]
    expected = _continued(at, rows.sum(axis=1), rows.shape[1], targets)
    drawn = _redrawn(at, rows, group_of[held], targets, np.random.default_rng(seed))
    return Curve(
        points=tuple(_point(round(float(n)), row > 0, group_of[held]) for n, row in zip(at, rows, strict=True)),
        forecasts=tuple(
            Forecast(round(target), accuracy, Interval(*np.quantile(several, (0.025, 0.975)).tolist()))
            for target, accuracy, several in zip(targets, expected, drawn.T, strict=True)
        ),
    )


def _point(pictures: int, right: NDArray[np.bool_], group_of: NDArray[np.int64]) -> Point:
    effective = effective_pictures(right, group_of.tolist()) / SHARED_TRAINING
    share = float(right.mean())
    return Point(pictures, share, wilson(share, effective))


def _right_with(views: Views, scored: Scored, size: int, seed: int) -> NDArray[np.bool_]:
    """Return which pictures are right by heads of at most `size` pictures per class, drawn anew for each fold."""
    rng = np.random.default_rng((seed, size))
    right = np.zeros(len(scored.fold_of), np.bool_)
    for fold in np.unique(scored.fold_of[scored.scored]).tolist():
        chosen = np.zeros(len(right), np.bool_)
        for class_id in range(views.classes):
            there = np.flatnonzero((views.class_ids == class_id) & (scored.fold_of != fold))
            chosen[rng.permutation(there)[:size]] = True
        only = np.where(scored.fold_of == fold, fold, NEVER)
        right |= scores(views, only, scored.strength, chosen).right
    return right


def _continued(at: NDArray[np.float64], right: NDArray[np.float64], of: float, targets: Sequence[float]) -> list[float]:
    """Fit the curve to the number of right pictures of `of` at each size, and return its accuracy at the targets."""
    errors = (of - right + 0.5) / (of + 1)
    weights = errors * of  # of log(error), whose variance is about 1 / wrong pictures
    x, y = np.log(at), np.log(errors)
    middle_x, middle_y = np.average(x, weights=weights), np.average(y, weights=weights)
    spread = float(np.average((x - middle_x) ** 2, weights=weights))
    slope = float(np.average((x - middle_x) * (y - middle_y), weights=weights)) / spread
    slope = min(0.0, max(-STEEPEST, slope))
    return [float(1 - np.exp(middle_y + slope * (np.log(target) - middle_x))) for target in targets]


def _redrawn(
    at: NDArray[np.float64],
    rows: NDArray[np.float64],
    group_of: NDArray[np.int64],
    targets: Sequence[float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the forecasts for groups drawn with replacement, (DRAWS, targets)."""
    groups = np.unique(group_of, return_inverse=True)[1]
    number = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, weights=row, minlength=number) for row in rows])
    sizes = np.bincount(groups, minlength=number).astype(np.float64)
    found = []
    for _ in range(DRAWS):
        drawn = rng.integers(0, number, number)
        found.append(_continued(at, sums[:, drawn].sum(axis=1), float(sizes[drawn].sum()), targets))
    return np.array(found)
