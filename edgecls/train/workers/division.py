"""How batches are divided among workers, so that the network computes on them what one worker would.

Every device of every worker gets equally many rows, so a batch may need filling. Filling would count in the statistics of a
normalization, in metrics and in what Dropout draws, even with a weight of 0. So the network drops it again, inside the compiled
step: there the batch is one array, whichever device holds which rows. Its real size must be known when the step is compiled.
Therefore no two sizes are filled up to the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.train.prefetch import Numbered
    from edgecls.train.targets import Numbers


class Division:
    """Divides batches of a few sizes.

    Attributes:
        real: The real size of a batch by its filled one.
    """

    def __init__(self, sizes: Iterable[int], devices: int, rank: int, workers: int) -> None:
        """Find the filled sizes.

        Args:
            sizes: The sizes of all batches that occur, in pictures.
            devices: The devices of all workers together; each worker has equally many.
            rank: Which worker this is.
            workers: How many there are.
        """
        self.real: dict[int, int] = {}
        self._rank, self._workers = rank, workers
        for size in sorted(set(sizes), reverse=True):
            filled = -(-size // devices) * devices
            while filled in self.real:
                filled += devices
            self.real[filled] = size
        self._filled = {size: filled for filled, size in self.real.items()}

    def part(self, numbers: Numbers) -> Numbers:
        """Return this worker's part of a batch: equally many rows for each worker, the last ones filled up with zeros."""
        rows = self._filled[len(numbers[0])] // self._workers
        pictures, targets = (_part(one, self._rank * rows, rows) for one in numbers)
        return pictures, targets

    def of(self, source: Numbered[Numbers]) -> Numbered[Numbers]:
        """Return this worker's parts of the batches of `source`."""
        return _Parts(source, self)

    def without_filling(self, step: Any) -> Any:
        """Return a step of Keras, such as `model.train_step`, that drops the filling of a batch before it computes."""

        def on_real_rows(state: Any, data: Any) -> Any:
            pictures, targets = data[:2]
            size = self.real[pictures.shape[0]]
            return step(state, (pictures[:size], targets[:size]))

        return on_real_rows


class _Parts:
    def __init__(self, source: Numbered[Numbers], division: Division) -> None:
        self._source, self._division = source, division

    def __getitem__(self, number: int) -> Numbers:
        return self._division.part(self._source[number])


def _part(batch: Any, first: int, rows: int) -> Any:
    held = batch[first : first + rows]
    return held if len(held) == rows else np.concatenate([held, np.zeros((rows - len(held), *batch.shape[1:]), batch.dtype)])
