"""Who hears how a training run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Watcher:
    """Hears how a run goes; this one keeps silent. A subclass shows it."""

    def say(self, line: str) -> None:
        """Hear one sentence."""

    def begin(self, first_epoch: int, epochs: int, batches: int) -> None:
        """Hear that training starts: epochs in all, batches an epoch."""

    def batch(self, number: int, logs: Mapping[str, float]) -> None:
        """Hear that batch `number` (from 0) of this epoch is done."""

    def epoch(self, row: Mapping[str, float], best: bool) -> None:
        """Hear the numbers of a whole epoch, and whether it is the best so far."""

    def end(self) -> None:
        """Hear that no more epochs come."""
