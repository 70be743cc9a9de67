"""The interface through which a training run reports its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Watcher:
    """Receives the progress of a training run. This class ignores it; subclass it to show it."""

    def say(self, line: str) -> None:
        """Receive a message of one line."""

    def begin(self, first_epoch: int, epochs: int, batches: int) -> None:
        """Training starts with epoch `first_epoch` (from 0) of `epochs`, with `batches` per epoch."""

    def batch(self, number: int, logs: Mapping[str, float]) -> None:
        """Batch `number` of this epoch, from 0, is done; `logs` are the metrics so far."""

    def epoch(self, row: Mapping[str, float], best: bool) -> None:
        """An epoch is complete; `row` is its row of history.csv, `best` whether it is the best so far."""

    def end(self) -> None:
        """Training is over; no more epochs follow."""
