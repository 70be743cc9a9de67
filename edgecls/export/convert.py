"""Convert a Keras model to an ONNX graph with uint8 input, remove the leftovers of the conversion, and add the card."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.errors import ExportError
from edgecls.export.trace import traced
from edgecls.model.card import METADATA_KEY
from edgecls.model.golden import GOLDEN_KEY

if TYPE_CHECKING:
    import onnx

    from edgecls.input_spec import InputSpec
    from edgecls.model.card import ModelCard
    from edgecls.model.golden import Golden

BATCH_AXIS = "N"


def check_backend() -> None:
    """Raise ExportError unless the backend of Keras is TensorFlow, the only one that can be converted."""
    found = extras.backend()  # known before Keras is imported, which would need the other backend
    if found == "tensorflow":
        found = extras.load("keras", extra="export", purpose="Exporting").backend.backend()
    if found != "tensorflow":
        raise ExportError(f"exporting needs Keras on TensorFlow, here it is on {found}; set KERAS_BACKEND=tensorflow to "
                          "export, whatever the backend of the training run was")  # fmt: skip


def to_onnx(model: Any, spec: InputSpec) -> onnx.ModelProto:
    """Convert a keras.Model with input (N, height, width, channels) uint8. Raises ExportError if its input is another one."""
    if tuple(model.input_shape) != (None, *spec.shape):
        raise ExportError(f"the card promises pictures of {spec.shape}, the Keras model takes {tuple(model.input_shape)[1:]}")
    return tidy(traced(model, spec.shape, "uint8"))


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Simplify a converted graph: constant shapes for reshapes, a named batch axis, and ONNX Runtime's basic optimizations
    (normalizations folded into convolutions, MatMul and Add into one Gemm). The result uses standard ONNX operators only.
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
    """Replace the chain from Shape to Concat, which tf2onnx writes for Flatten to compute the batch size, by a constant -1."""
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
    """Return the graph after ONNX Runtime's basic optimizations: constants folded, nodes without effect removed."""
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
