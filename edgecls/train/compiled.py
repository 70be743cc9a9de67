"""Compile a network: its optimizer, loss, metrics and numeric precision."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from edgecls.train import balance
from edgecls.train.model import architecture, build
from edgecls.train.schedule import learning_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.train.config import TrainConfig

EMA_BATCHES = 2, 500
"""The shortest and the longest span, in batches, of the moving average of the weights. In between, the span is one epoch."""
NORM_BATCHES = 10, 100
"""The same for the moving statistics of BatchNormalization.

The default momentum of Keras is 0.99, whatever the length of an epoch. A hundred pictures make seven batches per epoch: for
dozens of epochs, validation would normalize with the statistics of the untrained network and predict a single class.
"""


def compiled(keras: Any, config: TrainConfig, counts: list[int], batches: int) -> Any:
    """Build and compile the network. `counts` are the training pictures of each class, `batches` the batches per epoch."""
    row = architecture(config.arch)
    with compute_in(keras, config.precision):
        model = build(config, len(counts))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _momentum(batches, NORM_BATCHES)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
            "rmsprop": keras.optimizers.RMSprop}[config.optimizer or row.optimizer]  # fmt: skip
    decay = row.weight_decay if config.weight_decay is None else config.weight_decay
    model.compile(
        optimizer=kind(
            learning_rate=learning_rate(config, batches),
            weight_decay=decay or (0.0 if kind is keras.optimizers.AdamW else None),  # AdamW takes no None
            use_ema=row.average if config.average is None else config.average,
            ema_momentum=_momentum(batches, EMA_BATCHES),
        ),
        loss=balance.loss(config.balance, counts),
        metrics=["accuracy", *balance.recalls(len(counts))],
    )
    return model


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
