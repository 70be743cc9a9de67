"""The learning rate schedule: an optional warm-up, then a constant rate or cosine decay to zero."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.train.model import architecture

if TYPE_CHECKING:
    from edgecls.train.config import TrainConfig


def learning_rate(config: TrainConfig, batches: int, epoch: int = 0) -> Any:
    """Return the Keras schedule of a run with `batches` per epoch, for the stage that `epoch` is in.

    It depends only on the number of batches so far, so a resumed run continues it, on every backend.
    """
    row = architecture(config.arch)
    alone = head_epochs(config)
    if row.pretrained is not None and epoch < alone:
        return know_schedule()(rate=row.pretrained.head_rate, rising=0, falling=0)
    warmup = row.warmup if config.warmup is None else config.warmup
    return know_schedule()(
        rate=row.rate if config.rate is None else config.rate,
        rising=round(min(warmup, (config.epochs - alone) / 2) * batches),
        falling=config.epochs * batches if (config.schedule or row.schedule) == "cosine" else 0,
        begin=alone * batches,
    )


def head_epochs(config: TrainConfig) -> int:
    """Return how many epochs train the last layer alone; 0 for a network that is not pretrained."""
    row = architecture(config.arch)
    if row.pretrained is None:
        return 0
    return min(config.epochs, row.pretrained.head_epochs if config.head_epochs is None else config.head_epochs)


def stages(config: TrainConfig) -> list[tuple[int, int]]:
    """Return the first epoch of each stage of a run, from 0, and the epoch after its last."""
    alone = head_epochs(config)
    return [(first, end) for first, end in ((0, alone), (alone, config.epochs)) if first < end]


@cache
def know_schedule() -> Any:
    """Return the class of the schedule, registered so that Keras can load a model that refers to it."""
    keras = extras.load("keras", extra="train", purpose="Training")
    ops = keras.ops

    @keras.saving.register_keras_serializable(package="edgecls")
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc, name-defined]  # keras has no types
        """From batch `begin` on, rises from zero to `rate` in `rising` batches, then falls to zero at batch `falling` of the
        run (0: stays constant).
        """

        def __init__(self, rate: float, rising: int, falling: int, begin: int = 0) -> None:
            self.rate, self.rising, self.falling, self.begin = rate, rising, falling, begin

        def __call__(self, step: Any) -> Any:
            step = ops.maximum(0.0, ops.cast(step, "float32") - self.begin)
            share = ops.minimum(1.0, (step + 1) / max(1, self.rising))
            if self.falling:
                length = max(1, self.falling - self.begin)
                share = share * 0.5 * (1 + ops.cos(math.pi * ops.minimum(1.0, step / length)))
            return self.rate * share

        def get_config(self) -> dict[str, Any]:
            return {"rate": self.rate, "rising": self.rising, "falling": self.falling, "begin": self.begin}

    return Schedule
