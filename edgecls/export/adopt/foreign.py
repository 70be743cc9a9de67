"""Open a model file of another tool: its graph, and what its metadata says."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import EdgeclsError, ModelError
from edgecls.export.adopt.formats import refuse_others
from edgecls.export.adopt.preprocessing import Answers
from edgecls.export.adopt.runner import started
from edgecls.export.adopt.scaling import own_values
from edgecls.model import vet
from edgecls.model.card import DETECTOR_KEY, METADATA_KEY
from edgecls.model.vet.keras import is_keras

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx


QUANTIZED = frozenset(
    {"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear"}
)
"""Operators that only quantized graphs have."""
DETECTOR_OUTPUTS = frozenset({"boxes", "pred_boxes", "dets", "detection_boxes", "bboxes"})
"""Names of outputs that only detectors have."""
FEWEST_ROWS = 5
"""An output for one picture with at least this many rows and columns is one of a detector: a box has four numbers."""
HALVES = (10, 16)
"""TensorProto.DataType of float16 and bfloat16."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A classifier of another tool.

    Attributes:
        path: The file.
        model: Its graph.
        kind: The format and the tool that wrote it, in words.
        sha256: The checksum of the file.
        known: The answers that the file itself contains.
        names: Its labels, if it has some.
        about: What it says about its data and licence.
        notes: Lines to show to the user.
    """

    path: str
    model: onnx.ModelProto
    kind: str
    sha256: str
    known: Answers = field(default_factory=Answers)
    names: tuple[str, ...] = ()
    about: str = ""
    notes: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        """The number format that the graph computes in."""
        if any(node.op_type in QUANTIZED for node in self.model.graph.node):
            return "int8"
        half = any(tensor.data_type in HALVES for tensor in self.model.graph.initializer)
        return "fp16" if half else "fp32"


def open_foreign(path: str | Path, answers: Answers, *, checked: bool) -> Foreign:
    """Open an .onnx, .keras or .h5 file.

    Args:
        path: The file.
        answers: What the user says about the network.
        checked: Whether there are check pictures, which show colour and values.

    Raises:
        ModelError: The file has another format, is malicious, or cannot be loaded by its library.
        ConfigError: A setting for a Keras model is missing.
    """
    refuse_others(Path(path))
    content = vet.read(path)
    if is_keras(Path(path), content):
        from edgecls.export.adopt.from_keras import from_keras

        model, kind = from_keras(content, Path(path), answers, checked=checked)
        return _with_own_scaling(Foreign(str(path), model, kind, hashlib.sha256(content).hexdigest()))
    foreign = read_onnx(path, content)
    metadata = metadata_of(foreign.model)
    if METADATA_KEY in metadata:
        raise ModelError(
            f"{path}: it is an edgecls model already, with its card; use it as it is, for example: edgecls run --model {path}"
        )
    if DETECTOR_KEY in metadata:
        raise ModelError(f"{path}: it is an edgecls detector, not a classifier; use it as the `detector` of a run")
    if "task" in metadata and "names" in metadata:
        return _ultralytics(foreign, metadata)
    _refuse_detectors(foreign)
    return _with_own_scaling(foreign)


def read_onnx(path: str | Path, content: bytes) -> Foreign:
    """Read the bytes of an .onnx file.

    Raises:
        ModelError: The file is malicious or damaged.
    """
    vet.vet(content, str(path))
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    try:
        model = onnx.load_from_string(content)
    except Exception as error:
        raise ModelError(f"{path}: cannot be read as ONNX ({str(error)[:200]})") from error
    made_by = " ".join(filter(None, (model.producer_name, model.producer_version))) or "an unknown tool"
    _free_unknown(model.graph)
    _check(onnx, model, str(path))
    kind = f"ONNX opset {opset_of(model)} by {made_by}"
    return Foreign(str(path), model, kind, hashlib.sha256(content).hexdigest())


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    """Return the metadata of a file."""
    return {entry.key: entry.value for entry in model.metadata_props}


def _refuse_detectors(foreign: Foreign) -> None:
    """Raise ModelError for a graph with an output that no classifier has: a row of numbers for each of many boxes."""
    for output in foreign.model.graph.output:
        rows = [int(dim.dim_value) for dim in output.type.tensor_type.shape.dim][1:]
        if output.name in DETECTOR_OUTPUTS or (len(rows) == 2 and min(rows) >= FEWEST_ROWS):
            raise ModelError(
                f"{foreign.path}: its output {output.name} {[0, *rows]} is one of a detector, and edgecls takes classifiers "
                "here; adopt a detector with `detector`"
            )


def _check(onnx: Any, model: onnx.ModelProto, where: str) -> None:
    """Raise ModelError if a graph is damaged, so that later steps can rely on its nodes and tensors."""
    constants = [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    for tensor in (*model.graph.initializer, *constants):
        try:
            onnx.numpy_helper.to_array(tensor)
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            raise ModelError(f"{where}: its tensor {tensor.name!r} is damaged ({why})") from error
    started(model, where, as_it_is=True)


def _free_unknown(graph: Any) -> None:
    """Make dimensions of -1, as Paddle writes them, unknown."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value < 0:
                dim.ClearField("dim_value")


