"""The graph of a foreign network made one of edgecls: uint8 pictures (N, height, width, channels) in, probabilities out.

Each step is checked by whoever calls it: what comes out is run beside what went in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.classifier import INPUT_NAME, OUTPUT_NAME
from edgecls.export.adopt.foreign import opset_of
from edgecls.export.convert import BATCH_AXIS, OPSET, folded, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.feed import Feed
    from edgecls.export.adopt.ports import Ports

SMALLEST_OPSET = 7
"""Before it, sums and products were not spread over axes, and nothing can be put before or behind such a graph."""
IR_VERSION = 8
PREFIX = "adopted/"
"""Before every name of the foreign graph, so that none is the same as one of ours."""


def modern(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The same graph with today's operators; None where onnx cannot bring it there, the graph itself where it is there."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    model = _plain(onnx, model)
    if opset_of(model) >= OPSET:
        return model
    try:
        return _plain(onnx, onnx.version_converter.convert_version(model, OPSET))
    except Exception:  # noqa: BLE001 - it has no type for it, and the caller says what follows
        return None


def old(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The same graph with the operators that it has; None where they are too old to put any before and behind."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    return _plain(onnx, model) if opset_of(model) >= SMALLEST_OPSET else None


def computed(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The same graph, its constants computed and its shapes fixed: what hides the number of pictures lies open then."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    try:
        return _plain(onnx, folded(model))
    except Exception:  # noqa: BLE001 - ONNX Runtime has no type for it, and the caller has other forms
        return None


def _plain(onnx: Any, model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without weights among the inputs (as files before 2019 have them) and without what was known of shapes."""
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
    """A copy that takes any number of pictures where the graph took `ports.batch`.

    What fixes the number inside is a Reshape to constant dimensions that begin with it, or a constant that is put beside each
    picture (the class token of a vision transformer); other ways are not mended, which shows when the copy is run.
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
    nodes = [made for node in graph.node for made in (*_spread(onnx, graph, node, constants, ports.batch), node)]
    del graph.node[:]
    graph.node.extend(nodes)
    (picture,) = graph.input
    _set_dims(picture, (0, *ports.shape))
    chosen = [o for o in graph.output if o.name == ports.output]
    del graph.output[:]
    graph.output.extend(chosen)
    chosen[0].type.tensor_type.ClearField("shape")
    return copy


def _spread(onnx: Any, graph: Any, node: Any, constants: Mapping[str, NDArray[Any]], batch: int) -> list[Any]:
    """Nodes that repeat the constants of a Concat for each picture; it reads them instead."""
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


def _set_dims(value: Any, dims: Iterable[int]) -> None:
    value.type.tensor_type.ClearField("shape")
    for n in dims:
        dimension = value.type.tensor_type.shape.dim.add()
        if n:
            dimension.dim_value = n
        else:
            dimension.dim_param = BATCH_AXIS


def as_edgecls(model: onnx.ModelProto, ports: Ports, feed: Feed, ending: str, answer: tuple[int, ...]) -> onnx.ModelProto:
    """Put `feed` before a freed graph, and behind it what makes probabilities of what it gives for one picture, an `answer`
    of these dimensions (see ENDINGS).

    The picture is brought to the network's values by one product where a number is all it takes, as edgecls' own networks do,
    so that int8 takes it as it comes; else by a difference and a quotient, which stay in float.
    """
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    copy = onnx.compose.add_prefix(model, PREFIX)
    graph = copy.graph
    parts = _Parts(onnx, before=[], behind=[], constants=[])
    last = parts.values(ports, feed)
    parts.before.append(parts.lie(ports, last, PREFIX + ports.name))
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
    _set_dims(picture, (0, *ports.size_hw, ports.channels))
    outputs = math.prod(answer)
    _set_dims(given, (0, 2 if outputs == 1 else outputs))
    return tidy(copy)


ENDINGS = {"probabilities": (), "logits": ("Softmax",), "LogSoftmax": ("Exp",), "Sigmoid": (), "one logit": ("Sigmoid",)}
"""What is put behind an output of each kind; of one number p, 1 - p and p are made."""


class _Parts:
    """The nodes to put before and behind a graph, as they are made."""

    def __init__(self, onnx: Any, before: list[Any], behind: list[Any], constants: list[Any]) -> None:
        self.before = before
        self.behind = behind
        self.constants = constants
        self._onnx = onnx

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return self._onnx.helper.make_node(operator, inputs, [output], **attributes)

    def values(self, ports: Ports, feed: Feed) -> str:
        """Levels to the values of the network; returns the tensor that has them."""
        if ports.dtype == "UINT8":
            return INPUT_NAME
        unit, mean, std = feed.numbers
        self.before.append(self.node("Cast", [INPUT_NAME], "levels", to=self._onnx.TensorProto.FLOAT))
        last = "levels"
        if not mean.any() and (std == std[0]).all():
            if unit != std[0]:
                factor = self.constant("unit", np.array(unit / std[0], np.float32))
                self.before.append(self.node("Mul", [last, factor], "values"))
                last = "values"
        else:
            self.before.append(self.node("Sub", [last, self.constant("mean", (mean / unit).astype(np.float32))], "centered"))
            self.before.append(self.node("Div", ["centered", self.constant("std", (std / unit).astype(np.float32))], "values"))
            last = "values"
        if ports.dtype != "FLOAT":
            self.before.append(self.node("Cast", [last], "cast", to=getattr(self._onnx.TensorProto, ports.dtype)))
            last = "cast"
        return last

    def lie(self, ports: Ports, last: str, output: str) -> Any:
        """The picture as it lies in the network's input."""
        height, width = ports.size_hw
        if ports.channels == 3 and ports.layout == "nchw":
            if len(ports.shape) == 3:
                return self.node("Transpose", [last], output, perm=[0, 3, 1, 2])
            self.before.append(self.node("Transpose", [last], "planes", perm=[0, 3, 1, 2]))
            last = "planes"
        if ports.shape == (height, width, ports.channels):
            return self.node("Identity", [last], output)
        return self.node("Reshape", [last, self.constant("lie", np.array([-1, *ports.shape], np.int64))], output)

    def end(self, last: str, dtype: str, operators: tuple[str, ...], answer: tuple[int, ...]) -> None:
        """From the network's answer to (N, labels) probabilities. A row stays: int8 looks for logits right before Softmax."""
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
