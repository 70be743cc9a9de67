"""Validate the bytes of an .onnx file before any library parses them.

An .onnx file is an untrusted program. It can refer to other files, declare tensors larger than any memory, loop forever, or
grow from a few megabytes to many gigabytes when it is parsed. So this module walks its structure first, which takes about a
millisecond. It reads the wire format of Protocol Buffers directly, because a machine that runs models has no onnx package. It
copies no tensors, does not recurse, and limits how many bytes it skips.

It rejects what no classifier needs: weights in other files, tensors with fewer bytes than their dimensions need, control flow,
functions, random operators, custom operators, and constants that grow while the graph is loaded (see
`edgecls.model.vet.sizes`).

Field numbers are those of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ModelError
from edgecls.files import NotAFileError, open_file
from edgecls.files.advice import of_missing
from edgecls.model.vet.protobuf import BYTES, VARINT, Field, Node, Walk, signed
from edgecls.model.vet.sizes import check_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LARGEST_MODEL_BYTES = 2**31 - 1
"""The limit of protobuf; no larger model fits an edge device anyway."""
MOST_ELEMENTS = 2**31
"""The limit for a declared input or output."""
MOST_DIMENSIONS = 16

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""The operator domains that ONNX Runtime implements itself."""
_RANDOM = "it draws random numbers, so the same picture would not give the same result"
FORBIDDEN_OPERATORS = {
    "EPContext": "it loads another file",
    **dict.fromkeys(("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"), _RANDOM),
    **dict.fromkeys(("RandomUniform", "RandomUniformLike"), _RANDOM),
}
_BITS_PER_ELEMENT = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),  # uint8, int8, bool and floats of 8 bits
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
}
"""Bits per element, by TensorProto.DataType; strings (8) have no fixed size."""
_STRING = 8

_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive, such as .keras or .pt; convert a Keras model with: edgecls adopt"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as a Keras .h5; convert it with: edgecls adopt"),
    (b"<", "text, such as an HTML page instead of the download"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file with: git lfs pull"),
    (b"{", "text"),
)


def read(path: str | Path) -> bytes:
    """Return the bytes of a model file. Raises ModelError if it cannot be read or exceeds LARGEST_MODEL_BYTES."""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_MODEL_BYTES:
                raise ModelError(f"{path}: {size} bytes are more than an .onnx file can have")
            return file.read()
    except NotAFileError as error:
        hint = "; export a training run with: edgecls export" if error.found == "a folder" else ", which need not end"
        raise ModelError(f"{path}: expected an .onnx file, found {error.found}{hint}") from error
    except FileNotFoundError as error:
        near = of_missing(path, folders=("models",), suffix=".onnx")
        raise ModelError(f"{path}: the model cannot be read ({error.strerror}){near}") from error
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read ({error.strerror})") from error


def vet(model: bytes, where: str) -> None:
    """Validate an .onnx file.

    Args:
        model: The bytes of the file.
        where: The name of the file, for error messages.

    Raises:
        ModelError: The file is damaged, has another format, or contains something that this module rejects.
    """
    walk = Walk(model, where)
    kind = next((kind for start, kind in _SIGNATURES if model.startswith(start)), None)
    kind = "a file in ONNX Runtime's own format; use the .onnx file that it was made from" if model[4:8] == b"ORTM" else kind
    if not model or kind:
        raise walk.refuse(f"expected an .onnx file, found {kind or 'an empty one'}")
    graphs = []
    for part in walk.fields_of(0, len(model)):
        if part.number == 7 and part.wire == BYTES:
            graphs.append(part)
        elif part.number in _REFUSED_IN_MODEL:
            raise walk.refuse(_REFUSED_IN_MODEL[part.number])
        elif part.number not in _ALLOWED_IN_MODEL:
            walk.skip(part)
        else:
            _check_texts(walk, part)
    if len(graphs) != 1:
        raise walk.refuse(f"expected an .onnx file with one graph, found {len(graphs)}")
    _check_graph(walk, graphs[0])
    check_sizes(walk)


_REFUSED_IN_MODEL = {
    20: "it contains a training graph; export it for inference",
    25: "it contains functions, which can grow without bound when they are inlined; inline them yourself, for example with "
    "onnx.inliner.inline_local_functions",
}
_ALLOWED_IN_MODEL = frozenset({1, 2, 3, 4, 5, 6, 8, 14})  # versions, names, descriptions, metadata
_STRINGS_OF_MODEL = frozenset({2, 3, 4, 6})
_METADATA = 14
_ALLOWED_IN_GRAPH = frozenset({2, 10, 16})
_STRINGS_OF_GRAPH = frozenset({2, 10})
_IN_NODE = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9})  # all but the configuration for several devices
_IN_ATTRIBUTE = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 20, 21, 22, 23})  # all but type_proto
_IN_TENSOR = frozenset({1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16})  # all but segments, which no exporter writes


