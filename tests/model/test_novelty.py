"""Tests of the distance that tells foreign pictures, on features drawn around known means."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import DataError
from edgecls.model.novelty import FOLDS, RANK, fit, fit_novelty, unit

FEATURES, CLASSES = 48, 4


class World:
    """Features of pictures: those of a class vary around its mean, more along a few directions than along others."""

    def __init__(self, classes: int = CLASSES, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.means = self.rng.uniform(0.2, 1.0, (classes, FEATURES))
        self.wide = self.rng.normal(0, 0.05, (3, FEATURES))

    def known(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        class_ids = np.arange(count) % len(self.means)
        noise = self.rng.normal(0, 1, (count, 3)) @ self.wide + self.rng.normal(0, 0.02, (count, FEATURES))
        return np.maximum(self.means[class_ids] + noise, 0).astype(np.float32), class_ids

    def foreign(self, count: int) -> np.ndarray:
        return self.rng.uniform(0, 1.0, (count, FEATURES)).astype(np.float32)


def fitted(world: World, count: int = 400, kept: float = 0.98):
    embeddings, class_ids = world.known(count)
    return fit_novelty(embeddings, class_ids, np.arange(count), np.random.default_rng(1), kept=kept)


def mahalanobis(embeddings, class_ids, others):
    """The distance as the papers write it, with the same shrinkage, from all eigenvalues: for few features."""
    units = unit(embeddings).astype(np.float64)
    means = np.stack([units[class_ids == i].mean(axis=0) for i in range(class_ids.max() + 1)])
    rest = units - means[class_ids]
    covariance = rest.T @ rest / len(rest)
    features = len(covariance)
    mean, spread = np.trace(covariance) / features, np.square(covariance).mean()
    shrinkage = min(1, (spread + mean**2) / ((len(rest) + 1) * (spread - mean**2 / features)))
    inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * mean * np.eye(features))
    apart = unit(others)[:, None] - means
    return np.einsum("ncd,de,nce->nc", apart, inverse, apart).min(axis=1)


def test_foreign_pictures_are_new_and_known_ones_are_not():
    """Of further known pictures 98 % stay below the limit, of foreign ones hardly any."""
    world = World()
    novelty = fitted(world)
    assert (novelty.scores(world.known(2000)[0]) <= 1).mean() == pytest.approx(0.98, abs=0.012)
    assert (novelty.scores(world.foreign(500)) > 1).mean() > 0.99
    assert novelty.kept == 0.98


@pytest.mark.parametrize("count", [10, 40, 60])
def test_few_pictures_claim_no_more_than_they_can_tell(count):
    """The largest of N distances keeps N of N + 1."""
    assert fitted(World(), count=count).kept == pytest.approx(min(0.98, count / (count + 1)))


@pytest.mark.parametrize("kept", [0.9, 0.95])
def test_the_share_kept_can_be_chosen(kept):
    """It holds for pictures that were not fitted."""
    world = World(seed=3)
    assert (fitted(world, kept=kept).scores(world.known(4000)[0]) <= 1).mean() == pytest.approx(kept, abs=0.03)


def test_one_class_is_enough():
    """Pictures of what is normal, and everything else is new."""
    world = World(classes=1)
    novelty = fitted(world, 60)
    assert novelty.slopes.shape == (1, FEATURES)
    assert (novelty.scores(world.known(500)[0]) <= 1).mean() > 0.93
    assert (novelty.scores(world.foreign(500)) > 1).mean() > 0.99


def test_it_is_the_distance_of_mahalanobis(monkeypatch):
    """With a variance for each direction and no floor below it, it is the formula of the papers."""
    monkeypatch.setattr("edgecls.model.novelty.RANK", FEATURES - 1)
    monkeypatch.setattr("edgecls.model.novelty.LEAST_VARIANCE", 0.0)
    world = World()
    embeddings, class_ids = world.known(300)
    others = np.concatenate([world.foreign(50), world.known(50)[0]])
    expected = mahalanobis(embeddings, class_ids, others)
    assert fit(embeddings, class_ids).scores(others) == pytest.approx(expected, rel=0.05)


def test_a_few_directions_stand_for_all():
    """The order of pictures hardly changes when only the largest variances are kept."""
    world = World()
    embeddings, class_ids = world.known(300)
    others = np.concatenate([world.foreign(200), world.known(200)[0]])
    ranks = [
        np.argsort(np.argsort(s))
        for s in (fit(embeddings, class_ids).scores(others), mahalanobis(embeddings, class_ids, others))
    ]
    assert np.corrcoef(*ranks)[0, 1] > 0.95
    assert len(fit(embeddings, class_ids).directions) <= RANK


def test_brightness_does_not_matter():
    """Features all twice as large give the same novelty."""
    world = World()
    novelty, foreign = fitted(world), world.foreign(50)
    assert novelty.scores(foreign * 2) == pytest.approx(novelty.scores(foreign), rel=1e-3)


def test_a_picture_without_features_is_new():
    """All zeros are neither NaN nor known."""
    assert fitted(World()).scores(np.zeros((1, FEATURES)))[0] > 1


def test_pictures_of_a_group_are_never_compared_with_themselves():
    """Copies of each picture, in one group with it, leave the limit where it was; in groups of their own they draw it in."""
    world = World(classes=2, seed=5)
    embeddings, class_ids = world.known(40)
    copies, of_class, group = np.repeat(embeddings, 5, axis=0), np.repeat(class_ids, 5), np.repeat(np.arange(40), 5)
    new = world.known(1000)[0]

    def share(groups: np.ndarray) -> float:
        novelty = fit_novelty(copies, of_class, groups, np.random.default_rng(0))
        return float((novelty.scores(new) <= 1).mean())

    assert share(group) > 0.9
    assert share(np.arange(200)) < share(group) - 0.1


def test_nearly_the_same_pictures_leave_room():
    """Pictures of a still camera that differ by noise do not make the slightest change new, and other pictures still are."""
    world = World(classes=1)
    still = np.repeat(world.means, 20, axis=0) + world.rng.normal(0, 1e-5, (20, FEATURES))
    novelty = fit_novelty(still, np.zeros(20, int), np.arange(20), np.random.default_rng(0))
    assert np.isfinite(novelty.slopes).all()
    assert novelty.scores(world.means * world.rng.uniform(0.98, 1.02, (30, FEATURES))).max() <= 1
    assert novelty.scores(world.foreign(100)).min() > 1


@pytest.mark.parametrize("count", [2, 3, 9])
def test_a_handful_of_pictures_can_be_fitted(count):
    """Fewer pictures than folds, and classes with a single picture."""
    world = World()
    embeddings, class_ids = world.known(count)
    novelty = fit_novelty(embeddings, class_ids, np.arange(count), np.random.default_rng(0))
    assert count < FOLDS
    assert np.isfinite(novelty.scores(world.foreign(5))).all()


def test_groups_may_be_texts():
    """Such as the names of tracks."""
    world = World()
    embeddings, class_ids = world.known(40)
    groups = np.array([f"track {i // 2}" for i in range(40)])
    assert fit_novelty(embeddings, class_ids, groups, np.random.default_rng(0), kept=0.9).kept == 0.9


def test_one_group_cannot_be_held_out():
    """The message says what is missing."""
    embeddings, class_ids = World().known(8)
    with pytest.raises(DataError, match="at least 2 groups, found 1"):
        fit_novelty(embeddings, class_ids, np.zeros(8), np.random.default_rng(0))


def test_the_same_generator_gives_the_same_numbers():
    """A fit can be repeated."""
    one, other = fitted(World()), fitted(World())
    assert np.array_equal(one.slopes, other.slopes)
    assert np.array_equal(one.directions, other.directions)
