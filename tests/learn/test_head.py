"""Heads on drawn embeddings whose classes are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.learn.head import MEANS, STRENGTHS, Views, normalized, softmax
from tests.learn.standin import embeddings


def views(counts, **settings):
    """Views of drawn embeddings, and the indices of all pictures."""
    rows, class_ids = embeddings(counts, **settings)
    return Views(rows, class_ids, len(counts)), np.arange(len(class_ids))


def test_normalized_embeddings_have_unit_length():
    """Square roots of shares; negative values count as 0, and an empty embedding stays empty."""
    found = normalized(np.array([[9, 16, 0], [-5, 4, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(found, [[0.6, 0.8, 0], [0, 1, 0], [0, 0, 0]], atol=1e-6)


def test_softmax_sums_to_one():
    """Large logits do not overflow."""
    np.testing.assert_allclose(softmax(np.array([[1000, 1000, 0]], np.float32)), [[0.5, 0.5, 0]])


@pytest.mark.parametrize("strength", [MEANS, *STRENGTHS])
def test_classes_far_apart_are_told_apart(strength):
    """Every head is right about new pictures of them."""
    known, chosen = views([8, 8, 8], distance=3)
    rows, truth = embeddings([50, 50, 50], distance=3, seed=1)
    assert (known.fit(chosen, strength).logits(rows[:, 0]).argmax(axis=1) == truth).mean() > 0.98


def test_a_class_mean_is_that_of_its_pictures():
    """The weights of a class point to the mean of the chosen pictures, not of others."""
    known, chosen = views([4, 4], distance=1)
    head = known.fit(chosen[[0, 1, 4, 5]], MEANS)
    mean = known.embeddings[:2, 0].mean(axis=0)
    cosine = head.weights[:, 0] @ mean / np.linalg.norm(head.weights[:, 0]) / np.linalg.norm(mean)
    assert cosine == pytest.approx(1, abs=1e-6)
    assert head.bias.tolist() == [0, 0]


def test_every_class_counts_alike():
    """A class with a tenth of the pictures is recognized as often as the others."""
    known, chosen = views([200, 20], distance=0.35)
    rows, truth = embeddings([500, 500], distance=0.35, seed=1)
    right = known.fit(chosen, 1e-2).logits(rows[:, 0]).argmax(axis=1) == truth
    assert abs(right[truth == 0].mean() - right[truth == 1].mean()) < 0.15


def test_the_regression_is_at_its_minimum():
    """No small change of the weights lowers the regularized cross-entropy."""
    known, chosen = views([30, 30], distance=0.6)
    head = known.fit(chosen, 1e-2)

    def cost(weights):
        logits = known.embeddings[:, 0] @ weights + head.bias
        entropy = -np.log(softmax(logits)[chosen, known.class_ids]).mean()
        return entropy + 1e-2 / 2 * (weights**2).sum()

    rng = np.random.default_rng(0)
    best = cost(head.weights.astype(np.float64))
    assert all(cost(head.weights + rng.normal(0, 0.05, head.weights.shape)) > best for _ in range(20))


def test_main_directions_lose_nothing_that_they_span():
    """With fewer embeddings than directions, the reduced embeddings have the same inner products."""
    known, _ = views([10, 10], distance=1, dimensions=64, views=2)
    rows = known.embeddings.reshape(-1, 64)
    reduced = known.reduced.reshape(len(rows), -1)
    np.testing.assert_allclose(reduced @ reduced.T, rows @ rows.T, atol=1e-4)


def test_main_directions_are_limited(monkeypatch):
    """The largest are kept."""
    monkeypatch.setattr("edgecls.learn.head.MOST_DIRECTIONS", 4)
    known, chosen = views([40, 40, 40], distance=2)
    assert known.reduced.shape == (120, 1, 4)
    assert (known.fit(chosen, 1e-3).logits(known.embeddings[:, 0]).argmax(axis=1) == known.class_ids).mean() > 0.95
