"""Networks that begin with the weights of ImageNet: their layers, their preprocessing, and where their weights come from.

The preprocessing is part of the network, so the exported model takes the pixels of a camera. Gray pictures are repeated to
three channels in it; for pictures with blue first, the first kernels are turned round.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.files import read_regular
from edgecls.model import vet
from edgecls.model.vet.keras import ZIP, check_weights, open_keras
from edgecls.pretrained import LITE, read_tensors, weights_of
from edgecls.pretrained.lite import EPSILON, MEAN, SCALE, SMALLEST_SIZE
from edgecls.pretrained.torch_file import LARGEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy import generic
    from numpy.typing import NDArray

    from edgecls.input_spec import InputSpec
    from edgecls.pretrained import Lite
    from edgecls.train.config import TrainConfig

    Weights = Mapping[str, list[NDArray[generic]]]

HEAD = "probabilities"
"""The name of the last layer, the only one that is not pretrained."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the channels, red first, with levels from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A network with weights of ImageNet.

    Attributes:
        size: The side in pixels that it was trained on, and the default.
        features: Builds everything before the last layer: (keras, picture tensor, its InputSpec) -> tensor of (N, features).
        weights: Returns the weights of each layer by its name in Keras: (keras, file or "") -> arrays.
        head_epochs: How many epochs train the last layer alone, unless the settings say otherwise.
        head_rate: The learning rate of these epochs.
    """

    size: int
    features: Callable[[Any, Any, InputSpec], Any]
    weights: Callable[[Any, str], Weights]
    head_epochs: int = 3
    head_rate: float = 3e-3


def check_settings(config: TrainConfig, row: Pretrained | None) -> None:
    """Raise ConfigError if the network of the config, whose row is None if it is not pretrained, cannot take its settings."""
    arch = config.arch
    if row is None:
        given = [name for name in ("weights", "head_epochs") if getattr(config, name) not in ("", None)]
        if given:
            raise ConfigError(f"arch {arch}: is trained from scratch; omit `{given[0]}`, or choose {', '.join(PRETRAINED)}")
        return
    if min(config.input.height, config.input.width) < SMALLEST_SIZE:
        raise ConfigError(
            f"arch {arch}: expected pictures of at least {SMALLEST_SIZE}x{SMALLEST_SIZE}, found `input` "
            f"{config.input.width}x{config.input.height}; its weights were trained on {row.size}"
        )
    if config.layers.width != 1 or config.layers.normalize:
        raise ConfigError(f"arch {arch}: has the layers that it was trained with; omit `layers.width` and `layers.normalize`")


def load_weights(keras: Any, model: Any, config: TrainConfig) -> None:
    """Give a new network of PRETRAINED its weights, from `config.weights` or from where the network's own are.

    Raises:
        ConfigError: The weights cannot be downloaded, or are those of another network.
        MissingExtraError: The package with the weights is not installed.
        ModelError: The file is damaged, or contains something else than weights.
    """
    found = PRETRAINED[config.arch].weights(keras, config.weights)
    where = config.weights or f"the weights of {config.arch}"
    first = True
    for layer in model.layers:
        if not layer.weights or layer.name == HEAD or isinstance(layer, keras.layers.Normalization):
            continue
        values = found.get(layer.name, [])
        shapes, expected = [value.shape for value in values], [tuple(weight.shape) for weight in layer.weights]
        if shapes != expected:
            raise ConfigError(
                f"{where}: expected the weights of {config.arch}, found {shapes or 'none'} for its layer {layer.name} "
                f"instead of {expected}; give the file of that network"
            )
        if first and config.input.color == "bgr":
            values = [values[0][:, :, ::-1], *values[1:]]
        first = False
        layer.set_weights(values)


def _three_channels(keras: Any, x: Any) -> Any:
    return x if x.shape[-1] == 3 else keras.layers.Concatenate()([x, x, x])


def _lite(network: Lite, keras: Any, pictures: Any, spec: InputSpec) -> Any:  # noqa: ARG001 - one rule for all channels
    """EfficientNet-Lite, see `edgecls.pretrained.lite`."""
    layers = keras.layers

    def convolution(x: Any, kernel: str, norm: str, *, size: int, stride: int = 1, channels: int = 0) -> Any:
        """Without `channels` it filters each channel on its own."""
        kinds = partial(layers.Conv2D, channels) if channels else layers.DepthwiseConv2D
        x = kinds(size, strides=stride, padding="same", use_bias=False, name=_named(kernel))(x)
        return layers.BatchNormalization(epsilon=EPSILON, name=_named(norm))(x)

    def relu6(x: Any) -> Any:
        return layers.ReLU(6.0)(x)

    x = _three_channels(keras, layers.Rescaling(1 / SCALE, -MEAN / SCALE)(pictures))
    x = relu6(convolution(x, "_conv_stem", "_bn0", size=3, stride=2, channels=32))
    for block in network.blocks:
        before, prefix = x, block.prefix
        wide = block.channels[0] * block.expansion
        if block.expansion != 1:
            x = relu6(convolution(x, f"{prefix}_expand_conv", f"{prefix}_bn0", size=1, channels=wide))
        x = relu6(convolution(x, f"{prefix}_depthwise_conv", f"{prefix}_bn1", size=block.kernel, stride=block.stride))
        x = convolution(x, f"{prefix}_project_conv", f"{prefix}_bn2", size=1, channels=block.channels[1])
        x = layers.Add()([before, x]) if block.adds else x
    x = relu6(convolution(x, "_conv_head", "_bn1", size=1, channels=1280))
    return layers.GlobalAveragePooling2D()(x)


def _lite_weights(name: str, keras: Any, file: str) -> Weights:  # noqa: ARG001 - no network of Keras is needed
    """Return the weights in the layout of Keras."""
    tensors = _tensors(file) if file else weights_of(name)
    found: dict[str, list[NDArray[generic]]] = {}
    for key in tensors:
        layer, _, kind = key.rpartition(".")
        if kind == "weight" and tensors[key].ndim == 4:
            to_keras = (2, 3, 0, 1) if "depthwise" in layer else (2, 3, 1, 0)
            found[_named(layer)] = [tensors[key].transpose(to_keras)]
        elif kind == "running_mean":
            parts = ("weight", "bias", "running_mean", "running_var")
            found[_named(layer)] = [tensors[f"{layer}.{part}"] for part in parts if f"{layer}.{part}" in tensors]
    return found


def _tensors(file: str) -> dict[str, NDArray[generic]]:
    return read_tensors(read_regular(file, error=ConfigError, most_bytes=LARGEST_BYTES), file)


def _named(name: str) -> str:
    """Return the name of a layer in Keras: "_blocks.0._bn1" is "blocks.0.bn1", as TensorFlow takes no leading underscore."""
    return re.sub(r"(^|\.)_", r"\1", name)


def _application(name: str, keras: Any, pictures: Any, spec: InputSpec) -> Any:
    """Build a network of keras.applications."""
    layers = keras.layers
    if name == "EfficientNetV2B0":
        order = -1 if spec.color == "bgr" else 1
        mean, variance = IMAGENET_MEAN[::order], tuple(value**2 for value in IMAGENET_DEVIATION[::order])
        x = _three_channels(keras, layers.Rescaling(1 / 255)(pictures))
        x = layers.Normalization(mean=mean, variance=variance)(x)
    else:
        x = _three_channels(keras, layers.Rescaling(1 / 127.5, -1)(pictures))
    return _network(name, keras, input_tensor=x, weights=None).output


def _network(name: str, keras: Any, **arguments: Any) -> Any:
    scaled = {} if name == "MobileNetV2" else {"include_preprocessing": False}
    return getattr(keras.applications, name)(include_top=False, pooling="avg", **scaled, **arguments)


def _application_weights(name: str, keras: Any, file: str) -> Weights:
    """Return the weights that Keras downloads, or those in a .keras, .weights.h5 or .h5 file that Keras wrote."""
    if file:
        network = _from_file(name, keras, file)
    else:
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
                network = _network(name, keras, input_shape=(224, 224, 3), weights="imagenet")
        except Exception as error:
            why = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"Keras cannot download the weights of {name} ({why}); download the file on another machine and give it as "
                "`weights`"
            ) from error
    return {layer.name: layer.get_weights() for layer in network.layers}


def _from_file(name: str, keras: Any, file: str) -> Any:
    content = vet.read(file)
    try:
        if content.startswith(ZIP):
            open_keras(content, Path(file).name)
            return keras.saving.load_model(file, compile=False)
        check_weights(content, file)
        network = _network(name, keras, input_shape=(224, 224, 3), weights=None)
        network.load_weights(file)
        return network
    except EdgeclsError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ConfigError(f"{file}: expected the weights of {name} as Keras saves them, but they do not fit ({why})") from error


PRETRAINED = {
    **{name: Pretrained(row.size, partial(_lite, row), partial(_lite_weights, name)) for name, row in LITE.items()},
    **{
        arch: Pretrained(224, partial(_application, name), partial(_application_weights, name))
        for arch, name in {
            "mobilenet-v2": "MobileNetV2",
            "mobilenet-v3-small": "MobileNetV3Small",
            "efficientnet-v2-b0": "EfficientNetV2B0",
        }.items()
    },
}
"""By the name of the architecture."""
