"""The callback of Keras that writes the run folder after each epoch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgecls.train import folder
from edgecls.train.compiled import compute_in
from edgecls.train.heads import head_of
from edgecls.train.model import build
from edgecls.train.schedule import head_epochs

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.train.config import TrainConfig
    from edgecls.train.progress import Watcher


def keeper(keras: Any, config: TrainConfig, out: Path, history: list[dict[str, float]], watcher: Watcher) -> Any:
    """Return a Keras callback that writes history.csv, last.keras and, for the epoch to keep, best.keras after each epoch."""

    class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            watcher.batch(batch, logs or {})

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            numbers = {name: float((logs or {})[name]) for name in head_of(config).history[1:-1]}
            row = {"epoch": epoch + 1, **numbers, "seconds": round(time.perf_counter() - self.began, 2)}
            ranks = [folder.rank(old, config.best_by) for old in history]
            best = all(folder.rank(row, config.best_by) > old for old in ranks)
            if best or config.keep == "last":
                _save(keras, self.model, config, out / "best.keras")
            history.append(row)
            folder.write_history(out, history)  # before last.keras: its batch count tells how many rows are valid
            folder.save_model(self.model, out / "last.keras")
            watcher.epoch(row, best or config.keep == "last")
            since = 0 if best else len(ranks) - max(range(len(ranks)), key=ranks.__getitem__)
            if config.patience and since >= config.patience and epoch >= head_epochs(config):
                watcher.say(f"stopped after {since} epochs without improvement; `patience=0` never stops early")
                self.model.stop_training = True

    return _Keeper()


def _save(keras: Any, model: Any, config: TrainConfig, path: Path) -> None:
    """Save the weights that were validated: the moving average if the optimizer keeps one.

    Reduced precision only speeds up training; the saved model computes in float32.
    """
    trained = model.get_weights() if model.optimizer.use_ema else None
    if trained is not None:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    kept = model
    if config.precision != "float32":
        with compute_in(keras, "float32"):
            kept = build(config, model.output_shape[-1])
        kept.set_weights(model.get_weights())
    folder.save_model(kept, path)
    if trained is not None:
        model.set_weights(trained)
