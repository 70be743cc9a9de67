"""Training pictures in batches that are a function of seed and number."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from edgecls.dataset import Pictures
from edgecls.train.batches import Batches
from edgecls.train.config import NO_AUGMENT, Augment


@pytest.fixture
def pictures():
    """Ten plain 4x4 pictures; picture i has level and class i."""
    batch = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    return Pictures(batch, np.arange(10), (), ())


def seen(batches, epoch):
    """The class ids of all batches of an epoch."""
    return [batches[epoch * batches.per_epoch + i][1].tolist() for i in range(batches.per_epoch)]


def test_an_epoch_shows_each_picture_once(pictures):
    """Ten pictures in fours are 4, 4 and 2; pictures and classes stay together."""
    batches = Batches(pictures, batch=4, config=NO_AUGMENT, seed=0)
    found = seen(batches, 0)
    assert [len(ids) for ids in found] == [4, 4, 2]
    assert Counter(chain(*found)) == Counter(range(10))
    drawn, ids = batches[0]
    assert drawn[:, 0, 0, 0].tolist() == ids.tolist()


def test_every_epoch_has_its_own_order(pictures):
    """Epochs and seeds differ in order; the same seed repeats it."""
    one = Batches(pictures, batch=10, config=NO_AUGMENT, seed=0)
    assert seen(one, 0) != seen(one, 1)
    assert seen(one, 1) == seen(Batches(pictures, batch=10, config=NO_AUGMENT, seed=0), 1)
    assert seen(one, 0) != seen(Batches(pictures, batch=10, config=NO_AUGMENT, seed=1), 0)


def test_a_batch_does_not_depend_on_those_before_it(pictures):
    """Batch 7 asked for first, or after all others, is the same to the bit, augmentation included."""
    one, two = (Batches(pictures, batch=4, config=Augment(), seed=3) for _ in range(2))
    for i in range(7):
        one[i]
    assert (one[7][0] == two[7][0]).all()
    assert (one[7][1] == two[7][1]).all()


def test_augmentation_changes_each_time(pictures):
    """The same picture looks different in two epochs, and the decoded pictures stay as they were."""
    batches = Batches(pictures, batch=10, config=Augment(brightness=0.9), seed=0)
    first, second = (
        dict(zip(ids.tolist(), drawn[:, 0, 0, 0].tolist(), strict=True)) for drawn, ids in (batches[0], batches[1])
    )
    assert first != second
    assert pictures.batch[:, 0, 0, 0].tolist() == list(range(10))
