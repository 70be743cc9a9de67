"""Folds hold out whole groups, and about the same share of every class."""

from __future__ import annotations

import numpy as np

from edgecls.learn.folds import MOST_FOLDS, NEVER, folds


def alone(count):
    """Groups of one picture each."""
    return [[i] for i in range(count)]


def test_groups_stay_together():
    """All pictures of a group are held out in one fold."""
    class_ids = np.repeat([0, 1], 40)
    groups = [list(range(i, i + 4)) for i in range(0, 80, 4)]
    found = folds(class_ids, groups)
    assert all(len(set(found[group])) == 1 for group in groups)
    assert sorted(set(found.tolist())) == list(range(10))


def test_every_fold_has_its_share_of_each_class():
    """20 pictures of each class in 10 folds: two of each in every fold."""
    class_ids = np.repeat([0, 1, 2], 20)
    found = folds(class_ids, alone(60))
    for fold in range(MOST_FOLDS):
        assert np.bincount(class_ids[found == fold]).tolist() == [2, 2, 2]


def test_few_pictures_make_few_folds():
    """Three pictures of each class: each fold holds out one of each."""
    class_ids = np.repeat([0, 1], 3)
    found = folds(class_ids, alone(6))
    assert sorted(found[:3]) == sorted(found[3:]) == [0, 1, 2]


def test_the_only_group_of_a_class_is_never_held_out():
    """Without it, the class could not be learned."""
    class_ids = np.array([0, 0, 0, 1, 1, 2])
    found = folds(class_ids, [[0], [1], [2], [3, 4], [5]])
    assert found[3:].tolist() == [NEVER] * 3
    assert sorted(found[:3]) == [0, 1, 2]


def test_a_group_of_two_classes_takes_neither_away():
    """Each fold leaves some of every class to train with."""
    class_ids = np.array([0, 1, 0, 1, 0, 0, 1])
    found = folds(class_ids, [[0, 1], [2, 3], [4, 5], [6]])
    for fold in set(found.tolist()) - {NEVER}:
        assert set(class_ids[found != fold].tolist()) == {0, 1}


def test_the_seed_decides():
    """The same seed gives the same folds, another one others."""
    class_ids = np.repeat([0, 1], 30)
    first, again, other = (folds(class_ids, alone(60), seed=seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
