"""Find missing settings from the configuration of a Keras model, before Keras is imported, which takes seconds to minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.export.adopt.questions import Known, unsaid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.export.adopt.preprocessing import Answers

_PLAIN = frozenset(
    [
        "Activation",
        "Add",
        "AveragePooling2D",
        "Concatenate",
        "Conv2D",
        "Conv2DTranspose",
        "Dense",
        "DepthwiseConv2D",
        "Dropout",
        "Flatten",
        "Functional",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "InputLayer",
        "LeakyReLU",
        "MaxPooling2D",
        "Model",
        "ReLU",
        "SeparableConv2D",
        "Sequential",
        "Softmax",
    ]
)
"""Layers that do not scale the levels of a picture; any other layer may."""
_SHAPES = ("batch_shape", "batch_input_shape", "build_input_shape")


def questions(config: Any, answers: Answers, *, checked: bool) -> list[str]:
    """Return the settings that are certainly missing. More may turn out to be missing when the network is loaded."""
    kinds, shape = set(), None
    for layer in _layers(config):
        kinds.add(layer["class_name"])
        shape = shape or next((layer["config"][key] for key in _SHAPES if isinstance(layer["config"].get(key), list)), None)
    channels = shape[3] if shape and len(shape) == 4 and isinstance(shape[3], int) else 1 if shape and len(shape) == 3 else 0
    missing = unsaid(answers, (), Known(channels, may_scale=bool(kinds - _PLAIN)), checked=checked)
    if shape and len(shape) >= 3 and None in shape[1:3] and not answers.size_hw:
        missing.append("`size_hw`, the size of its pictures in pixels (it takes any)")
    return missing


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """Yield all layers and models in the configuration in order, outer ones first."""
    if isinstance(config, dict):
        inner = config.get("config")
        is_layer = isinstance(inner, dict) and isinstance(inner.get("name"), str) and isinstance(config.get("class_name"), str)
        if is_layer:
            yield config
        for part in config.values():
            yield from _layers(part)
    elif isinstance(config, list):
        for part in config:
            yield from _layers(part)
