"""Training runs that take a second: a small network, few pictures, few epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.dataset import DataConfig
from edgecls.input_spec import InputSpec
from edgecls.train.config import NO_AUGMENT, Layers, TrainConfig
from edgecls.train.fit import Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SMALL = Layers(kernels=(8,), dense=32)


def config(pictures: Path, **changes: Any) -> TrainConfig:
    """A classic network with 8 kernels and 32 units on 16x16 gray pictures, two epochs; `changes` go over that."""
    given = {
        "data": DataConfig(str(pictures), val_fraction=0.25),
        "input": InputSpec(height=16, width=16),
        "layers": SMALL,
        "epochs": 2,
        "batch": 16,
        "augment": NO_AUGMENT,
    }
    return TrainConfig(**{**given, **changes})


class Listener(Watcher):
    """Keeps what a run says; presses Ctrl-C after epoch `stop_after`, or in batch `stop_in_batch`, if one is given."""

    def __init__(self, *, stop_after: int | None = None, stop_in_batch: int | None = None) -> None:
        self.lines: list[str] = []
        self.rows: list[tuple[dict[str, float], bool]] = []
        self.began: tuple[int, int, int] | None = None
        self.batches = 0
        self.ended = 0
        self._stop_after = stop_after
        self._stop_in_batch = stop_in_batch

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, first_epoch: int, epochs: int, batches: int) -> None:
        self.began = (first_epoch, epochs, batches)

    def batch(self, number: int, logs: Mapping[str, float]) -> None:
        self.batches += 1
        if self.batches == self._stop_in_batch:
            raise KeyboardInterrupt

    def epoch(self, row: Mapping[str, float], best: bool) -> None:
        self.rows.append((dict(row), best))
        if row["epoch"] == self._stop_after:
            raise KeyboardInterrupt

    def end(self) -> None:
        self.ended += 1
