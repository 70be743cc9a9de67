"""Convert a Keras model from a .keras file, or from an .h5 file of Keras 2, to an ONNX graph."""

from __future__ import annotations

import contextlib
import math
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from edgecls import extras
from edgecls.errors import ConfigError, EdgeclsError, ExportError, ModelError
from edgecls.export.adopt import keras2
from edgecls.export.adopt.outline import questions
from edgecls.export.adopt.questions import ask
from edgecls.export.build import plainly
from edgecls.export.parity import LARGEST_FLOAT_DIFFERENCE
from edgecls.export.trace import traced
from edgecls.model.vet.keras import open_keras

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

    from edgecls.export.adopt.preprocessing import Answers
    from edgecls.model.vet.keras import KerasFile

SPARE_BYTES = 64_000_000
"""The weights of a network may take this much more than the file, because a few layers create tensors of their own."""
LARGEST_ACTIVATION = 2**28
"""Maximum number of outputs of a layer for one picture: a gigabyte. The largest layer of VGG at 224x224 has 3 million."""


def from_keras(content: bytes, path: Path, answers: Answers, *, checked: bool) -> tuple[onnx.ModelProto, str]:
    """Return the graph of a Keras model, and the tool that made it, in words.

    Keras' safe mode stays on: no code in the file is run.

    Args:
        content: The bytes of the file.
        path: Its name, for messages.
        answers: What the user says about the network.
        checked: Whether there are check pictures, which show colour and values.

    Raises:
        ConfigError: A setting is missing. This is checked before Keras and TensorFlow are imported, as far as possible.
        ModelError: Keras cannot load the file, or the network does not have one input for pictures and one output.
        ExportError: The graph does not compute the same as Keras.
    """
    missing = questions(open_keras(content, str(path)).config, answers, checked=checked)
    if missing:
        raise ask(str(path), missing)
    keras = extras.load("keras", extra="export", purpose="Adopting a Keras model")
    model = load(content, path)
    shape, dtype = _input_of(model, path, answers.size_hw)
    _check_activations(model, path)
    try:
        graph = traced(model, shape, dtype)
    except EdgeclsError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:
        raise ModelError(f"{path}: tf2onnx cannot convert this network ({_reason(error)})") from error
    _check_same(model, graph, shape, dtype, path)
    return graph, f"Keras, loaded by {keras.__version__}"


def load(content: bytes, path: Path) -> Any:
    """Load the keras.Model of a file, in float32 whatever its dtype policy was. Raises ModelError."""
    file = open_keras(content, str(path))
    refused = sorted(set(keras2.functions(file.config)))
    if refused:
        raise ModelError(
            f"{path}: it calls TensorFlow's {', '.join(refused)} by name, which is not loaded; convert it to .onnx where it "
            "was made"
        )
    keras = extras.load("keras", extra="export", purpose="Adopting a Keras model")
    try:  # the configuration may lack anything that is read here, or have another type
        old = keras2.is_keras_2(file.version)
        config = _in_float32(keras2.upgraded(file.config, archive=file.archive) if old else file.config)
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _bounded(keras, file, path):
            warnings.simplefilter("ignore")  # about the format of Keras 2 files, which the user cannot change
            objects = keras2.custom_objects() if old else None
            return keras.saving.load_model(
                file.write(Path(folder), config), custom_objects=objects, compile=False, safe_mode=True
            )
    except EdgeclsError:
        raise
    except Exception as error:
        raise ModelError(
            f"{path}: Keras {keras.__version__} cannot load it ({_reason(error)}); save it as .keras, or convert it to "
            ".onnx, with the version that made it"
        ) from error


def _reason(error: Exception) -> str:
    """Return the message of Keras or TensorFlow, without the configuration that it repeats before the reason."""
    text = " ".join(str(error).split())
    text = f"there is no {text}" if isinstance(error, KeyError) else text
    for before in ("Exception encountered: ", "ValueError: ", "TypeError: "):
        text = text.rpartition(before)[2]
    return text if len(text) <= 300 else f"{text[:150]} ... {text[-150:]}"


