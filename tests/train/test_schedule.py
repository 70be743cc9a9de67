"""The learning rate, batch by batch."""

from __future__ import annotations

import pytest

from edgecls.dataset import DataConfig
from edgecls.train.config import TrainConfig
from edgecls.train.schedule import learning_rate


def rates(batches, **settings):
    """The rate of each batch of a run with `batches` an epoch."""
    config = TrainConfig(DataConfig("x"), rate=0.8, **settings)
    schedule = learning_rate(config, batches)
    return [float(schedule(step)) for step in range(config.epochs * batches)]


def test_constant_stays():
    """The same for every batch."""
    assert rates(5, epochs=2, schedule="constant") == pytest.approx([0.8] * 10)


def test_cosine_falls_to_nothing():
    """Whole at the start, half in the middle, nearly nothing at the end, always falling."""
    found = rates(50, epochs=2, schedule="cosine")
    assert found[0] == pytest.approx(0.8)
    assert found[50] == pytest.approx(0.4)
    assert found[-1] < 0.001
    assert found == sorted(found, reverse=True)


def test_warmup_rises_from_nothing():
    """With one epoch of ten batches: a tenth in the first batch, all in the tenth, and it stays there."""
    found = rates(10, epochs=3, schedule="constant", warmup=1.0)
    assert found[:10] == pytest.approx([0.08 * i for i in range(1, 11)])
    assert found[10:] == pytest.approx([0.8] * 20)


def test_a_short_run_rises_for_half_of_it_at_most():
    """The residual network warms up for an epoch; in a run of one epoch for half of it."""
    found = rates(10, epochs=1, arch="residual", schedule="constant")
    assert found[4:] == pytest.approx([0.8] * 6)
    assert found[0] == pytest.approx(0.16)
