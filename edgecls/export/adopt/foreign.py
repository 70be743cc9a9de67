"""A foreign file opened: its graph, and all that it says of itself."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras, vet
from edgecls.errors import EdgeclsError, ModelError
from edgecls.export.adopt.feed import Answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

SKIPPED = frozenset({"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""What changes no value, or its form alone."""
LINEAR = frozenset({"Conv", "Gemm", "MatMul"})
SCALES = (1 / 255, 1 / 256, 1 / 127.5, 1 / 128)
"""What a graph multiplies by that expects levels of 0..255."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A classifier that edgecls did not make.

    `model` is its graph, `kind` what made it, in words, `sha256` of the file. `known` are the answers that the file itself
    gives, `names` its labels if it has some, `about` what it says of its data and terms, `notes` what is to be said.
    """

    path: str
    model: onnx.ModelProto
    kind: str
    sha256: str
    known: Answers = field(default_factory=Answers)
    names: tuple[str, ...] = ()
    about: str = ""
    notes: tuple[str, ...] = ()


def open_foreign(path: str | Path, size_hw: tuple[int, int] | tuple[()] = ()) -> Foreign:
    """Open an .onnx, .keras or .h5 file; `size_hw` is the input size for a network that takes any.

    Raises ModelError for what is none of them, is hostile, or that its library cannot load.
    """
    content = vet.read(path)
    sha256 = hashlib.sha256(content).hexdigest()
    if Path(path).suffix.lower() in (".keras", ".h5", ".hdf5"):
        from edgecls.export.adopt.from_keras import from_keras

        model, kind = from_keras(Path(path), size_hw)
        return _with_own_scaling(Foreign(str(path), model, kind, sha256))
    vet.vet(content, str(path))
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    try:
        model = onnx.load_from_string(content)
    except Exception as error:
        raise ModelError(f"{path}: cannot be read as ONNX ({str(error)[:200]})") from error
    opset = opset_of(model)
    made_by = " ".join(filter(None, (model.producer_name, model.producer_version))) or "an unknown tool"
    foreign = Foreign(str(path), model, f"ONNX opset {opset} by {made_by}", sha256)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if "task" in metadata and "names" in metadata:
        return _ultralytics(foreign, metadata)
    return _with_own_scaling(foreign)


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators."""
    return next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)


def last_operator(model: onnx.ModelProto, output: str) -> str:
    """What makes an output: an operator's name, "linear" for a layer without activation, or "" for what cannot be told."""
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in SKIPPED:
        node = makers.get(node.input[0])
    if node is None:
        return ""
    added_to = [makers[name].op_type for name in node.input if name in makers] if node.op_type == "Add" else []
    return "linear" if node.op_type in LINEAR or LINEAR & set(added_to) else str(node.op_type)


def _ultralytics(foreign: Foreign, metadata: Mapping[str, str]) -> Foreign:
    """What Ultralytics' classifiers are fed with: RGB of 0..1, the shorter side shrunk to the size with antialiasing and the
    middle cut out; a size that is no square is stretched to (docs.ultralytics.com, classify; torchvision's Resize and
    CenterCrop).
    """
    where = foreign.path
    if metadata["task"] != "classify":
        raise ModelError(
            f"{where}: its metadata says task {metadata['task']!r}, expected 'classify'; edgecls takes classifiers"
        )
    names, size = _literal(metadata["names"], where, "names"), _literal(metadata.get("imgsz", "[]"), where, "imgsz")
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
    note = f"labels that stand there twice have their number behind them: {', '.join(sorted(twice))}"
    about = "; ".join(filter(None, (metadata.get("description", ""), metadata.get("license", ""))))
    kind = f"Ultralytics {metadata.get('version', '')} classifier, ".replace("  ", " ") + foreign.kind
    return replace(foreign, kind=kind, known=known, names=labels, about=about, notes=(note,) if twice else ())


def _literal(text: str, where: str, name: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ModelError(f"{where}: its metadata {name!r} cannot be read ({text[:80]!r})") from error


def _with_own_scaling(foreign: Foreign) -> Foreign:
    """A graph that begins with a division by 255, or one like it, expects levels of 0..255."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    constants = {i.name: i for i in foreign.model.graph.initializer}
    for node in foreign.model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    names = {i.name for i in foreign.model.graph.input} - set(constants)
    for node in foreign.model.graph.node:
        data = [name for name in node.input if name in names]
        if data and node.op_type in SKIPPED:
            names |= set(node.output)
        if not data or node.op_type not in ("Mul", "Div"):
            continue
        beside = [onnx.numpy_helper.to_array(constants[name]) for name in node.input if name in constants]
        factors = {float(v) if node.op_type == "Mul" else 1 / float(v) for array in beside for v in array.reshape(-1) if v}
        if len(factors) == 1 and any(abs(factor / scale - 1) < 1e-3 for factor in factors for scale in SCALES):
            return replace(foreign, known=replace(foreign.known, values="0..255"),
                           notes=(*foreign.notes, "the graph scales levels of 0..255 itself"))  # fmt: skip
    return foreign


def labels_of(foreign: Foreign, labels: str, outputs: int) -> tuple[str, ...]:
    """The labels: "numbers", those of a file, or those that the model brings. Raises ModelError where their number is wrong."""
    from edgecls.dataset.config import read_labels

    if labels == "numbers":
        return tuple(map(str, range(outputs)))
    try:
        names = tuple(read_labels(labels)) if labels else foreign.names
    except EdgeclsError as error:
        raise ModelError(f"--labels: {error}") from error
    if len(names) != outputs:
        where = f"--labels {labels} has" if labels else "its metadata has"
        raise ModelError(
            f"{foreign.path}: {where} {len(names)} labels, the network tells {outputs} apart; expected one for each"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"{foreign.path}: labels must differ, {twice[0]!r} stands in {labels} twice")
    return names
