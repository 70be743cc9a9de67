"""Groups and proposals, on points whose classes are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.labelling.groups import densest, propose, spread, unfamiliar


def clouds(sizes, *, spread_by=0.15, dimensions=32, seed=0):
    """Points of unit length around a random center for each class, and their classes."""
    rng = np.random.default_rng(seed)
    centers = np.abs(rng.normal(size=(len(sizes), dimensions)))
    rows, classes = [], []
    for class_id, size in enumerate(sizes):
        rows.append(centers[class_id] + spread_by * np.linalg.norm(centers[class_id]) * rng.normal(size=(size, dimensions)) / 4)
        classes += [class_id] * size
    points = np.concatenate(rows)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), np.array(classes)


def test_the_densest_group_is_of_one_class():
    """Whatever the classes are called, and however many there are."""
    for seed in range(5):
        points, classes = clouds([20, 30, 40], seed=seed)
        found = densest(points, 25)
        assert len(found) >= 10
        assert len(set(classes[found].tolist())) == 1
    assert densest(points[:1], 25).tolist() == [0]
    assert len(densest(points, 3)) == 3


def test_proposals_follow_the_labels():
    """Six labelled points of each class are enough for clouds that are apart."""
    points, classes = clouds([30, 30, 30])
    known = np.concatenate([np.flatnonzero(classes == c)[:6] for c in range(3)])
    rest = np.setdiff1d(np.arange(90), known)
    found = propose(points[known], classes[known], points[rest], 3)
    assert (found.class_ids == classes[rest]).mean() > 0.97
    assert found.scores.min() > 1 / 3


def test_a_class_that_nobody_named_is_unfamiliar():
    """Its points are, those of the named classes are not."""
    points, classes = clouds([40, 40, 40])
    known = np.concatenate([np.flatnonzero(classes == c)[:20] for c in range(2)])
    rest = np.setdiff1d(np.arange(120), known)
    found = unfamiliar(points[known], points[rest])
    assert np.isin(np.flatnonzero(classes[rest] == 2), found).all()
    assert len(found) < 50


def test_useful_pictures_are_doubtful_and_unlike_each_other():
    """One of each of the doubtful clouds before a second one of any; sure ones come last."""
    points, classes = clouds([20, 20, 20, 20])
    doubt = np.where(classes == 0, 0.0, 0.9).astype(np.float32)
    chosen = classes[spread(points, doubt, 3)].tolist()
    assert sorted(chosen) == [1, 2, 3]
    assert len(set(spread(points, doubt, 80).tolist())) == 80


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures_are_no_problem(count):
    """A store begins with one."""
    points, _ = clouds([count])
    assert len(densest(points, 36)) >= 1
    assert len(spread(points, np.ones(count, np.float32), 36)) == count
