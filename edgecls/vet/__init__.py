"""Look over the bytes of an .onnx file before any library takes them.

An .onnx file is a program from somewhere. It can name other files that shall be read, declare tensors larger than any memory,
loop for ever, or be a few megabytes that become many gigabytes when they are parsed. So its structure is walked here first, in
about a millisecond, from the wire format of Protocol Buffers alone: the machine that runs models has no onnx package. Nothing
is copied, nothing is called again by itself, and what is skipped is limited.

What is refused no classifier needs: weights in other files, tensors whose bytes do not fill their dimensions, control flow and
functions, chance, operators of other libraries. What a graph computes while it runs is not bounded by this.

The numbers of the fields are those of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ModelError
from edgecls.vet.wire import BYTES, VARINT, Field, Walk, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_MODEL_BYTES = 2**31 - 1
"""Protobuf can hold no more, and nothing larger belongs on an edge device."""
MOST_ELEMENTS = 2**31
"""Of a tensor that the file declares or makes."""
MOST_DIMENSIONS = 16

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Whose operators ONNX Runtime has itself."""
_CHANCE = "it draws by chance, so no answer would be the same again"
FORBIDDEN_OPERATORS = {
    "EPContext": "it loads another file",
    **dict.fromkeys(("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"), _CHANCE),
    **dict.fromkeys(("RandomUniform", "RandomUniformLike"), _CHANCE),
}
SIZED_BY_CONSTANTS = frozenset({"ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample"})
"""Operators that make a tensor as large as one of their inputs says."""

_BITS = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),  # uint8, int8, bool and floats of 8 bits
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
}
"""Of one element, by TensorProto.DataType; texts (8) have no fixed size."""
_TEXT, _INT64 = 8, 7

_KNOWN_AS = (
    (b"PK\x03\x04", "a zip archive, such as .keras or .pt; a Keras model is taken by: edgecls adopt"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as a Keras .h5; it is taken by: edgecls adopt"),
    (b"<", "text, such as a page that a download ended in"),
    (b"version https://git-lfs", "the pointer of a file in Git LFS; fetch it with: git lfs pull"),
    (b"{", "text"),
)


def read(path: str | Path) -> bytes:
    """Return the bytes of a model file. Raises ModelError for what is no file, cannot be read, or is too large to look at."""
    path = Path(path)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ModelError(f"{path}: expected an .onnx file, found a folder; a training run is exported with: edgecls export")
        if not stat.S_ISREG(found.st_mode):
            raise ModelError(f"{path}: expected an .onnx file, found a device or a pipe, which need not end")
        if found.st_size > LARGEST_MODEL_BYTES:
            raise ModelError(f"{path}: {found.st_size} bytes are more than an .onnx file can have")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read ({error.strerror})") from error


def vet(model: bytes, where: str) -> None:
    """Raise ModelError unless `model` may be given to a library; `where` names the file in errors."""
    walk = Walk(model, where)
    kind = next((kind for start, kind in _KNOWN_AS if model.startswith(start)), None)
    kind = "a file in ONNX Runtime's own format; convert the .onnx it was made of" if model[4:8] == b"ORTM" else kind
    if not model or kind:
        raise walk.refuse(f"expected an .onnx file, found {kind or 'an empty one'}")
    graphs = []
    for part in walk.fields_of(0, len(model)):
        if part.number == 7 and part.wire == BYTES:
            graphs.append(part)
        elif part.number in _REFUSED_IN_MODEL:
            raise walk.refuse(_REFUSED_IN_MODEL[part.number])
        elif part.number not in _PLAIN_IN_MODEL:
            walk.skip(part)
    if len(graphs) != 1:
        raise walk.refuse(f"expected an .onnx file with one graph, found {len(graphs)}")
    _graph(walk, graphs[0])
    _check_sized(walk)


_REFUSED_IN_MODEL = {
    20: "it holds a training program; export it for inference",
    25: "it holds functions, which can grow without bound when they are unfolded; inline them, for example with "
    "onnx.inliner.inline_local_functions",
}
_PLAIN_IN_MODEL = frozenset({1, 2, 3, 4, 5, 6, 8, 14})  # versions, names, texts, metadata
_PLAIN_IN_GRAPH = frozenset({2, 10, 16})
_IN_NODE = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9})  # all but what runs it on several devices
_IN_ATTRIBUTE = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 20, 21, 22, 23})  # all but types
_IN_TENSOR = frozenset({1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16})  # all but segments, which nobody writes


def _graph(walk: Walk, graph: Field) -> None:
    for part in walk.fields_of(graph.start, graph.stop):
        if part.wire != BYTES:
            walk.skip(part)
        elif part.number == 1:
            _node(walk, part)
        elif part.number == 5:
            _tensor(walk, part)
        elif part.number in (11, 12):
            _declared(walk, part)
        elif part.number == 15:
            raise walk.refuse(_SPARSE)
        elif part.number not in _PLAIN_IN_GRAPH:
            walk.skip(part)


_SPARSE = "it holds sparse tensors, whose bytes do not say how large they become; export it with dense ones"


