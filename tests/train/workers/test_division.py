"""A batch that is divided among workers and put together again is the batch."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.train.workers.division import Division


@pytest.mark.parametrize(
    ("sizes", "devices", "workers"), [({16}, 2, 2), ({16, 15}, 2, 2), ({32, 31, 30, 29}, 4, 2), ({3, 1}, 3, 3), ({8, 7}, 8, 4)]
)
def test_the_parts_of_a_batch_are_the_batch(sizes, devices, workers):
    """The step drops what was filled up, and finds the size of a batch by that of the filled one."""
    rng = np.random.default_rng(0)
    divisions = [Division(sizes, devices, rank, workers) for rank in range(workers)]
    for size in sizes:
        pictures, targets = rng.integers(0, 256, (size, 4, 4, 1), np.uint8), rng.random((size, 3), np.float32)
        parts = [division.of([(pictures, targets)])[0] for division in divisions]
        assert len({part.shape for part, _ in parts}) == 1
        whole = [np.concatenate(one) for one in zip(*parts, strict=True)]
        assert len(whole[0]) % devices == 0
        step = divisions[0].without_filling(lambda state, data: (state, data))
        state, (found_pictures, found_targets) = step("state", (*whole, None))
        assert state == "state"
        assert np.array_equal(found_pictures, pictures)
        assert np.array_equal(found_targets, targets)
        assert (found_pictures.dtype, found_targets.dtype) == (pictures.dtype, targets.dtype)


def test_class_ids_are_divided_too():
    """(N,) int64."""
    pictures, ids = np.zeros((5, 2, 2, 1), np.uint8), np.arange(5)
    parts = [Division({5}, 2, rank, 2).part((pictures, ids))[1].tolist() for rank in range(2)]
    assert parts == [[0, 1, 2], [3, 4, 0]]
