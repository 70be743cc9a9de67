"""Intervals of cross-validated accuracies."""

from __future__ import annotations

import numpy as np

from edgecls.learn.accuracy import accuracy
from edgecls.learn.cross_validation import Scored, cross_validated
from edgecls.learn.folds import NEVER
from edgecls.learn.head import MEANS, Views
from edgecls.metrics import wilson
from tests.learn.standin import embeddings


def scored(right, fold_of, truth):
    """Scores of two classes of which some are right."""
    truth = np.asarray(truth)
    logits = np.zeros((len(truth), 2), np.float32)
    logits[np.arange(len(truth)), np.where(right, truth, 1 - truth)] = 1
    return Scored(MEANS, 1.0, logits, np.asarray(fold_of), truth)


def test_a_class_that_is_never_held_out_is_unknown():
    """Its pictures are counted, but not scored."""
    found = accuracy(scored([1, 1, 1], [0, 1, NEVER], [0, 0, 1]), np.arange(3), ("a", "b"))
    assert (found.classes[1].pictures, found.classes[1].scored, found.classes[1].value) == (1, 0, None)
    assert str(found.classes[1]) == "unknown"
    assert found.overall.scored == 2


def test_the_interval_is_wider_than_that_of_independent_pictures():
    """40 of 50 right in 10 folds."""
    found = accuracy(scored([1] * 40 + [0] * 10, np.arange(50) % 10, [0] * 50), np.arange(50), ("a", "b")).overall
    plain = wilson(0.8, 50)
    assert found.interval.low < plain.low
    assert found.interval.high > plain.high
    assert str(found).startswith("80.0 % (")


def test_groups_count_less_than_their_pictures():
    """50 pictures in 10 groups say less than 50 groups."""
    of = scored([1] * 40 + [0] * 10, np.arange(50) // 5, [0] * 50)
    alone, grouped = (accuracy(of, group_of, ("a", "b")).overall.interval for group_of in (np.arange(50), np.arange(50) // 5))
    assert grouped.half > 1.3 * alone.half


def test_intervals_contain_the_truth():
    """Of 40 small problems, whose true accuracy 4,000 new pictures show."""
    hits = 0
    for seed in range(40):
        rows, class_ids = embeddings([12, 12, 12], distance=0.4, seed=seed)
        known = Views(rows, class_ids, 3)
        found = cross_validated(known, [[i] for i in range(36)], seed=0)
        new, truth = embeddings([1334] * 3, distance=0.4, seed=1000 + seed)
        true = (known.fit(np.arange(36), found.strength).logits(new[:, 0]).argmax(axis=1) == truth).mean()
        low, high = accuracy(found, np.arange(36), "abc").overall.interval
        hits += low <= true <= high
    assert hits >= 36