def _check_texts(walk: Walk, part: Field) -> None:
    """Check that the strings of a model, and the keys and values of its metadata, are UTF-8."""
    if part.number == _METADATA:
        for inner in walk.fields_of(part.start, part.stop):
            if inner.wire == BYTES:
                walk.text(inner)
    elif part.wire == BYTES and part.number in _STRINGS_OF_MODEL:
        walk.text(part)


def _check_graph(walk: Walk, graph: Field) -> None:
    for part in walk.fields_of(graph.start, graph.stop):
        if part.wire != BYTES:
            walk.skip(part)
        elif part.number == 1:
            _check_node(walk, part)
        elif part.number == 5:
            _check_tensor(walk, part)
        elif part.number in (11, 12):
            name, dims = _dimensions(walk, part)
            if part.number == 11:
                walk.inputs[name] = dims
        elif part.number == 15:
            raise walk.refuse(_SPARSE)
        elif part.number not in _ALLOWED_IN_GRAPH:
            walk.skip(part)
        elif part.number in _STRINGS_OF_GRAPH:
            walk.text(part)


_SPARSE = "it contains sparse tensors, whose size in memory cannot be told from their bytes; export it with dense ones"


def _check_node(walk: Walk, node: Field) -> None:
    if node.start == node.stop:
        return  # empty; ONNX Runtime reports it
    parts = walk.by_number(node, _IN_NODE)
    inputs, outputs, operators, domains = ([walk.text(f) for f in parts.get(n, []) if f.wire == BYTES] for n in (1, 2, 4, 7))
    operator, domain = (operators or [""])[-1], (domains or [""])[-1]
    if domain not in DOMAINS:
        raise walk.refuse(f"its operator {operator!r} is a custom one, of the domain {domain!r}")
    if operator in FORBIDDEN_OPERATORS:
        raise walk.refuse(f"its operator {operator} is not allowed: {FORBIDDEN_OPERATORS[operator]}")
    numbers: dict[str, Sequence[float]] = {}
    auto_pad_same = False
    for attribute in parts.get(5, []):
        name, values = _check_attribute(walk, attribute, operator, outputs[0] if operator == "Constant" and outputs else "")
        numbers[name] = values
        auto_pad_same = auto_pad_same or name == "auto_pad=SAME"
    if operator == "Constant" and outputs and outputs[0] not in walk.shapes:
        value = np.array([n for name, values in numbers.items() if name.startswith("value") for n in values])
        walk.shapes[outputs[0]] = [len(value)]
        walk.small[outputs[0]] = value[:MOST_DIMENSIONS] if len(value) <= MOST_DIMENSIONS else value[:0]
    given = {name: values for name, values in numbers.items() if values}
    walk.nodes.append(Node(operator, inputs, outputs, given, auto_pad_same))


def _check_attribute(walk: Walk, attribute: Field, operator: str, constant: str) -> tuple[str, Sequence[float]]:
    """Check an attribute of a node.

    Args:
        walk: The state of the walk.
        attribute: The attribute.
        operator: The operator of the node, for error messages.
        constant: The output of the node if it is a Constant, else "": the name of the tensor in this attribute.

    Returns:
        Its name ("auto_pad=SAME" if it has such a value) and its first MOST_DIMENSIONS + 1 numbers, if it has any.
    """
    parts = walk.by_number(attribute, _IN_ATTRIBUTE)
    if 6 in parts or 11 in parts:
        raise walk.refuse(
            f"its operator {operator} contains a graph (control flow, which can loop forever); "
            "export it without control flow, or fold it, for example with onnxsim"
        )
    if 22 in parts or 23 in parts:
        raise walk.refuse(_SPARSE)
    if len(parts.get(5, [])) > 1:
        raise walk.refuse(f"an attribute of its operator {operator} has {len(parts[5])} tensors, expected one")
    for tensor in (*parts.get(5, []), *parts.get(10, [])):
        _check_tensor(walk, tensor, constant)
    name = "".join(walk.text(f) for f in parts.get(1, [])[-1:])
    if name == "auto_pad" and any(walk.text(f).startswith("SAME") for f in parts.get(4, [])):
        return "auto_pad=SAME", ()
    integers = [n for f in (*parts.get(3, []), *parts.get(8, [])) for n in walk.numbers(f, MOST_DIMENSIONS)]
    floats = [n for f in (*parts.get(2, []), *parts.get(7, [])[: MOST_DIMENSIONS + 1]) for n in _floats(walk, f)]
    return name, integers or floats


