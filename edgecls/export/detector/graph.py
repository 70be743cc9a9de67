"""Convert the graph of a detector to one of edgecls: one uint8 picture in, its outputs named by their roles out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.detect.decoders.kind import sigmoid
from edgecls.errors import ModelError
from edgecls.export.adopt.graph import PREFIX, Parts, old, set_dims
from edgecls.export.adopt.ports import Ports
from edgecls.export.adopt.runner import started
from edgecls.export.convert import drop_unused, folded
from edgecls.model.classifier import INPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.preprocessing import Feed
    from edgecls.export.detector.source import Source

_DTYPES = {"FLOAT": np.float32, "FLOAT16": np.float16, "DOUBLE": np.float64, "UINT8": np.uint8}


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """What is added behind a detector.

    Attributes:
        sigmoid: The role of an output that gets a sigmoid; "" for none.
        factors: By role, what an output is multiplied by.
    """

    sigmoid: str = ""
    factors: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def of(self, outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return outputs, by role, after it."""
        scores = {role: sigmoid(value) for role, value in outputs.items() if role == self.sigmoid}
        return {
            role: scores.get(role, value) * self.factors.get(role, np.ones((), value.dtype)) for role, value in outputs.items()
        }

    def node(self, parts: Parts, name: str, role: str) -> Any:
        """Return the node that makes the output of a role from one of the graph."""
        if role in self.factors:
            return parts.node("Mul", [name, parts.constant(f"{role}_factors", self.factors[role])], role)
        return parts.node("Sigmoid" if role == self.sigmoid else "Identity", [name], role)


def converted(source: Source, feed: Feed, roles: Mapping[str, str], end: End) -> onnx.ModelProto:
    """Return the graph of a detector as edgecls runs it.

    The preprocessing is added before it, the size of the frame becomes that of the input, all dimensions become fixed, and
    what no output needs is removed.

    Args:
        source: The opened file.
        feed: The preprocessing.
        roles: The name of the output for each role.
        end: What is added behind it.

    Raises:
        ModelError: The operators are too old, or onnx refuses the result.
    """
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    where = source.foreign.path
    model = old(source.foreign.model)
    if model is None:
        raise ModelError(f"{where}: its operators are too old; export it again with opset 11 or later")
    copy = onnx.compose.add_prefix(model, PREFIX)
    graph = copy.graph
    ports = Ports(source.input, source.dtype, 1, source.shape, source.layout, source.size_hw, 3, "", "")
    parts = Parts(onnx, before=[], behind=[], constants=[])
    picture = PREFIX + source.input
    last = parts.values(ports, feed)
    parts.before.append(parts.arrange(ports, last, picture if source.batched else "batch"))
    if not source.batched:
        shape = parts.constant("picture_shape", np.array(source.shape, np.int64))
        parts.before.append(parts.node("Reshape", ["batch", shape], picture))
    if source.size_input:
        height, width = source.size_hw
        kind = next(i.type.tensor_type.elem_type for i in graph.input if i.name == PREFIX + source.size_input)
        size = np.array([[width, height]], onnx.helper.tensor_dtype_to_np_dtype(kind))
        parts.constant(PREFIX + source.size_input, size)
    for role, name in roles.items():
        parts.behind.append(end.node(parts, PREFIX + name, role))
    nodes = [*parts.before, *graph.node, *parts.behind]
    outputs = [_renamed(onnx, graph, PREFIX + name, role) for role, name in roles.items()]
    for name, values in (("node", nodes), ("output", outputs)):
        field = getattr(graph, name)
        del field[:]
        field.extend(values)
    graph.initializer.extend(parts.constants)
    first = next(i for i in graph.input if i.name == picture)
    del graph.input[:]
    graph.input.extend([first])
    graph.input[0].name = INPUT_NAME
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    set_dims(graph.input[0], (1, *source.size_hw, 3))
    drop_unused(graph)
    try:
        copy = folded(copy)
        onnx.checker.check_model(copy)
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{where}: the graph cannot be converted ({why}); export it again with newer operators") from error
    return copy


def _renamed(onnx: Any, graph: Any, name: str, role: str) -> Any:
    """Return the declaration of an output under another name, without its dimensions, which follow from the graph."""
    output = onnx.ValueInfoProto()
    output.CopyFrom(next(o for o in graph.output if o.name == name))
    output.name = role
    output.type.tensor_type.ClearField("shape")
    return output


class Original:
    """Runs the graph of the file itself, with the preprocessing in numpy."""

    def __init__(self, source: Source) -> None:
        """Start it."""
        self._source = source
        self._session = started(source.foreign.model, source.foreign.path)

    def outputs(self, picture: NDArray[np.uint8], feed: Feed) -> dict[str, NDArray[Any]]:
        """Return the outputs for a picture, by the names in the file.

        Args:
            picture: (height, width, 3) uint8, channels in the order of the feed.
            feed: The preprocessing.

        Raises:
            ModelError: The graph fails.
        """
        source = self._source
        fed = picture[None] if source.dtype == "UINT8" else feed.of(picture[None])
        fed = fed.transpose(0, 3, 1, 2) if source.layout == "nchw" else fed
        fed = np.ascontiguousarray(fed if source.batched else fed[0], _DTYPES[source.dtype])
        height, width = source.size_hw
        given: dict[str, Any] = {source.input: fed}
        for one in self._session.get_inputs():
            if one.name == source.size_input:
                given[one.name] = np.array([[width, height]], np.float32 if "float" in one.type else np.int64)
        names = [output.name for output in self._session.get_outputs()]
        try:
            values = self._session.run(names, given)
        except Exception as error:
            why = " ".join(str(error).split())[:300]
            raise ModelError(f"{source.foreign.path}: it cannot be run on a picture of {width}x{height} ({why})") from error
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
