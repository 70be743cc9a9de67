"""Tests of training batches, which depend only on the seed and their number."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import chain

import numpy as np
import pytest

from edgecls.dataset import DataConfig, Pictures
from edgecls.train.batches import Batches
from edgecls.train.config import NO_AUGMENT, Augment, TrainConfig
from edgecls.train.targets import Targets

LABELS = tuple("abcdefghij")


@pytest.fixture
def pictures():
    """Return ten plain 4x4 pictures; picture i has level i and class i."""
    batch = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    return Pictures(batch, np.arange(10), (), ())


def batches_of(pictures, targets=None, **settings):
    """Return the batches of a run with these settings."""
    config = TrainConfig(DataConfig("x"), **{"augment": NO_AUGMENT, **settings})
    return Batches(pictures, LABELS, config, targets or Targets(10))


def seen(batches, epoch):
    """Return the class ids of all batches of an epoch."""
    return [batches[epoch * batches.per_epoch + i][1].tolist() for i in range(batches.per_epoch)]


def test_an_epoch_shows_each_picture_once(pictures):
    """Ten pictures in batches of four are 4, 4 and 2; each picture keeps its class."""
    batches = batches_of(pictures, batch=4)
    found = seen(batches, 0)
    assert [len(ids) for ids in found] == [4, 4, 2]
    assert Counter(chain(*found)) == Counter(range(10))
    drawn, ids = batches[0]
    assert drawn[:, 0, 0, 0].tolist() == ids.tolist()


def test_every_epoch_has_its_own_order(pictures):
    """The order differs between epochs and seeds; the same seed repeats it."""
    one = batches_of(pictures, batch=10)
    assert seen(one, 0) != seen(one, 1)
    assert seen(one, 1) == seen(batches_of(pictures, batch=10), 1)
    assert seen(one, 0) != seen(batches_of(pictures, batch=10, seed=1), 0)


def test_a_batch_does_not_depend_on_those_before_it(pictures):
    """Batch 7 is the same, bit by bit, whether it is made first or after all others."""
    one, two = (batches_of(pictures, batch=4, augment=Augment(), seed=3) for _ in range(2))
    for i in range(7):
        one[i]
    assert (one[7][0] == two[7][0]).all()
    assert (one[7][1] == two[7][1]).all()


def test_augmentation_changes_each_time(pictures):
    """A picture is augmented differently in two epochs, and the decoded pictures are unchanged."""
    batches = batches_of(pictures, batch=10, augment=Augment(brightness=0.9))
    first, second = (
        dict(zip(ids.tolist(), drawn[:, 0, 0, 0].tolist(), strict=True)) for drawn, ids in (batches[0], batches[1])
    )
    assert first != second
    assert pictures.batch[:, 0, 0, 0].tolist() == list(range(10))


def test_a_mirrored_picture_has_the_class_of_its_mirror(pictures):
    """Mirrored, class a becomes b and b becomes a, c stays c, and d is never mirrored."""
    pictures.batch[:, :, 0] = 100  # the left column tells
    augment = dataclasses.replace(NO_AUGMENT, mirror=("a=b", "c"))
    batches = batches_of(pictures, batch=10, augment=augment)
    found = {0: set(), 1: set(), 2: set(), 3: set()}
    for number in range(30):
        for drawn, class_id in zip(*batches[number], strict=True):
            turned = bool(drawn[0, -1, 0] == 100)
            was = int(drawn[0, 1, 0])
            if was < 4:
                found[was].add((turned, int(class_id)))
    assert found == {0: {(False, 0), (True, 1)}, 1: {(False, 1), (True, 0)}, 2: {(False, 2), (True, 2)}, 3: {(False, 3)}}


def test_batches_have_the_targets_that_they_are_given(pictures):
    """With smoothing, a batch has class shares, and the picture's own class has the largest."""
    drawn, shares = batches_of(pictures, Targets(10, smoothing=0.2), batch=10)[0]
    assert shares.shape == (10, 10)
    assert shares.argmax(axis=1).tolist() == drawn[:, 0, 0, 0].tolist()