def _node(walk: Walk, node: Field) -> None:
    parts = walk.by_number(node, _IN_NODE)
    inputs, outputs, operators, domains = ([walk.text(f) for f in parts.get(n, []) if f.wire == BYTES] for n in (1, 2, 4, 7))
    operator, domain = (operators or [""])[-1], (domains or [""])[-1]
    if domain not in DOMAINS:
        raise walk.refuse(f"its operator {operator!r} belongs to {domain!r}, a library of its own")
    if operator in FORBIDDEN_OPERATORS:
        raise walk.refuse(f"its operator {operator} cannot be taken: {FORBIDDEN_OPERATORS[operator]}")
    for attribute in parts.get(5, []):
        _attribute(walk, attribute, operator, outputs[0] if operator == "Constant" and outputs else "")
    if operator in SIZED_BY_CONSTANTS:
        walk.sized.append((operator, inputs))


def _attribute(walk: Walk, attribute: Field, operator: str, made: str) -> None:
    parts = walk.by_number(attribute, _IN_ATTRIBUTE)
    if 6 in parts or 11 in parts:
        raise walk.refuse(
            f"its operator {operator} holds a graph of its own (control flow, which need not end); "
            "export it without, or fold it, for example with onnxsim"
        )
    if 22 in parts or 23 in parts:
        raise walk.refuse(_SPARSE)
    if len(parts.get(5, [])) > 1:
        raise walk.refuse(f"an attribute of its operator {operator} holds {len(parts[5])} tensors, expected one")
    for tensor in (*parts.get(5, []), *parts.get(10, [])):
        _tensor(walk, tensor, made)


def _tensor(walk: Walk, tensor: Field, name: str = "") -> None:
    parts = walk.by_number(tensor, _IN_TENSOR)
    name = name or "".join(walk.text(f) for f in parts.get(8, [])[-1:])
    if 13 in parts or any(f.value != 0 for f in parts.get(14, [])):
        raise walk.refuse(f"its tensor {name!r} lies in another file (external data); save the model as one file")
    dims = [n for f in parts.get(1, [])[: MOST_DIMENSIONS + 1] for n in walk.numbers(f, MOST_DIMENSIONS)]
    kind = ([f.value for f in parts.get(2, [])] or [0])[-1]
    raws = parts.get(9, [])
    good = len(dims) <= MOST_DIMENSIONS and all(n >= 0 for n in dims) and (kind in _BITS or kind == _TEXT) and len(raws) < 2
    if not good:
        raise walk.refuse(f"its tensor {name!r} is damaged (type {kind}, dimensions {dims[:MOST_DIMENSIONS]})")
    elements, held = math.prod(dims), _held(walk, parts, _BITS.get(kind, 0))
    if elements > held:
        raise walk.refuse(f"its tensor {name!r} declares {elements:,} elements {dims}, and the file holds {held:,} of them")
    if kind == _INT64 and name and elements <= MOST_DIMENSIONS:
        walk.small[name] = _whole_numbers(walk, parts)


def _held(walk: Walk, parts: Mapping[int, list[Field]], bits: int) -> int:
    """How many elements a tensor's bytes are, or its entries of one kind or another."""
    if 9 in parts and bits:
        return 8 * (parts[9][0].stop - parts[9][0].start) // bits
    fixed = sum((f.stop - f.start) // size for number, size in ((4, 4), (10, 8)) for f in parts.get(number, []))
    varints = sum(1 if f.wire == VARINT else walk.count(f) for number in (5, 7, 11) for f in parts.get(number, []))
    return (fixed + varints + len(parts.get(6, []))) * (8 // bits if 0 < bits < 8 else 1)


def _whole_numbers(walk: Walk, parts: Mapping[int, list[Field]]) -> list[int]:
    """What a small tensor of int64 holds."""
    if 9 in parts:
        raw = parts[9][0]
        return [int(n) for n in np.frombuffer(walk.data, "<i8", min((raw.stop - raw.start) // 8, MOST_DIMENSIONS), raw.start)]
    return [n for f in parts.get(7, [])[:MOST_DIMENSIONS] for n in walk.numbers(f, MOST_DIMENSIONS)]


def _declared(walk: Walk, value: Field) -> None:
    """An input or output: ValueInfo 2 -> Type 1 -> Tensor 2 -> Shape 1 -> Dimension 1."""
    name = ""
    dims: list[int] = []
    parts = [value]
    for number in (2, 1, 2, 1, 1):
        inner = [f for part in parts for f in walk.fields_of(part.start, part.stop)]
        if number == 2 and not name:
            name = next((walk.text(f) for f in inner if f.number == 1), "")
        dims = [signed(f.value) for f in inner if f.number == 1 and f.wire == VARINT]
        parts = [f for f in inner if f.number == number and f.wire == BYTES]
    if any(n < 0 for n in dims) or math.prod(n for n in dims if n) > MOST_ELEMENTS:
        raise walk.refuse(f"its input or output {name!r} declares the dimensions {dims}")


def _check_sized(walk: Walk) -> None:
    for operator, inputs in walk.sized:
        for name in inputs:
            size = math.prod(abs(n) for n in walk.small.get(name, []) if n)
            if size > MOST_ELEMENTS:
                raise walk.refuse(f"its operator {operator} would make a tensor of {walk.small[name]} elements")
