"""Stop training as soon as the loss becomes NaN or infinite, because no later epoch can be right.

Pictures are bytes and the loss never divides by zero, so the only cause left is weights that grew without bound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edgecls.errors import TrainError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def guard(keras: Any, out: Path, batches: int) -> Any:
    """Return a Keras callback that raises TrainError when the loss of a batch or of a validation is NaN or infinite.

    Put it before the callback that saves an epoch, so that a diverged epoch is not saved.

    Args:
        keras: The keras module.
        out: The run folder, for the error message.
        batches: Batches per epoch, for the error message.
    """

    class _Guard(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.epoch = epoch + 1

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            self._check(logs or {}, "loss", f"batch {batch + 1} of {batches} of epoch {self.epoch}")

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            self._check(logs or {}, "val_loss", f"the validation of epoch {epoch + 1}")

        def _check(self, logs: Mapping[str, Any], name: str, where: str) -> None:
            loss = float(logs.get(name, 0.0))  # a loss that was not measured counts as finite
            if math.isfinite(loss):
                return
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            kept = (
                f"epoch {self.epoch - 1} and the best so far are kept" if self.epoch > 1 else "there is no whole epoch to keep"
            )
            raise TrainError(
                f"{out}: the loss became {loss} in {where}; the weights grew without bound, most likely because the learning "
                f"rate {rate:g} is too high: train again with a smaller `rate` ({kept})"
            )

    return _Guard()
