"""Compile a network: its optimizer, loss, metrics and numeric precision."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.train.heads import head_of
from edgecls.train.model import architecture, build
from edgecls.train.pretrained import HEAD, load_weights
from edgecls.train.schedule import head_epochs, learning_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edgecls.train.config import TrainConfig

EMA_BATCHES = 2, 500
"""The shortest and the longest span, in batches, of the moving average of the weights. In between, the span is one epoch."""
NORM_BATCHES = 10, 100
"""The same for the moving statistics of BatchNormalization.

The default momentum of Keras is 0.99, whatever the length of an epoch. A hundred pictures make seven batches per epoch: for
dozens of epochs, validation would normalize with the statistics of the untrained network and predict a single class.
"""


def compiled(keras: Any, config: TrainConfig, counts: NDArray[np.int64], batches: int, *, fresh: bool = True) -> Any:
    """Build and compile the network for its first epoch.

    Args:
        keras: The keras module.
        config: The settings of the run.
        counts: The training pictures of each class, or those without and with each label.
        batches: The batches per epoch.
        fresh: Whether the run begins, so that a pretrained network needs its weights.
    """
    with compute_in(keras, config.precision):
        model = build(config, len(counts))
    if fresh and architecture(config.arch).pretrained is not None:
        load_weights(keras, model, config)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _momentum(batches, NORM_BATCHES)
    return compiled_for(keras, model, config, counts, batches, epoch=0)


def compiled_for(keras: Any, model: Any, config: TrainConfig, counts: NDArray[np.int64], batches: int, *, epoch: int) -> Any:
    """Compile the network for the stage that begins with an epoch, and return it.

    A pretrained network first trains its last layer alone, then all layers but its normalizations: the few pictures of a
    fine-tuning would spoil their statistics, which come from a million.
    """
    row, head = architecture(config.arch), head_of(config)
    if row.pretrained is not None:
        alone = epoch < head_epochs(config)
        for layer in model.layers:
            kept = isinstance(layer, keras.layers.BatchNormalization | keras.layers.Normalization)
            layer.trainable = layer.name == HEAD or not (alone or kept)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
            "rmsprop": keras.optimizers.RMSprop}[config.optimizer or row.optimizer]  # fmt: skip
    decay = row.weight_decay if config.weight_decay is None else config.weight_decay
    model.compile(
        optimizer=kind(
            learning_rate=learning_rate(config, batches, epoch),
            weight_decay=decay or (0.0 if kind is keras.optimizers.AdamW else None),  # AdamW takes no None
            use_ema=row.average if config.average is None else config.average,
            ema_momentum=_momentum(batches, EMA_BATCHES),
        ),
        loss=head.loss(config.balance, counts),
        metrics=head.metrics(len(counts)),
    )
    model.optimizer.build(model.trainable_variables)  # if built inside the first step, TensorFlow traces that step twice
    model.optimizer.iterations.assign(epoch * batches)
    return model


def build_metrics(model: Any, targets: NDArray[Any]) -> None:
    """Build the metrics of a compiled network for targets, (N,) class ids or (N, classes) shares. If they were built inside the
    first step, TensorFlow would trace that step twice.
    """
    model.compute_metrics(None, targets, np.zeros((len(targets), model.output_shape[-1]), np.float32))
    model.reset_metrics()


def _momentum(batches: int, limits: tuple[int, int]) -> float:
    """Return the momentum of a moving average over one epoch, clipped to `limits` in batches."""
    return 1 - 1 / min(max(batches, limits[0]), limits[1])


@contextlib.contextmanager
def compute_in(keras: Any, precision: str) -> Iterator[None]:
    """Make the layers that the block creates compute in `precision`; their weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
