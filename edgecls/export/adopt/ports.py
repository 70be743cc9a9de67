"""Where a foreign graph takes its picture and gives its answer, and how its tensors lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import ConfigError, ModelError
from edgecls.export.adopt.foreign import last_operator

if TYPE_CHECKING:
    import onnx

    from edgecls.export.adopt.feed import Answers, Layout

FLOATS = ("FLOAT", "FLOAT16", "DOUBLE")


@dataclass(frozen=True, slots=True)
class Ports:
    """The input `name` of `dtype` ("FLOAT", "FLOAT16", "DOUBLE" or "UINT8"), `batch` pictures at a time (0: any number), each
    of `shape`, in which the picture lies as `layout` says; the `output` and the operator that makes it, see `last_operator`.
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
    """Find them with the help of `answers`, or say which options are missing.

    Raises ModelError for a graph that takes no picture, ConfigError for an answer that does not fit it.
    """
    weights = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    if len(inputs) != 1:
        raise ModelError(
            f"{where}: expected one input for a picture, found {len(inputs)} ({', '.join(i.name for i in inputs)})"
        )
    dtype, dims = _type(inputs[0])
    if dtype not in (*FLOATS, "UINT8") or not 2 <= len(dims) <= 5:
        raise ModelError(f"{where}: expected an input of float or uint8 pictures, found {inputs[0].name} {dtype} {dims}")
    missing = []
    layout, size_hw, channels = _lie(dims[1:], answers)
    if layout is None:
        missing.append(f"--layout nchw|nhwc (its input is {dims})")
    if layout not in (None, "flat") and 0 in size_hw:
        missing.append("--size N or WIDTHxHEIGHT (it takes any)")
    if layout == "flat" and size_hw[0] * size_hw[1] != dims[1]:
        missing.append(f"--size WIDTHxHEIGHT (its input is a row of {dims[1]} values)")
    output = _output(model, answers, where)
    if not output:
        missing.append(f"--output-name {'|'.join(o.name for o in model.graph.output)}")
    if missing or layout is None:
        return None, missing
    if layout in ("nchw", "nhwc") and channels not in (1, 3):
        raise ModelError(f"{where}: expected pictures of 1 or 3 channels, found {channels} in {dims} ({layout})")
    shape = _shape(dims[1:], layout, size_hw, channels)
    ports = Ports(inputs[0].name, dtype, dims[0], shape, layout, size_hw, channels, output, last_operator(model, output))
    _check(ports, answers, dims, where)
    return ports, []


def _check(ports: Ports, answers: Answers, dims: list[int], where: str) -> None:
    said = answers.size_hw
    if said and said != ports.size_hw:
        raise ConfigError(f"{where}: its input is {dims}, which is no picture of {said[1]}x{said[0]} (--size)")
    if answers.color and (answers.color == "gray") != (ports.channels == 1):
        raise ConfigError(f"{where}: its pictures have {ports.channels} channels, which is not --color {answers.color}")
    if any(len(numbers) > ports.channels for numbers in (answers.mean, answers.std)):
        raise ConfigError(f"{where}: its pictures have one channel, so --mean and --std are one number each")


def _type(value: Any) -> tuple[str, list[int]]:
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    tensor = value.type.tensor_type
    return str(onnx.TensorProto.DataType.Name(tensor.elem_type)), [int(d.dim_value) for d in tensor.shape.dim]


def _lie(dims: list[int], answers: Answers) -> tuple[Layout | None, tuple[int, int], int]:
    """How a picture lies in the dimensions of one; the layout is None where that cannot be told, a size 0 where it is free."""
    said_h, said_w = answers.size_hw or (0, 0)
    if len(dims) == 1:
        return "flat", (said_h, said_w), 1
    if len(dims) == 2:
        return "nhw", (dims[0] or said_h, dims[1] or said_w), 1
    if len(dims) == 4 and 1 in dims:  # an axis more, of one
        dims = [n for i, n in enumerate(dims) if i != dims.index(1)]
    if len(dims) != 3:
        return None, (0, 0), 0
    may_be = {"nchw": dims[0] in (1, 3), "nhwc": dims[2] in (1, 3)}
    sure = [name for name, fits in may_be.items() if fits]
    layout = answers.layout or (sure[0] if len(sure) == 1 else "")
    if layout == "nchw":
        return "nchw", (dims[1] or said_h, dims[2] or said_w), dims[0]
    if layout == "nhwc":
        return "nhwc", (dims[0] or said_h, dims[1] or said_w), dims[2]
    return None, (0, 0), 0


def _shape(dims: list[int], layout: str, size_hw: tuple[int, int], channels: int) -> tuple[int, ...]:
    """The dimensions of one picture, with the size where it was free."""
    height, width = size_hw
    plain = {"nchw": [channels, height, width], "nhwc": [height, width, channels], "nhw": [height, width]}.get(layout, dims)
    if len(dims) > len(plain):
        plain.insert(dims.index(1), 1)
    return tuple(plain)


def _output(model: onnx.ModelProto, answers: Answers, where: str) -> str:
    names = [o.name for o in model.graph.output]
    if answers.output_name and answers.output_name not in names:
        raise ConfigError(f"{where}: --output-name {answers.output_name}: expected one of {', '.join(names)}")
    if not names:
        raise ModelError(f"{where}: the graph has no output")
    return answers.output_name or (names[0] if len(names) == 1 else "")


def last_of(model: onnx.ModelProto, answers: Answers) -> str | None:
    """The last operator of the one output, or of the one that is named; None where it is not known which."""
    output = _output(model, answers, "")
    return last_operator(model, output) if output else None