_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


def _in_float32(config: Any) -> Any:
    """Return a configuration with float32 instead of 16-bit types, which tf2onnx cannot always convert. No weight changes."""
    if isinstance(config, list):
        return [_in_float32(part) for part in config]
    if not isinstance(config, dict):
        return config
    found = {}
    for key, value in config.items():
        policy = value.get("config") if isinstance(value, dict) else None
        name = policy.get("name") if isinstance(policy, dict) else value
        found[key] = "float32" if "dtype" in key and isinstance(name, str) and name in _HALF else _in_float32(value)
    return found


@contextlib.contextmanager
def _bounded(keras: Any, file: KerasFile, path: Path) -> Iterator[None]:
    """Raise ModelError if the layers create more weights than the file holds: Keras allocates them before it reads the file."""
    limit, requested = 4 * len(file.weights) + SPARE_BYTES, 0
    add = keras.layers.Layer.add_weight

    def add_weight(layer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal requested
        requested += 4 * math.prod(shape or ())
        if requested > limit:
            raise ModelError(f"{path}: its layers ask for more weights than the file holds; it was not loaded")
        return add(layer, shape, *args, **kwargs)

    with mock.patch.object(keras.layers.Layer, "add_weight", add_weight):
        yield


def _check_activations(model: Any, path: Path) -> None:
    """Raise ModelError if a layer has more than LARGEST_ACTIVATION outputs for one picture."""
    for layer in model._flatten_layers():
        for tensor in (t for node in layer._inbound_nodes for t in node.output_tensors):
            if math.prod(n or 1 for n in tensor.shape) > LARGEST_ACTIVATION:
                raise ModelError(
                    f"{path}: its layer {layer.name!r} gives {tuple(tensor.shape)} numbers for a picture; it was not run"
                )


def _check_same(model: Any, graph: onnx.ModelProto, shape: list[int], dtype: str, path: Path) -> None:
    """Raise ExportError unless the graph computes the same as Keras, for random values of 0..1 and of 0..255."""
    try:
        run = plainly(graph.SerializeToString())
    except Exception as error:
        raise ModelError(f"{path}: converted to ONNX it cannot be loaded ({_reason(error)})") from error
    for largest in (1, 255):
        fed = (np.random.default_rng(0).random((4, *shape)) * largest).astype(dtype)
        try:
            expected = np.asarray(model.predict_on_batch(fed))
            apart = float(np.abs(run(fed) - expected).max()) / max(1.0, float(np.abs(expected).max()))
        except Exception as error:
            raise ModelError(f"{path}: the network cannot be run on {len(fed)} pictures ({_reason(error)})") from error
        if not apart <= LARGEST_FLOAT_DIFFERENCE:
            raise ExportError(
                f"{path}: converted to ONNX it gives other outputs than in Keras, by {apart:.2g} of its largest output, "
                f"expected at most {LARGEST_FLOAT_DIFFERENCE:g}; nothing was written"
            )


def _input_of(model: Any, path: Path, size_hw: tuple[int, int] | tuple[()]) -> tuple[list[int], str]:
    """Return the dimensions of one picture and the dtype of the input. Raises ModelError or ConfigError."""
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) not in (3, 4):
        raise ModelError(
            f"{path}: expected a network from one picture (N, height, width, channels) to one output, found "
            f"{[tuple(i.shape) for i in inputs]} to {[tuple(o.shape) for o in outputs]}"
        )
    shape = list(inputs[0].shape[1:])
    if None in shape[:2] and size_hw:
        shape[:2] = [own or given for own, given in zip(shape[:2], size_hw, strict=True)]
    if None in shape:
        raise ConfigError(f"{path}: the network takes pictures of any size; choose one with `size_hw`")
    dtype = str(inputs[0].dtype)
    return shape, dtype if dtype == "uint8" else "float32"
