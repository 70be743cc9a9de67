"""Keras -> ONNX: a graph that eats uint8, without leftovers of the conversion, with the card inside."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.card import METADATA_KEY
from edgecls.classifier import INPUT_NAME, OUTPUT_NAME
from edgecls.errors import ExportError
from edgecls.golden import GOLDEN_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from edgecls.card import InputSpec, ModelCard
    from edgecls.golden import Golden

OPSET = 18
BATCH_AXIS = "N"


def check_backend() -> None:
    """Raise ExportError where Keras computes with something else than TensorFlow, which alone can be converted."""
    found = extras.backend()  # asked before Keras loads, and needs, another one
    if found == "tensorflow":
        found = extras.load("keras", extra="export", purpose="Exporting").backend.backend()
    if found != "tensorflow":
        raise ExportError(f"exporting needs Keras on TensorFlow, here it is on {found}; a run of any backend can be exported "
                          "in a process with KERAS_BACKEND=tensorflow")  # fmt: skip


def to_onnx(model: Any, spec: InputSpec) -> onnx.ModelProto:
    """Convert a keras.Model over (N, height, width, channels) uint8. Raises ExportError when it has another input."""
    if tuple(model.input_shape) != (None, *spec.shape):
        raise ExportError(f"the card promises pictures of {spec.shape}, the Keras model takes {tuple(model.input_shape)[1:]}")
    return tidy(traced(model, spec.shape, "uint8"))


def traced(model: Any, shape: Sequence[int], dtype: str) -> onnx.ModelProto:
    """Convert a keras.Model with one input of (N, *shape) and one output, as it comes out of tf2onnx.

    tf2onnx gets a tf.function: its own Keras entry fails on Keras 3, and Keras' own export leaves names and batch axis
    to chance.
    """
    tensorflow = extras.load("tensorflow", extra="export", purpose="Exporting")
    tf2onnx = extras.load("tf2onnx", extra="export", purpose="Exporting")
    signature = [tensorflow.TensorSpec((None, *shape), dtype, name=INPUT_NAME)]
    function = tensorflow.function(lambda image: {OUTPUT_NAME: model(image, training=False)}, input_signature=signature)
    converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    return converted


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give reshapes a constant shape, name the batch axis, and fold what ONNX Runtime's basic level folds
    (normalizations into convolutions, a product and a sum into one Gemm); the result is plain ONNX.
    """
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    _make_reshapes_static(onnx, model.graph)
    drop_unused(model.graph)
    model = folded(model)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH_AXIS
    del model.graph.value_info[:]
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model


def stamp(model: onnx.ModelProto, card: ModelCard, golden: Golden | None = None) -> bytes:
    """Return the bytes of the file with `card` and `golden` in its metadata; earlier metadata is replaced."""
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    del model.metadata_props[:]
    kept = {} if golden is None else {GOLDEN_KEY: golden.to_json()}
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json(), **kept})
    model.producer_name, model.producer_version = "edgecls", card.made_with.get("edgecls", "")
    return bytes(model.SerializeToString(deterministic=True))


def _make_reshapes_static(onnx: Any, graph: Any) -> None:
    """Flatten comes as a chain from Shape to Concat that computes the batch size; -1 says the same."""
    dims = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.value_info, *graph.output)}
    for node in graph.node:
        shape = dims.get(node.output[0], [])
        if node.op_type == "Reshape" and shape and shape.count(0) == 1:
            name = f"{node.output[0]}/shape"
            fixed = np.array([-1 if d == 0 else d for d in shape], np.int64)
            graph.initializer.append(onnx.numpy_helper.from_array(fixed, name))
            node.input[1] = name


def drop_unused(graph: Any) -> None:
    """Remove nodes and constants that no output needs."""
    while True:
        wanted = {name for node in graph.node for name in node.input} | {o.name for o in graph.output}
        dead = [node for node in graph.node if not wanted & set(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    for initializer in [i for i in graph.initializer if i.name not in wanted]:
        graph.initializer.remove(initializer)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """What ONNX Runtime makes of a graph at its basic level: constants computed, what does nothing taken out."""
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    ort = extras.load("onnxruntime", extra="cpu", purpose="Exporting")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(target)
