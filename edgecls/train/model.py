"""The network architectures. Each takes uint8 pictures and rescales them itself, so the exported model takes camera pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import ConfigError
from edgecls.train.heads import head_of
from edgecls.train.pretrained import HEAD, PRETRAINED, Pretrained, check_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.train.config import Layers, TrainConfig

INPUT_SCALE = 1 / 255
NORMALIZE_EPSILON = 1e-5
"""Added to the variance of a picture (levels 0..1), so that noise of less than a gray level is not amplified to contrast."""
SMALL_SIDE = 40
"""A picture is small if its shorter side has at most this many pixels."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network and the settings that it trains best with.

    `features` builds everything between the scaled picture, or the features of `pretrained`, and the last layer:
    (keras.layers, tensor, Layers, dropout rate) -> tensor.
    """

    features: Callable[[Any, Any, Layers, float], Any]
    optimizer: str
    rate: float
    weight_decay: float
    schedule: str
    dropout: float
    average: bool
    warmup: float = 0.0
    pretrained: Pretrained | None = None


def build(config: TrainConfig, classes: int) -> Any:
    """Return an uncompiled keras.Model: (N, height, width, channels) uint8 -> (N, classes) float32 probabilities.

    Its weights are random; `edgecls.train.pretrained.load_weights` gives a pretrained network its own.

    Raises:
        ConfigError: The architecture is unknown, or its layers shrink the picture to nothing.
    """
    keras = extras.load("keras", extra="train", purpose="Training")
    layers = keras.layers
    row = architecture(config.arch)
    dropout = row.dropout if config.dropout is None else config.dropout
    check_settings(config, row.pretrained)
    pictures = keras.Input(config.input.shape, dtype="uint8", name="image")
    try:
        x = _features(keras, row, pictures, config, dropout)
    except ValueError as error:
        raise ConfigError(
            f"arch {config.arch}: kernels {list(config.layers.kernels)} of size {config.layers.kernel_size} shrink "
            f"a picture of {config.input.width}x{config.input.height} to nothing; use fewer or smaller kernels, or a larger "
            f"`input` ({error})"
        ) from error
    last = layers.Dense(classes, activation=head_of(config).activation, dtype="float32", name=HEAD)
    return keras.Model(pictures, last(x), name=config.arch)


def _features(keras: Any, row: Architecture, pictures: Any, config: TrainConfig, dropout: float) -> Any:
    """Build everything before the last layer."""
    layers = keras.layers
    if row.pretrained is not None:
        return row.features(layers, row.pretrained.features(keras, pictures, config.input), config.layers, dropout)
    x = layers.Rescaling(INPUT_SCALE)(pictures)
    if config.layers.normalize:
        x = layers.LayerNormalization((1, 2, 3), epsilon=NORMALIZE_EPSILON, center=False, scale=False, dtype="float32")(x)
    return row.features(layers, x, config.layers, dropout)


def architecture(name: str) -> Architecture:
    """Return the architecture of a name. Raises ConfigError, which lists the known names."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"arch {name!r} is not known; expected one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def _classic(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:
    """The textbook CNN. With `pool_bias` and `pool_activation` it pools as LeNet-5 does (LeCun et al. 1998)."""
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

    The first convolution, 5x5 with stride 2, leaves a quarter of the pixels for the wide layers. Those run more than twice as
    fast in int8 as in float32; depthwise convolutions would save weights there, but no time.
    """
    wide = partial(_wide, shape)
    x = _normalized(layers, x, wide(32), 5, 2)
    x = _normalized(layers, x, wide(80), 3, 1)
    x = layers.MaxPooling2D(2)(x)
    x = _normalized(layers, x, wide(160), 3, 1)
    x = layers.MaxPooling2D(2)(x)
    x = _normalized(layers, x, wide(160), 3, 1)
    x = _flattened(layers, x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(wide(256), activation="relu")(x)
    return layers.Dropout(dropout)(x)


def _residual(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:
    """Two pairs of residual blocks (He et al. 2016), for the best accuracy in one megabyte of int8.

    Nearly all weights are in layers at a quarter of the input's side: large enough that each weight is used often, small enough
    to be fast. The first layer has stride 1 on small pictures and stride 2 on larger ones.
    """
    wide = partial(_wide, shape)
    x = _normalized(layers, x, wide(24), 3, 1 if min(x.shape[1:3]) <= SMALL_SIDE else 2)
    x = _normalized(layers, x, wide(48), 3, 2)
    for kernels, stride in ((48, 1), (48, 1), (128, 2), (128, 1), (128, 1)):
        x = _normalized(layers, x, wide(kernels), 3, 2) if stride == 2 else _block(layers, x, wide(kernels))
    x = _flattened(layers, _normalized(layers, x, wide(128), 3, 2))
    return layers.Dropout(dropout)(x)


def _block(layers: Any, x: Any, kernels: int) -> Any:
    inner = _normalized(layers, x, kernels, 3, 1)
    inner = layers.BatchNormalization()(layers.Conv2D(kernels, 3, padding="same", use_bias=False)(inner))
    return layers.ReLU()(layers.Add()([x, inner]))


def _normalized(layers: Any, x: Any, kernels: int, size: int, stride: int) -> Any:
    x = layers.Conv2D(kernels, size, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _flattened(layers: Any, x: Any) -> Any:
    """Flatten small feature maps; average large ones, so that the head does not grow with the picture."""
    if x.shape[1] * x.shape[2] > 16:
        return layers.GlobalAveragePooling2D()(x)
    return layers.Flatten()(x)


def _wide(shape: Layers, kernels: int) -> int:
    """Scale a number of kernels by `width`, to a multiple of 8: processors compute eight at a time."""
    return kernels if shape.width == 1 else max(8, round(kernels * shape.width / 8) * 8)


def _linear(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:  # noqa: ARG001 - it has no other layer
    """A linear classifier of the pixels: the baseline that every other network must beat."""
    return layers.Flatten()(x)


def _dropped(layers: Any, x: Any, shape: Layers, dropout: float) -> Any:  # noqa: ARG001 - it has no other layer
    """Nothing else behind a pretrained network."""
    return layers.Dropout(dropout)(x) if dropout else x


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
    **{
        name: Architecture(
            _dropped, "adamw", rate=2e-4, weight_decay=0.01, schedule="cosine", dropout=0.2, average=False, pretrained=row
        )
        for name, row in PRETRAINED.items()
    },
}