def _floats(walk: Walk, values: Field) -> list[float]:
    """Return the float32 numbers of a field, one or packed, at most MOST_DIMENSIONS + 1 of them."""
    count = min((values.stop - values.start) // 4, MOST_DIMENSIONS + 1)
    return [float(n) for n in np.frombuffer(walk.data, "<f4", count, values.start)]


def _check_tensor(walk: Walk, tensor: Field, name: str = "") -> None:
    parts = walk.by_number(tensor, _IN_TENSOR)
    name = name or "".join(walk.text(f) for f in parts.get(8, [])[-1:])
    if 13 in parts or any(f.value != 0 for f in parts.get(14, [])):
        raise walk.refuse(f"its tensor {name!r} is stored in another file (external data); save the model as one file")
    dims = [n for f in parts.get(1, [])[: MOST_DIMENSIONS + 1] for n in walk.numbers(f, MOST_DIMENSIONS)]
    kind = ([f.value for f in parts.get(2, [])] or [0])[-1]
    raws = parts.get(9, [])
    known = kind in _BITS_PER_ELEMENT or kind == _STRING
    if len(dims) > MOST_DIMENSIONS or any(n < 0 for n in dims) or not known or len(raws) > 1:
        raise walk.refuse(f"its tensor {name!r} is damaged (type {kind}, dimensions {dims[:MOST_DIMENSIONS]})")
    elements, stored = math.prod(dims), _stored_elements(walk, parts, _BITS_PER_ELEMENT.get(kind, 0))
    if elements > stored:
        raise walk.refuse(f"its tensor {name!r} declares {elements:,} elements {dims}, but the file has {stored:,} of them")
    if name:
        walk.shapes[name] = dims
    if name and kind in _NUMPY_DTYPES and elements <= MOST_DIMENSIONS:
        walk.small[name] = _small_values(walk, parts, kind)[:elements].reshape(dims)


def _stored_elements(walk: Walk, parts: Mapping[int, list[Field]], bits: int) -> int:
    """Return how many elements a tensor has in the file, whether as raw bytes or as typed values; `bits` is the size of one."""
    if 9 in parts and bits:
        return 8 * (parts[9][0].stop - parts[9][0].start) // bits
    fixed = sum((f.stop - f.start) // size for number, size in ((4, 4), (10, 8)) for f in parts.get(number, []))
    varints = sum(1 if f.wire == VARINT else walk.count(f) for number in (5, 7, 11) for f in parts.get(number, []))
    return (fixed + varints + len(parts.get(6, []))) * (8 // bits if 0 < bits < 8 else 1)


_NUMPY_DTYPES = {1: ("<f4", 4), 6: ("<i4", 5), 7: ("<i8", 7), 9: ("?", 5), 11: ("<f8", 10)}
"""By TensorProto.DataType: the numpy dtype, and the field with the values if they are not raw bytes."""


def _small_values(walk: Walk, parts: Mapping[int, list[Field]], kind: int) -> NDArray[np.generic]:
    """Return the values of a small tensor."""
    dtype, number = _NUMPY_DTYPES[kind]
    size = np.dtype(dtype).itemsize
    fields = parts.get(9) or parts.get(number, [])
    if 9 in parts or number in (4, 10):
        values = [np.frombuffer(walk.data, dtype, (f.stop - f.start) // size, f.start) for f in fields[:MOST_DIMENSIONS]]
        return np.concatenate([np.zeros(0, dtype), *values])
    return np.array([n for f in fields[:MOST_DIMENSIONS] for n in walk.numbers(f, MOST_DIMENSIONS)], np.int64)


def _dimensions(walk: Walk, value: Field) -> tuple[str, list[int]]:
    """Return the name of an input or output and its dimensions, 0 for free ones.

    The path to them is ValueInfo 2 -> Type 1 -> Tensor 2 -> Shape 1 -> Dimension 1.
    """
    name = ""
    dims: list[int] = []
    each: list[list[Field]] = []
    parts = [value]
    for number in (2, 1, 2, 1, 1):
        each = [list(walk.fields_of(part.start, part.stop)) for part in parts]
        inner = [f for fields in each for f in fields]
        if number == 2 and not name:
            name = next((walk.text(f) for f in inner if f.number == 1), "")
        dims = [next((signed(f.value) for f in fields if f.number == 1 and f.wire == VARINT), 0) for fields in each]
        parts = [f for f in inner if f.number == number and f.wire == BYTES]
    for named in (f for fields in each for f in fields if f.number in (2, 3) and f.wire == BYTES):
        walk.text(named)  # the name of a free dimension
    if any(n < -1 for n in dims) or math.prod(n for n in dims if n > 0) > MOST_ELEMENTS:
        raise walk.refuse(f"its input or output {name!r} declares the dimensions {[n for n in dims if n]}")
    return name, dims
