"""Tell pictures of no class by where they lie among the features of the network, without any foreign picture to learn from.

A network that separates two classes may be sure of its label for a picture of neither. What it computes before its last layer,
the embedding, shows this better: known pictures lie around the mean of their class, and foreign ones elsewhere. The novelty of
a picture is the Mahalanobis distance of its embedding to the nearest class mean, with one covariance for all classes (Lee et
al. 2018), in units of a limit that a given share of the known pictures keeps.

Two things differ from that paper. Embeddings are square roots of the features, with length 1: foreign pictures often have small
features, so without this they lie nearer to the means than the known ones (compare Sun et al. 2022). And the covariance is
shrunk (Chen et al. 2010, oracle approximating shrinkage): a few pictures suffice, and beyond the largest variances it is the
same in all directions, so the distance takes few numbers and hardly any time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import DataError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NOVELTY_NAME = "novelty"
"""The output of the graph."""
SUM_EPSILON = 1e-6
"""Added to the sum of the features, for a picture without any."""
RANK = 32
"""How many directions have a variance of their own."""
KEPT = 0.98
"""The share of known pictures that stay below the limit."""
QUANTILES = 20
"""How many novelties of known pictures the card has."""
FOLDS = 10
LEAST_VARIANCE = 1e-3
"""The least sum of all variances of unit vectors: pictures that are nearly the same must not make the slightest change new."""
LEAST_LIMIT = 0.1
"""The least limit per feature. Known pictures have a distance of 1 per feature, and less if they vary less than expected."""
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class NoveltyLimit:
    """What the card says of the novelty that the graph computes.

    Attributes:
        method: How it is computed.
        limit: A picture with a larger novelty is unknown. Novelty is in units of the fitted limit, so this is 1 unless it was
            changed afterwards; above 0.
        kept: The share of known pictures whose novelty was at most 1 in the fit, 0..1.
        quantiles: The novelty of these pictures: QUANTILES values that divide them into equal parts; empty on older cards.
    """

    method: str = "mahalanobis"
    limit: float = 1.0
    kept: float = KEPT
    quantiles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Validate the ranges. Raises ModelError."""
        if not (0 < self.limit < math.inf and 0 <= self.kept <= 1):
            raise ModelError(f"novelty: expected a limit above 0 and a kept of 0 to 1, found {self.limit} and {self.kept}")

    def exceeded(self, novelty: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether pictures are unknown, (N,), given their novelty, (N,); what is no number is."""
        return ~(novelty <= self.limit)


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """A distance in the space of D features, from C class means: the smallest of C quadratic functions.

    For a unit vector u of features it is min over c of (slopes[c] . u + offsets[c]) + sum over k of
    weights[k] (directions[k] . u)^2.

    Attributes:
        directions: The directions with a variance of their own, (K, D) float32 of length 1, as float16 can hold them.
        weights: (K,) float32, 0 or less.
        slopes: (C, D) float32; with a limit as float16 can hold them.
        offsets: (C,) float32.
        kept: The share of known pictures whose novelty is at most 1; 0 before there is a limit.
        quantiles: The novelty of these pictures, see `NoveltyLimit`; empty before there is a limit.
    """

    directions: NDArray[np.float32]
    weights: NDArray[np.float32]
    slopes: NDArray[np.float32]
    offsets: NDArray[np.float32]
    kept: float = 0.0
    quantiles: tuple[float, ...] = ()

    def scores(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the novelty of each picture, (N,) float32, given embeddings, (N, D): above 1 it is of no class."""
        units = unit(embeddings)
        squares = np.square(units @ self.directions.T) @ self.weights
        nearest = (units @ self.slopes.T + self.offsets).min(axis=1)
        scores: NDArray[np.float32] = (nearest + squares).astype(np.float32)
        return scores

    def limited(self, scores: NDArray[np.floating], kept: float = KEPT) -> Novelty:
        """Return the novelty in units of a limit.

        Args:
            scores: The `scores` of known pictures that were not fitted, (N,).
            kept: The share (0 to 1) of them to stay below the limit.
        """
        limit = np.float32(max(_limit(scores, kept), LEAST_LIMIT * self.slopes.shape[1]))
        slopes = _as_float16(self.slopes / limit)
        sure = min(kept, len(scores) / (len(scores) + 1))  # the largest of N scores keeps no more
        places = (np.arange(QUANTILES) + 0.5) / QUANTILES
        quantiles = tuple(round(float(x), 3) for x in np.quantile(np.asarray(scores) / limit, places))
        return replace(
            self, weights=self.weights / limit, slopes=slopes, offsets=self.offsets / limit, kept=sure, quantiles=quantiles
        )


def unit(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the square roots of features, scaled to length 1, (N, D) float32; negative features count as 0."""
    positive = np.maximum(embeddings, 0).astype(np.float32)
    units: NDArray[np.float32] = np.sqrt(positive / (positive.sum(axis=1, keepdims=True) + np.float32(SUM_EPSILON)))
    return units


def fit_novelty(
    embeddings: NDArray[np.floating], class_ids: NDArray[np.integer], groups: NDArray[np.generic], rng: np.random.Generator,
    *, kept: float = KEPT,
) -> Novelty:  # fmt: skip
    """Fit means and covariance to all pictures, and the limit by cross-validation, in which groups stay together.

    Pictures lie nearer to means that they have moved themselves. So each is compared with means of the others only.

    Args:
        embeddings: The features of known pictures, (N, D), as the last layer gets them.
        class_ids: Their classes, (N,); one class is enough.
        groups: The group of each picture, (N,): numbers or texts. Pictures of a group, such as views of one thing, are alike.
        rng: Deals the groups out to folds.
        kept: The share (0 to 1) of known pictures to stay below the limit.

    Raises:
        DataError: The pictures are of fewer than two groups.

    Example:
        novelty = fit_novelty(embeddings, class_ids, np.arange(len(class_ids)), np.random.default_rng(0))
        unknown = novelty.scores(others) > 1
    """
    units, class_ids = unit(embeddings), np.asarray(class_ids)
    scores = np.empty(len(units), np.float32)
    for held_out in _folds(class_ids, np.asarray(groups), rng):
        scores[held_out] = fit(embeddings[~held_out], class_ids[~held_out]).scores(embeddings[held_out])
    return fit(embeddings, class_ids).limited(scores, kept)


def fit(embeddings: NDArray[np.floating], class_ids: NDArray[np.integer]) -> Novelty:
    """Fit class means and their common covariance, without a limit: set one by `Novelty.limited`.

    Args:
        embeddings: The features of known pictures, (N, D).
        class_ids: Their classes, (N,). Classes without a picture are left out.
    """
    units = unit(embeddings).astype(np.float64)
    present, index = np.unique(class_ids, return_inverse=True)
    means = np.stack([units[index == i].mean(axis=0) for i in range(len(present))])
    axes, variances, rest = _variances(units - means[index])
    directions = _as_float16(axes)
    weights = 1 / variances - 1 / rest
    along = means @ directions.T
    return Novelty(
        directions,
        weights.astype(np.float32),
        slopes=(-2 / rest * means - 2 * (along * weights) @ directions).astype(np.float32),
        offsets=((1 + np.square(means).sum(axis=1)) / rest + np.square(along) @ weights).astype(np.float32),
    )


def _variances(residuals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the directions of the largest variances, (K, D), those variances after shrinkage, (K,), and the variance in all
    other directions.
    """
    count, features = residuals.shape
    gram = residuals.T @ residuals if features <= count else residuals @ residuals.T
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values[::-1], 0) / count
    most = min(RANK, len(values) - 1, int((values > _SMALLEST * max(values[0], _SMALLEST)).sum()))
    vectors = vectors[:, ::-1][:, :most]
    if features > count:
        vectors = residuals.T @ vectors
    lengths = np.maximum(np.linalg.norm(vectors, axis=0), _SMALLEST)
    total, shrinkage = float(values.sum()), _shrinkage(values, count, features)
    mean, least = total / features, LEAST_VARIANCE / features
    rest = (total - float(values[:most].sum())) / max(1, features - most)
    shrunk = (1 - shrinkage) * values[:most] + shrinkage * mean
    return (vectors / lengths).T, np.maximum(shrunk, least), max((1 - shrinkage) * rest + shrinkage * mean, least)


def _shrinkage(variances: NDArray[np.float64], count: int, features: int) -> float:
    """Return how far to shrink a covariance with these eigenvalues toward their mean, 0..1 (Chen et al. 2010, OAS)."""
    mean = float(variances.sum()) / features
    spread = float(np.square(variances).sum()) / features**2
    excess = (count + 1) * (spread - mean**2 / features)
    return min(1.0, (spread + mean**2) / excess) if excess > 0 else 1.0


def _limit(scores: NDArray[np.floating], kept: float) -> float:
    """Return the limit that a further known picture keeps with the probability `kept`; the largest score where few are known.

    That is the quantile of conformal prediction (Vovk et al. 2005).
    """
    place = min(len(scores), math.ceil((len(scores) + 1) * kept))
    return float(np.sort(scores)[max(0, place - 1)])


def _folds(
    class_ids: NDArray[np.integer], groups: NDArray[np.generic], rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """Yield which pictures each fold holds out, (N,) bool. The groups of every class are spread over the folds."""
    names, firsts, index = np.unique(groups, return_index=True, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"a limit for `unknown` needs pictures of at least 2 groups, found {len(names)}; add pictures")
    order = rng.permutation(len(names))
    order = order[np.argsort(class_ids[firsts[order]], kind="stable")]
    fold = np.empty(len(names), np.int64)
    fold[order] = np.arange(len(names)) % FOLDS
    return (held_out for i in range(FOLDS) if (held_out := fold[index] == i).any())


def _as_float16(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Round to float16, in which a file keeps them."""
    return values.astype(np.float16).astype(np.float32)