def opset_of(model: onnx.ModelProto) -> int:
    """Return the opset version of the standard operators."""
    return next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)


def _ultralytics(foreign: Foreign, metadata: Mapping[str, str]) -> Foreign:
    """Add what the metadata of an Ultralytics classifier says, and its preprocessing. Raises ModelError for other tasks.

    Ultralytics feeds RGB of 0..1. The shorter side is shrunk to the size with antialiasing and the center is cropped; if the
    size is not square, the picture is stretched (docs.ultralytics.com, classify; torchvision's Resize and CenterCrop).
    """
    where = foreign.path
    if metadata["task"] != "classify":
        raise ModelError(
            f"{where}: its metadata says task {metadata['task']!r}, expected 'classify'; edgecls takes classifiers here"
            + ("; adopt a detector with `detector`" if metadata["task"] == "detect" else "")
        )
    names, size = literal(metadata["names"], where, "names"), literal(metadata.get("imgsz", "[]"), where, "imgsz")
    if isinstance(names, dict):
        names = [names[i] for i in range(len(names)) if i in names] if set(names) == set(range(len(names))) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"{where}: expected one name for each class in its metadata, found {metadata['names'][:80]!r}")
    size = [size, size] if isinstance(size, int) else size
    size_hw = tuple(size) if isinstance(size, list) and len(size) == 2 and all(type(n) is int for n in size) else ()
    square = not size_hw or size_hw[0] == size_hw[1]
    known = Answers(
        color="gray" if metadata.get("channels") == "1" else "rgb",
        values="0..1",
        size_hw=size_hw,
        layout="nchw",
        fit="center-crop" if square else "stretch",
        interpolation="area",
        output="probabilities",
    )
    twice = {name for name in names if names.count(name) > 1}
    labels = tuple(f"{name} ({i})" if name in twice else name for i, name in enumerate(names))
    note = f"labels that occur twice got their number appended: {', '.join(sorted(twice))}"
    about = "; ".join(filter(None, (metadata.get("description", ""), metadata.get("license", ""))))
    kind = f"Ultralytics {metadata.get('version', '')} classifier, ".replace("  ", " ") + foreign.kind
    return replace(foreign, kind=kind, known=known, names=labels, about=about, notes=(note,) if twice else ())


def literal(text: str, where: str, name: str) -> Any:
    """Return the value of a metadata entry that is written as Python writes it. Raises ModelError."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ModelError(f"{where}: its metadata {name!r} cannot be read ({text[:80]!r})") from error


def _with_own_scaling(foreign: Foreign) -> Foreign:
    """Add the range of values that the graph expects, if its own scaling shows it."""
    values = own_values(foreign.model)
    if not values:
        return foreign
    note = f"the graph scales {'levels' if values == '0..255' else 'values'} of {values} itself"
    return replace(foreign, known=replace(foreign.known, values=values), notes=(*foreign.notes, note))


def names_in(labels: str) -> tuple[str, ...]:
    """Return the labels in a file. Raises ModelError."""
    from edgecls.dataset.config import read_labels

    try:
        return tuple(read_labels(labels))
    except EdgeclsError as error:
        raise ModelError(f"`labels`: {error}") from error


def labels_of(foreign: Foreign, labels: str, outputs: int) -> tuple[str, ...]:
    """Return the labels: numbers, those of a file, or those in the model. Raises ModelError if their number is wrong."""
    if labels == "numbers":
        return tuple(map(str, range(outputs)))
    names = names_in(labels) if labels else foreign.names
    if len(names) != outputs:
        where = f"`labels={labels}` has" if labels else "its metadata has"
        raise ModelError(
            f"{foreign.path}: {where} {len(names)} labels, the network distinguishes {outputs}; expected one for each"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"{foreign.path}: labels must differ, {twice[0]!r} is in {labels} twice")
    return names
