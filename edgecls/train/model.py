"""The networks. Each takes uint8 pictures and scales them itself, so the exported graph eats what a camera gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.train.config import Layers, TrainConfig

INPUT_SCALE = 1 / 255
FLAT = 1e-5
"""The variance that is added to a picture's, of levels from 0 to 1: noise of less than a gray level is no contrast."""
SMALL_SIDE = 40
"""Pixels of the shorter side up to which a picture is small."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network and what it trains best with. `features` takes (keras.layers, x, Layers, dropout) up to the last layer."""

    features: Callable[[Any, Any, Layers, float], Any]
    optimizer: str
    rate: float
    weight_decay: float
    schedule: str
    dropout: float
    average: bool
    warmup: float = 0.0


def build(config: TrainConfig, classes: int) -> Any:
    """Return an uncompiled keras.Model: (N, height, width, channels) uint8 -> (N, classes) probabilities.

    Raises ConfigError for an unknown architecture, or layers that leave nothing of the picture.
    """
    keras = extras.load("keras", extra="train", purpose="Training")
    layers = keras.layers
    row = architecture(config.arch)
    dropout = row.dropout if config.dropout is None else config.dropout
    pictures = keras.Input(config.input.shape, dtype="uint8", name="image")
    try:
        x = layers.Rescaling(INPUT_SCALE)(pictures)
        if config.layers.normalize:
            x = layers.LayerNormalization((1, 2, 3), epsilon=FLAT, center=False, scale=False, dtype="float32")(x)
        x = row.features(layers, x, config.layers, dropout)
    except ValueError as error:
        raise ConfigError(
            f"arch {config.arch}: kernels {list(config.layers.kernels)} of size {config.layers.kernel_size} leave nothing of "
            f"a picture of {config.input.width}x{config.input.height}; take fewer, smaller ones or a larger size ({error})"
        ) from error
    last = layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")
    return keras.Model(pictures, last(x), name=config.arch)


def architecture(name: str) -> Architecture:
    """Look a network up. Raises ConfigError that lists the known ones."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"arch {name!r} is not known; expected one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def _classic(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:
    """The textbook CNN; with `pool_bias` and an activation its pooling is the trainable subsampling of LeNet-5
    (LeCun et al. 1998).
    """
    pool = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[shape.pool]
    for kernels in shape.kernels:
        x = layers.Conv2D(kernels, shape.kernel_size, activation="relu")(x)
        x = pool(shape.pool_window, strides=shape.pool_stride or None)(x)
        if shape.pool_bias:
            x = layers.DepthwiseConv2D(1)(x)
        if shape.pool_activation != "none":
            x = layers.Activation(shape.pool_activation)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(shape.dense, activation="relu")(x)
    return layers.Dropout(dropout)(x) if dropout else x


def _edge(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:
    """Four normalized convolutions and a small head.

    A first convolution of 5x5 with stride 2 leaves a quarter of the pixels for the wide layers, which int8 kernels
    compute at more than twice the speed of float; depthwise convolutions would save weights and no time there.
    """
    wide = partial(_wide, shape)
    x = _normalized(layers, x, wide(32), 5, 2)
    x = _normalized(layers, x, wide(80), 3, 1)
    x = layers.MaxPooling2D(2)(x)
    x = _normalized(layers, x, wide(160), 3, 1)
    x = layers.MaxPooling2D(2)(x)
    x = _normalized(layers, x, wide(160), 3, 1)
    x = _flat(layers, x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(wide(256), activation="relu")(x)
    return layers.Dropout(dropout)(x)


def _residual(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:
    """Two pairs of residual blocks (He et al. 2016), for the most accuracy in a megabyte of int8.

    Nearly all weights lie in the layers of a quarter of the side, where they are used often enough to be worth their bytes and
    seldom enough to be fast. The first layer looks at every pixel of a small picture, at every second of a larger one.
    """
    wide = partial(_wide, shape)
    x = _normalized(layers, x, wide(24), 3, 1 if min(x.shape[1:3]) <= SMALL_SIDE else 2)
    x = _normalized(layers, x, wide(48), 3, 2)
    for kernels, stride in ((48, 1), (48, 1), (128, 2), (128, 1), (128, 1)):
        x = _normalized(layers, x, wide(kernels), 3, 2) if stride == 2 else _block(layers, x, wide(kernels))
    x = _flat(layers, _normalized(layers, x, wide(128), 3, 2))
    return layers.Dropout(dropout)(x)


def _block(layers: Any, x: Any, kernels: int) -> Any:
    inner = _normalized(layers, x, kernels, 3, 1)
    inner = layers.BatchNormalization()(layers.Conv2D(kernels, 3, padding="same", use_bias=False)(inner))
    return layers.ReLU()(layers.Add()([x, inner]))


def _normalized(layers: Any, x: Any, kernels: int, size: int, stride: int) -> Any:
    x = layers.Conv2D(kernels, size, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _flat(layers: Any, x: Any) -> Any:
    """A row of numbers; of larger pictures the mean over the area, with which the head would grow."""
    if x.shape[1] * x.shape[2] > 16:
        return layers.GlobalAveragePooling2D()(x)
    return layers.Flatten()(x)


def _wide(shape: Layers, kernels: int) -> int:
    """So many kernels times the width, in eights: the kernels of processors take no fewer at once."""
    return kernels if shape.width == 1 else max(8, round(kernels * shape.width / 8) * 8)


def _linear(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:  # noqa: ARG001 - it has no other layer
    """Each class a weighted sum of the pixels: what everything else must be better than."""
    return layers.Flatten()(x)


ARCHITECTURES = {
    "linear": Architecture(
        _linear, optimizer="adam", rate=1e-3, weight_decay=0.0, schedule="constant", dropout=0.0, average=False
    ),
    "classic": Architecture(
        _classic, optimizer="adam", rate=1e-3, weight_decay=0.0, schedule="constant", dropout=0.0, average=False
    ),
    "edge": Architecture(_edge, optimizer="adamw", rate=2e-3, weight_decay=1e-3, schedule="cosine", dropout=0.35, average=True),
    "residual": Architecture(
        _residual, optimizer="adamw", rate=3e-3, weight_decay=0.02, schedule="cosine", dropout=0.3, average=True, warmup=1.0
    ),
}
