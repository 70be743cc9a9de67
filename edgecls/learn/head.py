"""The head: a linear classifier on embeddings.

An embedding is first replaced by the square roots of its shares in its sum: vectors of unit length, whose inner product is a
similarity, and in which a few strong activations do not outweigh all others (Arandjelovic and Zisserman 2012).

With few pictures, the mean of each class is the best classifier (imprinted weights, Qi et al. 2018). With more, multinomial
logistic regression is better. Every class counts alike, however many pictures it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edgecls.learn.minimize import minimize

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_PICTURES = 5
"""From this many pictures of each class on, logistic regression is at least as good as the means of the classes."""
MEANS = 0.0
"""The strength of a head of class means, which has nothing to fit."""
STRENGTHS = (1e-3, 1e-4, 1e-5)
"""The weight decays to choose from, strongest first. Stronger ones and class means were worse on five of six data sets of 5 and
20 pictures a class, and with so few pictures a choice among more is often a wrong one."""
SHARPNESS = 20.0
"""A factor on cosines, which are 0..1, that turns them into logits; the temperature corrects it for the pictures at hand."""
MOST_DIRECTIONS = 256
"""How many main directions of the embeddings the regression uses: the rest is noise, and costs most of the time."""
TOLERANCE = 1e-3
"""The gradient at which the fit stops, as a share of what it is for one class of all."""
SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier on normalized embeddings.

    Attributes:
        weights: (dimensions, classes) float32.
        bias: (classes,) float32.
        strength: The weight decay that it was fitted with; MEANS for class means.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    strength: float

    def logits(self, normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, classes) for normalized embeddings, (N, dimensions)."""
        found: NDArray[np.float32] = normalized @ self.weights + self.bias
        return found

    def probabilities(self, normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the softmax of the logits, (N, classes)."""
        return softmax(self.logits(normalized))


def normalized(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return embeddings (..., dimensions) as square roots of their shares in their sum, which have unit length."""
    positive = np.maximum(embeddings, 0)
    found: NDArray[np.float32] = np.sqrt(positive / np.maximum(positive.sum(axis=-1, keepdims=True), np.float32(SMALLEST)))
    return found


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities (N, classes) for logits (N, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return found


@dataclass(frozen=True)
class Views:
    """Normalized embeddings of pictures and their augmented views.

    Attributes:
        embeddings: (N, views, dimensions) float32; the first view is the picture itself.
        class_ids: (N,) int64.
        classes: The number of classes.
    """

    embeddings: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    classes: int

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """The main directions of all embeddings, (dimensions, at most MOST_DIRECTIONS), orthonormal.

        They are found without labels. With fewer embeddings than MOST_DIRECTIONS they span all of them.
        """
        rows = self.embeddings.reshape(-1, self.embeddings.shape[-1]).astype(np.float64)
        if len(rows) >= rows.shape[1]:
            return _largest(rows.T @ rows)[1].astype(np.float32)
        energies, vectors = _largest(rows @ rows.T)
        found: NDArray[np.float64] = rows.T @ (vectors / np.sqrt(energies))
        return found.astype(np.float32)

    @cached_property
    def reduced(self) -> NDArray[np.float32]:
        """The embeddings along the main directions, (N, views, directions)."""
        found: NDArray[np.float32] = self.embeddings @ self.directions
        return found

    def fit(self, chosen: NDArray[np.int64], strength: float) -> Head:
        """Fit a head to the pictures with the indices `chosen`, (M,), among which are some of every class.

        Args:
            chosen: Indices of pictures.
            strength: The weight decay; MEANS takes class means.
        """
        if strength == MEANS:
            return self._means(chosen)
        weights, bias = _regression(self.reduced[chosen], self.class_ids[chosen], self.classes, strength)
        return Head((self.directions @ weights).astype(np.float32), bias, strength)

    def _means(self, chosen: NDArray[np.int64]) -> Head:
        truth = self.class_ids[chosen]
        of_pictures = self.embeddings[chosen].mean(axis=1)
        means = np.stack([of_pictures[truth == class_id].mean(axis=0) for class_id in range(self.classes)])
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), SMALLEST)
        return Head((SHARPNESS * means.T).astype(np.float32), np.zeros(self.classes, np.float32), MEANS)


def _largest(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the MOST_DIRECTIONS largest eigenvalues that are not zero, and their vectors as columns."""
    energies, vectors = np.linalg.eigh(gram)
    kept = energies > energies[-1] * 1e-7
    kept[:-MOST_DIRECTIONS] = False
    return energies[kept], vectors[:, kept]


def _regression(
    views: NDArray[np.float32], class_ids: NDArray[np.int64], classes: int, strength: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights (dimensions, classes) and the bias (classes,) with the lowest regularized cross-entropy.

    Args:
        views: (M, views, dimensions).
        class_ids: (M,).
        classes: The number of classes.
        strength: The weight decay. The bias is free.
    """
    pictures, count, dimensions = views.shape
    rows = views.reshape(-1, dimensions)
    targets = np.zeros((pictures, classes), np.float32)
    targets[np.arange(pictures), class_ids] = 1
    shares = targets / (targets.sum(axis=0) * classes * count)  # every class counts alike
    targets, share = targets.repeat(count, axis=0), shares.max(axis=1).repeat(count)[:, None]
    size = dimensions * classes

    def cost(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = point[:size].reshape(dimensions, classes), point[size:]
        logits = rows @ weights.astype(np.float32) + bias.astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        sums = powers.sum(axis=1, keepdims=True)
        entropy = float((share * (np.log(sums) - (targets * logits).sum(axis=1, keepdims=True))).sum(dtype=np.float64))
        slope = (powers / sums - targets) * share
        gradient = rows.T @ slope + strength * weights
        decay = strength / 2 * float((weights * weights).sum())
        return entropy + decay, np.concatenate([gradient.ravel(), slope.sum(axis=0)]).astype(np.float64)

    found = minimize(cost, np.zeros(size + classes), tolerance=TOLERANCE / classes)
    return found[:size].reshape(dimensions, classes).astype(np.float32), found[size:].astype(np.float32)
