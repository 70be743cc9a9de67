"""Tests of the learning rate schedule."""

from __future__ import annotations

import pytest

from edgecls.dataset import DataConfig
from edgecls.train.config import TrainConfig
from edgecls.train.schedule import learning_rate


def rates(batches, **settings):
    """Return the rate at each batch of a run with `batches` per epoch."""
    config = TrainConfig(DataConfig("x"), rate=0.8, **settings)
    schedule = learning_rate(config, batches)
    return [float(schedule(step)) for step in range(config.epochs * batches)]


def test_constant_stays():
    """The rate is the same for every batch."""
    assert rates(5, epochs=2, schedule="constant") == pytest.approx([0.8] * 10)


def test_cosine_falls_to_nothing():
    """The rate is full at the start, half in the middle and nearly zero at the end, and always falls."""
    found = rates(50, epochs=2, schedule="cosine")
    assert found[0] == pytest.approx(0.8)
    assert found[50] == pytest.approx(0.4)
    assert found[-1] < 0.001
    assert found == sorted(found, reverse=True)


def test_warmup_rises_from_nothing():
    """With a warm-up of ten batches, the rate is a tenth in the first batch, full in the tenth, and then constant."""
    found = rates(10, epochs=3, schedule="constant", warmup=1.0)
    assert found[:10] == pytest.approx([0.08 * i for i in range(1, 11)])
    assert found[10:] == pytest.approx([0.8] * 20)


def test_a_short_run_rises_for_half_of_it_at_most():
    """The residual network warms up for one epoch; in a run of one epoch, for half of it."""
    found = rates(10, epochs=1, arch="residual", schedule="constant")
    assert found[4:] == pytest.approx([0.8] * 6)
    assert found[0] == pytest.approx(0.16)
