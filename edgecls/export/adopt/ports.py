"""Find the input and the output of a graph of another tool, and the layout of their tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import onnx

    from edgecls.export.adopt.preprocessing import Answers, Layout

FLOATS = ("FLOAT", "FLOAT16", "DOUBLE")


@dataclass(frozen=True, slots=True)
class Ports:
    """The input and the output of a graph.

    Attributes:
        name: The name of the input.
        dtype: Its type: "FLOAT", "FLOAT16", "DOUBLE" or "UINT8".
        batch: The number of pictures at a time; 0: any.
        shape: The dimensions of one picture.
        layout: The order of these dimensions.
        size_hw: Height and width of a picture in pixels.
        channels: 1 or 3.
        output: The name of the output.
        last: The operator that computes it, see `last_operator`.
    """

    name: str
    dtype: str
    batch: int
    shape: tuple[int, ...]
    layout: Layout
    size_hw: tuple[int, int]
    channels: int
    output: str
    last: str


def find(model: onnx.ModelProto, answers: Answers, where: str) -> tuple[Ports | None, list[str]]:
    """Return the ports of a graph, or None and the settings that are missing to find them.

    Raises:
        ModelError: The graph does not have a single input for pictures.
        ConfigError: An answer does not fit the graph.
    """
    weights = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    if len(inputs) != 1:
        raise ModelError(
            f"{where}: expected one input for a picture, found {len(inputs)} ({', '.join(i.name for i in inputs)})"
        )
    dtype, dims = tensor_type(inputs[0])
    if dtype not in (*FLOATS, "UINT8") or not 2 <= len(dims) <= 5:
        raise ModelError(f"{where}: expected an input of float or uint8 pictures, found {inputs[0].name} {dtype} {dims}")
    missing = []
    layout, size_hw, channels = _lie(dims[1:], answers)
    channels = channels or {"": 0, "gray": 1}.get(answers.color, 3)
    if layout in ("nchw", "nhwc") and not channels:
        missing.append("`color=gray|rgb|bgr` (it takes any number of channels)")
    if layout is None:
        missing.append(f"`layout=nchw|nhwc` (its input is {dims})")
    if layout not in (None, "flat") and 0 in size_hw:
        missing.append("`size_hw`, the size of its pictures in pixels (it takes any)")
    if layout == "flat" and size_hw[0] * size_hw[1] != dims[1]:
        missing.append(f"`size_hw`, the size of its pictures in pixels (its input is a row of {dims[1]} values)")
    output = _output(model, answers, where)
    if not output:
        missing.append(f"`output_name={'|'.join(o.name for o in model.graph.output)}`")
    if missing or layout is None:
        return None, missing
    if layout in ("nchw", "nhwc") and channels not in (1, 3):
        raise ModelError(f"{where}: expected pictures of 1 or 3 channels, found {channels} in {dims} ({layout})")
    shape = _shape(dims[1:], layout, size_hw, channels)
    ports = Ports(inputs[0].name, dtype, dims[0], shape, layout, size_hw, channels, output, last_operator(model, output))
    _check(ports, answers, dims, where)
    return ports, []


def _check(ports: Ports, answers: Answers, dims: list[int], where: str) -> None:
    """Raise ConfigError if an answer does not fit the input."""
    size_hw = answers.size_hw
    if size_hw and size_hw != ports.size_hw:
        raise ConfigError(f"{where}: its input is {dims}, which does not fit `size_hw`: {size_hw[1]}x{size_hw[0]} pixels")
    if answers.color and (answers.color == "gray") != (ports.channels == 1):
        raise ConfigError(f"{where}: its pictures have {ports.channels} channels, which does not fit `color={answers.color}`")
    if any(len(numbers) > ports.channels for numbers in (answers.mean, answers.std)):
        raise ConfigError(f"{where}: its pictures have one channel, so `mean` and `std` are one number each")


def tensor_type(value: Any) -> tuple[str, list[int]]:
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    tensor = value.type.tensor_type
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return names.get(tensor.elem_type, f"type {tensor.elem_type}"), [max(0, int(d.dim_value)) for d in tensor.shape.dim]


def _lie(dims: list[int], answers: Answers) -> tuple[Layout | None, tuple[int, int], int]:
    """Return layout, size and channels of a picture from its dimensions, where 0 means any.

    The layout is None if it is ambiguous; sizes and channels are 0 if they are unknown.
    """
    given_h, given_w = answers.size_hw or (0, 0)
    if len(dims) == 1:
        return "flat", (given_h, given_w), 1
    if len(dims) == 2:
        return "nhw", (dims[0] or given_h, dims[1] or given_w), 1
    if len(dims) == 4 and 1 in dims:  # an additional axis of length 1
        dims = [n for i, n in enumerate(dims) if i != dims.index(1)]
    if len(dims) != 3:
        return None, (0, 0), 0
    fitting = [name for name, channels in (("nchw", dims[0]), ("nhwc", dims[2])) if channels in (1, 3)]
    layout = answers.layout or (fitting[0] if len(fitting) == 1 else "")
    if layout == "nchw":
        return "nchw", (dims[1] or given_h, dims[2] or given_w), dims[0]
    if layout == "nhwc":
        return "nhwc", (dims[0] or given_h, dims[1] or given_w), dims[2]
    return None, (0, 0), 0


def _shape(dims: list[int], layout: str, size_hw: tuple[int, int], channels: int) -> tuple[int, ...]:
    """Return the dimensions of one picture, with the chosen size."""
    height, width = size_hw
    plain = {"nchw": [channels, height, width], "nhwc": [height, width, channels], "nhw": [height, width]}.get(layout, dims)
    if len(dims) > len(plain):
        plain.insert(dims.index(1), 1)
    return tuple(plain)


def _output(model: onnx.ModelProto, answers: Answers, where: str) -> str:
    names = [o.name for o in model.graph.output]
    if answers.output_name and answers.output_name not in names:
        raise ConfigError(f"{where}: `output_name={answers.output_name}`: expected one of {', '.join(names)}")
    if not names:
        raise ModelError(f"{where}: the graph has no output")
    return answers.output_name or (names[0] if len(names) == 1 else "")


def last_of(model: onnx.ModelProto, answers: Answers) -> str | None:
    """Return the last operator of the chosen output; None if there are several outputs and none was chosen."""
    output = _output(model, answers, "")
    return last_operator(model, output) if output else None


SKIPPED = frozenset(
    {
        "Cast",
        "DequantizeLinear",
        "Dropout",
        "Flatten",
        "Identity",
        "QuantizeLinear",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators that keep the values, or change only their type or shape."""
LINEAR = frozenset({"Conv", "Gemm", "MatMul"})


def last_operator(model: onnx.ModelProto, output: str) -> str:
    """Return the operator that computes an output: its name, "linear" for a layer without activation, or "" if unknown."""
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in SKIPPED:
        node = makers.get(node.input[0])
    if node is None:
        return ""
    added_to = [makers[name].op_type for name in node.input if name in makers] if node.op_type == "Add" else []
    return "linear" if node.op_type in LINEAR or LINEAR & set(added_to) else str(node.op_type)
