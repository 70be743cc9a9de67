"""The learning rate schedule: an optional warm-up, then a constant rate or cosine decay to zero."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.train.model import architecture

if TYPE_CHECKING:
    from edgecls.train.config import TrainConfig


def learning_rate(config: TrainConfig, batches: int) -> Any:
    """Return the Keras schedule of a run with `batches` per epoch.

    It depends only on the number of batches so far, so a resumed run continues it, on every backend.
    """
    row = architecture(config.arch)
    warmup = row.warmup if config.warmup is None else config.warmup
    return know_schedule()(
        rate=row.rate if config.rate is None else config.rate,
        rising=round(min(warmup, config.epochs / 2) * batches),
        falling=config.epochs * batches if (config.schedule or row.schedule) == "cosine" else 0,
    )


@cache
def know_schedule() -> Any:
    """Return the class of the schedule, registered so that Keras can load a model that refers to it."""
    keras = extras.load("keras", extra="train", purpose="Training")
    ops = keras.ops

    @keras.saving.register_keras_serializable(package="edgecls")
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc, name-defined]  # keras has no types
        """Rises from zero to `rate` in `rising` batches, then falls to zero at batch `falling` (0: stays constant)."""

        def __init__(self, rate: float, rising: int, falling: int) -> None:
            self.rate, self.rising, self.falling = rate, rising, falling

        def __call__(self, step: Any) -> Any:
            step = ops.cast(step, "float32")
            share = ops.minimum(1.0, (step + 1) / max(1, self.rising))
            if self.falling:
                share = share * 0.5 * (1 + ops.cos(math.pi * ops.minimum(1.0, step / self.falling)))
            return self.rate * share

        def get_config(self) -> dict[str, Any]:
            return {"rate": self.rate, "rising": self.rising, "falling": self.falling}

    return Schedule
