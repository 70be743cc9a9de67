"""A Keras model from a .keras file, or from an .h5 file of Keras 2, as a graph."""

from __future__ import annotations

import json
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras, vet
from edgecls.errors import ConfigError, ExportError, ModelError
from edgecls.export.build import plainly
from edgecls.export.convert import traced
from edgecls.export.parity import LARGEST_FLOAT_DIFFERENCE

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

LARGEST_CONFIG_BYTES = 64_000_000
CODE = frozenset({"Lambda", "__lambda__"})
"""Classes in a Keras file that hold Python's bytecode."""


def from_keras(path: Path, size_hw: tuple[int, int] | tuple[()]) -> tuple[onnx.ModelProto, str]:
    """Return the graph of a Keras model, and what made it, in words. Keras' safe mode stays on: no code of the file is run.

    Raises ModelError for what Keras cannot load, or a network of another form than one picture to one row of numbers.
    """
    if _holds_code(_config(path)):
        raise ModelError(
            f"{path}: it holds a Lambda layer, whose code would be run to load it; where you trust it, replace the layer by "
            "one of Keras' own and save the model again, or convert it to .onnx there"
        )
    keras = extras.load("keras", extra="export", purpose="Adopting a Keras model")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how files of Keras 2 are written, which nobody can change
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelError(
            f"{path}: Keras {keras.__version__} cannot load it ({str(error)[:300]}); save it as .keras, or convert it to "
            ".onnx, with the version that made it"
        ) from error
    shape, dtype = _input_of(model, path, size_hw)
    try:
        graph = traced(model, shape, dtype)
    except Exception as error:
        raise ModelError(f"{path}: tf2onnx cannot convert this network ({str(error)[:300]})") from error
    _check_same(model, graph, shape, dtype, path)
    return graph, f"Keras, loaded by {keras.__version__}"


def _check_same(model: Any, graph: onnx.ModelProto, shape: list[int], dtype: str, path: Path) -> None:
    """Raise ExportError unless the graph gives what Keras gives, for values of 0 to 1 and of 0 to 255 drawn by chance."""
    run = plainly(graph.SerializeToString())
    for largest in (1, 255):
        fed = (np.random.default_rng(0).random((4, *shape)) * largest).astype(dtype)
        expected = np.asarray(model.predict_on_batch(fed))
        apart = float(np.abs(run(fed) - expected).max()) / max(1.0, float(np.abs(expected).max()))
        if not apart <= LARGEST_FLOAT_DIFFERENCE:
            raise ExportError(
                f"{path}: converted to ONNX it gives something else than in Keras, by {apart:.2g} of its largest output, "
                f"expected at most {LARGEST_FLOAT_DIFFERENCE:g}; nothing was written"
            )


def _input_of(model: Any, path: Path, size_hw: tuple[int, int] | tuple[()]) -> tuple[list[int], str]:
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
        raise ConfigError(f"{path}: the network takes pictures of any size; say which with --size N or WIDTHxHEIGHT")
    dtype = str(inputs[0].dtype)
    return shape, dtype if dtype == "uint8" else "float32"


def _config(path: Path) -> Any:
    """The layers that a Keras file lists, read without Keras."""
    try:
        if zipfile.is_zipfile(path):
            return json.loads(_from_zip(path))
        h5py: Any = extras.load("h5py", extra="export", purpose="Adopting a Keras model")
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None:
                raise ModelError(f"{path}: expected a whole Keras model, found weights alone; save the model, not its weights")
            return json.loads(text)
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: expected a .keras or .h5 file with a Keras model ({str(error)[:200]})") from error


def _from_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > vet.LARGEST_MODEL_BYTES:
            raise ModelError(f"{path}: unpacked it would be larger than {vet.LARGEST_MODEL_BYTES:,} bytes")
        if archive.getinfo("config.json").file_size > LARGEST_CONFIG_BYTES:
            raise ModelError(f"{path}: its config.json is larger than {LARGEST_CONFIG_BYTES:,} bytes")
        return archive.read("config.json")


def _holds_code(config: Any) -> bool:
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and part.get("class_name") in CODE:
            return True
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    return False
