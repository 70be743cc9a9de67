"""Convert a graph of another tool to one of edgecls: uint8 pictures (N, height, width, channels) in, probabilities out.

The callers check each step by running the graph before and after it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.export.adopt.foreign import opset_of
from edgecls.export.convert import BATCH_AXIS, folded, tidy
from edgecls.export.trace import OPSET
from edgecls.model.classifier import INPUT_NAME, OUTPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.ports import Ports
    from edgecls.export.adopt.preprocessing import Feed

SMALLEST_OPSET = 7
"""Older opsets do not broadcast in Add and Mul, so no preprocessing or softmax can be added to such a graph."""
IR_VERSION = 8
PREFIX = "adopted/"
"""The prefix of all names of the original graph, so that none collides with a new one."""


def modern(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return the graph with operators of at least opset OPSET; None if onnx cannot convert it."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    model = _plain(onnx, model)
    if opset_of(model) >= OPSET:
        return model
    try:
        return _plain(onnx, onnx.version_converter.convert_version(model, OPSET))
    except Exception:  # noqa: BLE001 - it has no type for it, and the caller says what follows
        return None


def old(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return the graph with its own operators; None if they are too old to add others."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    return _plain(onnx, model) if opset_of(model) >= SMALLEST_OPSET else None


def computed(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return the graph with constants folded, so that computed shapes with the batch size become constants; None on failure."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    try:
        return _plain(onnx, folded(model))
    except Exception:  # noqa: BLE001 - ONNX Runtime has no type for it, and the caller has other forms
        return None


def _plain(onnx: Any, model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model, without the weights among its inputs (which files before 2019 have) and without inferred shapes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weights = {i.name for i in copy.graph.initializer}
    inputs = [i for i in copy.graph.input if i.name not in weights]
    del copy.graph.input[:]
    copy.graph.input.extend(inputs)
    del copy.graph.value_info[:]
    del copy.metadata_props[:]
    copy.ir_version = max(copy.ir_version, IR_VERSION)
    for entry in copy.opset_import:
        entry.domain = "" if entry.domain == "ai.onnx" else entry.domain
    return copy


def freed(model: onnx.ModelProto, ports: Ports) -> onnx.ModelProto:
    """Return a copy of a graph that takes any number of pictures instead of `ports.batch`.

    Two kinds of nodes with a fixed batch size are changed: a Reshape to constant dimensions that begin with it, and a Concat of
    each picture with a constant (the class token of a vision transformer). Others are not; then running the copy fails.
    """
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    for i, node in enumerate(graph.node):
        if ports.batch and node.op_type == "Reshape" and node.input[0] not in constants and node.input[1] in constants:
            dims = constants[node.input[1]].reshape(-1).astype(np.int64)
            if len(dims) and dims[0] == ports.batch:
                dims = np.array([0 if -1 in dims[1:] else -1, *dims[1:]], np.int64)
                graph.initializer.append(onnx.numpy_helper.from_array(dims, f"free/{i}"))
                node.input[1] = f"free/{i}"
    nodes = [made for node in graph.node for made in (*_repeated(onnx, graph, node, constants, ports.batch), node)]
    del graph.node[:]
    graph.node.extend(nodes)
    (picture,) = graph.input
    set_dims(picture, (0, *ports.shape))
    chosen = [o for o in graph.output if o.name == ports.output]
    del graph.output[:]
    graph.output.extend(chosen)
    chosen[0].type.tensor_type.ClearField("shape")
    return copy


def _repeated(onnx: Any, graph: Any, node: Any, constants: Mapping[str, NDArray[Any]], batch: int) -> list[Any]:
    """Return nodes that repeat the constants of a Concat for each picture, and let the Concat read their outputs."""
    data = [name for name in node.input if name not in constants]
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    made: list[Any] = []
    if not batch or node.op_type != "Concat" or axis == 0 or not data:
        return made
    for i, name in enumerate(node.input):
        dims = constants[name].shape if name in constants else ()
        if len(dims) > 1 and dims[0] == batch == 1:
            start = f"free/{node.output[0]}/{i}/"
            first = onnx.numpy_helper.from_array(np.zeros(1, np.int64), f"{start}first")
            rest = onnx.numpy_helper.from_array(np.array(dims[1:], np.int64), f"{start}rest")
            graph.initializer.extend([first, rest])
            made += [
                onnx.helper.make_node("Shape", [data[0]], [f"{start}shape"]),
                onnx.helper.make_node("Gather", [f"{start}shape", first.name], [f"{start}count"], axis=0),
                onnx.helper.make_node("Concat", [f"{start}count", rest.name], [f"{start}dims"], axis=0),
                onnx.helper.make_node("Expand", [name, f"{start}dims"], [f"{start}spread"]),
            ]
            node.input[i] = f"{start}spread"
    return made


def set_dims(value: Any, dims: Iterable[int]) -> None:
    """Give an input or output these dimensions; 0 stands for any number of pictures."""
    value.type.tensor_type.ClearField("shape")
    for n in dims:
        dimension = value.type.tensor_type.shape.dim.add()
        if n:
            dimension.dim_value = n
        else:
            dimension.dim_param = BATCH_AXIS


def as_edgecls(model: onnx.ModelProto, ports: Ports, feed: Feed, ending: str, answer: tuple[int, ...]) -> onnx.ModelProto:
    """Add the preprocessing before a graph, and the operators after it that turn its output into probabilities.

    If one factor is enough for the preprocessing, it is a single Mul, as in edgecls' own networks; int8 then reads the uint8
    picture directly. Otherwise it is a Sub and a Div, which stay in float.

    Args:
        model: The graph, for any number of pictures.
        ports: Its input and output.
        feed: The preprocessing.
        ending: The kind of output, a key of ENDINGS.
        answer: The dimensions of its output for one picture.
    """
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    copy = onnx.compose.add_prefix(model, PREFIX)
    graph = copy.graph
    parts = Parts(onnx, before=[], behind=[], constants=[])
    last = parts.values(ports, feed)
    parts.before.append(parts.arrange(ports, last, PREFIX + ports.name))
    parts.end(PREFIX + ports.output, ports.dtype, ENDINGS[ending], answer)
    nodes = [*parts.before, *graph.node, *parts.behind]
    del graph.node[:]
    graph.node.extend(nodes)
    for i, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{i}"
    graph.initializer.extend(parts.constants)
    (picture,), (given,) = graph.input, graph.output
    picture.name, given.name = INPUT_NAME, OUTPUT_NAME
    picture.type.tensor_type.elem_type, given.type.tensor_type.elem_type = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
    set_dims(picture, (0, *ports.size_hw, ports.channels))
    outputs = math.prod(answer)
    set_dims(given, (0, 2 if outputs == 1 else outputs))
    return tidy(copy)


ENDINGS = {"probabilities": (), "logits": ("Softmax",), "LogSoftmax": ("Exp",), "Sigmoid": (), "one logit": ("Sigmoid",)}
"""The operators to add after each kind of output; a single output p then becomes 1 - p and p."""


class Parts:
    """Collects the nodes to add before and after a graph, and their constants."""

    def __init__(self, onnx: Any, before: list[Any], behind: list[Any], constants: list[Any]) -> None:
        """Start with these nodes and constants."""
        self.before = before
        self.behind = behind
        self.constants = constants
        self._onnx = onnx

    def constant(self, name: str, value: Any) -> str:
        """Add a constant. Returns its name."""
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        """Return a node with one output."""
        return self._onnx.helper.make_node(operator, inputs, [output], **attributes)

    def values(self, ports: Ports, feed: Feed) -> str:
        """Add the nodes that scale levels to the values of the network. Returns the name of the tensor that has them."""
        if ports.dtype == "UINT8":
            return INPUT_NAME
        unit, mean, std = feed.numbers
        self.before.append(self.node("Cast", [INPUT_NAME], "levels", to=self._onnx.TensorProto.FLOAT))
        last = "levels"
        if not mean.any() and (std == std[0]).all():
            if unit != std[0]:
                step = float(std[0]) / unit if feed.divides else unit / float(std[0])
                inputs = [last, self.constant("unit", np.array(step, np.float32))]
                self.before.append(self.node("Div" if feed.divides else "Mul", inputs, "values"))
                last = "values"
        else:
            self.before.append(self.node("Sub", [last, self.constant("mean", (mean / unit).astype(np.float32))], "centered"))
            self.before.append(self.node("Div", ["centered", self.constant("std", (std / unit).astype(np.float32))], "values"))
            last = "values"
        if ports.dtype != "FLOAT":
            self.before.append(self.node("Cast", [last], "cast", to=getattr(self._onnx.TensorProto, ports.dtype)))
            last = "cast"
        return last

    def arrange(self, ports: Ports, last: str, output: str) -> Any:
        """Return the last node before the graph, which brings the picture to the layout of the network."""
        height, width = ports.size_hw
        if ports.channels == 3 and ports.layout == "nchw":
            if len(ports.shape) == 3:
                return self.node("Transpose", [last], output, perm=[0, 3, 1, 2])
            self.before.append(self.node("Transpose", [last], "planes", perm=[0, 3, 1, 2]))
            last = "planes"
        if ports.shape == (height, width, ports.channels):
            return self.node("Identity", [last], output)
        return self.node("Reshape", [last, self.constant("shape", np.array([-1, *ports.shape], np.int64))], output)

    def end(self, last: str, dtype: str, operators: tuple[str, ...], answer: tuple[int, ...]) -> None:
        """Add the nodes from the output of the network to (N, labels) probabilities.

        An output of the right shape gets no Reshape, because int8 looks for the logits directly before Softmax.
        """
        outputs = math.prod(answer)
        if answer != (outputs,):
            self.behind.append(self.node("Reshape", [last, self.constant("row", np.array([-1, outputs], np.int64))], "rows"))
            last = "rows"
        if dtype in ("FLOAT16", "DOUBLE"):
            self.behind.append(self.node("Cast", [last], "as_float", to=self._onnx.TensorProto.FLOAT))
            last = "as_float"
        for operator in operators:
            self.behind.append(self.node(operator, [last], "ended", **({"axis": 1} if operator == "Softmax" else {})))
            last = "ended"
        if outputs == 1:
            self.behind.append(self.node("Sub", [self.constant("one", np.array(1, np.float32)), last], "other"))
            self.behind.append(self.node("Concat", ["other", last], OUTPUT_NAME, axis=1))
        else:
            self.behind.append(self.node("Identity", [last], OUTPUT_NAME))
