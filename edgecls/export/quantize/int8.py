"""Static int8 quantization with QuantizeLinear/DequantizeLinear pairs, by ONNX Runtime's quantizer, in several variants."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgecls import extras
from edgecls.errors import ExportError
from edgecls.export.convert import drop_unused
from edgecls.export.quantize.ranges import histogram_ranges, in_a_batch, reader
from edgecls.export.quantize.sensitivity import LAYERS, most_sensitive
from edgecls.model.classifier import INPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

PASSES_UINT8 = ("Reshape", "Transpose")
EXACT = 1e-3
"""How far the level that becomes 0 may be from a whole number."""


@dataclass(frozen=True, slots=True)
class Int8:
    """A variant of int8 quantization.

    Call it with a float model and calibration pictures, (N, height, width, channels) uint8, to get the quantized model.

    Softmax, the logits before it, and the preprocessing before the first layer stay in float. If the preprocessing is only a
    scaling, with or without an offset, the first layer reads the uint8 picture directly. Dynamic quantization is not offered,
    because it makes convolutions several times slower than float.

    Attributes:
        name: The scheme.
        activations: The type of quantized activations.
        weight_bits: 7 for x86 processors without VNNI. They add pairs of products in 16 bits; weights of 8 bits saturate there
            and give wrong results, which a machine with VNNI does not show. Depthwise kernels always have 8 bits: every
            processor adds their products in 32 bits, and a network loses most by their eighth bit.
        per_channel: Give each output channel of the weights its own scale.
        ranges: How the range of an activation is chosen: all values seen in calibration ("minmax"), or a range without rare
            values, see `histogram_ranges`.
        float_layers: How many layers stay in float: those that quantization would hurt most.
    """

    name: str
    activations: Literal["uint8", "int8"] = "uint8"
    weight_bits: Literal[7, 8] = 7
    per_channel: bool = True
    ranges: Literal["minmax", "percentile", "entropy"] = "minmax"
    float_layers: int = 0

    def __call__(self, model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> onnx.ModelProto:
        """Return the quantized model. Raises ExportError if ONNX Runtime cannot quantize the network."""
        in_float: list[str] = []
        if self.float_layers:
            plain = replace(self, float_layers=0)
            in_float = most_sensitive(model, pictures, plain.only)[: self.float_layers]
        return self._quantize(model, pictures, exclude=in_float)

    def only(self, model: onnx.ModelProto, pictures: NDArray[np.uint8], nodes: Sequence[str]) -> onnx.ModelProto:
        """Quantize only the nodes with these names and leave the others in float."""
        return self._quantize(model, pictures, include=nodes)

    def except_for(self, model: onnx.ModelProto, pictures: NDArray[np.uint8], nodes: Sequence[str]) -> onnx.ModelProto:
        """Quantize all nodes but those with these names."""
        return self._quantize(model, pictures, exclude=nodes)

    def _quantize(
        self,
        model: onnx.ModelProto,
        pictures: NDArray[np.uint8],
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> onnx.ModelProto:
        """Quantize the nodes named in `include` (empty: all) that are not named in `exclude`."""
        onnx = extras.load("onnx", extra="export", purpose="Quantizing")
        quantization = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
        scaled, scale, zero = _scaled_input(model)
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, source)  # given the model itself, the quantizer would move its weights to a separate file
            disabled = logging.root.manager.disable
            logging.disable(logging.WARNING)  # it recommends a step that `tidy` has already done
            try:
                overrides, calibration = self._ranges(source, pictures)
                if scaled:
                    overrides[scaled[-1]] = self._exact_input(quantization, scale, zero)
                overrides |= self._depthwise(quantization, model)
                quantization.quantize_static(
                    source,
                    target,
                    reader(calibration),
                    quant_format=quantization.QuantFormat.QDQ,
                    activation_type=self._activation_type(quantization),
                    weight_type=quantization.QuantType.QInt8,
                    per_channel=self.per_channel,
                    reduce_range=self.weight_bits == 7,
                    calibrate_method=quantization.CalibrationMethod.MinMax,
                    nodes_to_quantize=list(include),
                    nodes_to_exclude=[*_float_nodes(model), *exclude],
                    extra_options={"QuantizeBias": True, "TensorQuantOverrides": {n: [o] for n, o in overrides.items()}},
                )
            except Exception as error:
                raise ExportError(
                    f"{self.name}: ONNX Runtime cannot quantize this network ({error}); use `scheme=fp32`"
                ) from error
            finally:
                logging.disable(disabled)
            quantized = onnx.load(target)
        if scaled and self.activations == "uint8":
            _feed_uint8(quantized.graph, scaled)
        _keep_logits_float(quantized.graph)
        drop_unused(quantized.graph)
        return quantized

    def _activation_type(self, quantization: Any) -> Any:
        return quantization.QuantType.QUInt8 if self.activations == "uint8" else quantization.QuantType.QInt8

    def _exact_input(self, quantization: Any, scale: float, zero: int) -> dict[str, Any]:
        """Return the quantization of a scaled picture with its scaling factor as the scale, so that no level is rounded.

        `zero` is the level that becomes 0.
        """
        kind = np.array(zero, np.uint8) if self.activations == "uint8" else np.array(zero - 128, np.int8)
        return {"quant_type": self._activation_type(quantization), "scale": np.array(scale, np.float32), "zero_point": kind}

    def _depthwise(self, quantization: Any, model: onnx.ModelProto) -> dict[str, dict[str, Any]]:
        """Return the quantization of the depthwise kernels: weights of 8 bits."""
        eight = {"quant_type": quantization.QuantType.QInt8, "symmetric": True, "reduce_range": False}
        kernels = _depthwise_kernels(model) if self.weight_bits == 7 else []
        return {kernel: {**eight, "axis": 0} if self.per_channel else eight for kernel in kernels}

    def _ranges(self, source: Path, pictures: NDArray[np.uint8]) -> tuple[dict[str, dict[str, Any]], NDArray[np.uint8]]:
        """Return the ranges of tensors to prescribe, and the pictures on which the quantizer measures the other ranges."""
        if self.ranges == "minmax":
            return {}, pictures
        found = histogram_ranges(source, pictures, self.ranges)
        return {name: {"rmin": low, "rmax": high} for name, (low, high) in found.items()}, pictures[: in_a_batch(pictures)]


def _scaled_input(model: onnx.ModelProto) -> tuple[list[str], float, int]:
    """Find the scaling at the start of a graph: Cast, Mul or Div by a constant with at most one Add or Sub of another before or
    after it, then any Reshape or Transpose.

    Returns:
        The names of the tensors that hold the scaled picture, in order, the factor of a level, and the level that becomes 0. No
        names if the graph begins in another way, if no level becomes 0, or if more is computed before the first layer.
    """
    onnx = extras.load("onnx", extra="export", purpose="Quantizing")
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    name, held = INPUT_NAME, list[str]()
    scale, offset, steps = 1.0, 0.0, Counter[str]()
    while True:
        readers = [n for n in model.graph.node if name in n.input]
        operator = readers[0].op_type if len(readers) == 1 else ""
        if operator in _SCALING:
            value = _scalar(readers[0], name, constants)
            if value is None or steps[_SCALING[operator]]:
                break
            steps[_SCALING[operator]] += 1
            scale, offset = _APPLIED[operator](scale, offset, value)
            held = [readers[0].output[0]]
        elif operator in PASSES_UINT8 and held:
            held.append(readers[0].output[0])
        elif operator != "Cast" or name != INPUT_NAME:
            break
        name = readers[0].output[0]
    more_follows = {n.name for n in readers} & _before_layers(model)
    zero = -offset / scale if scale > 0 else -1.0
    if not steps["factor"] or more_follows or not 0 <= round(zero) <= 255 or abs(zero - round(zero)) > EXACT:
        return [], 0.0, 0
    return held, scale, round(zero)


_SCALING = {"Mul": "factor", "Div": "factor", "Add": "offset", "Sub": "offset"}
_APPLIED: dict[str, Callable[[float, float, float], tuple[float, float]]] = {
    "Mul": lambda scale, offset, value: (scale * value, offset * value),
    "Div": lambda scale, offset, value: (scale / value, offset / value),
    "Add": lambda scale, offset, value: (scale, offset + value),
    "Sub": lambda scale, offset, value: (scale, offset - value),
}
"""The factor and the offset of a picture after an operation with a constant."""


def _scalar(node: Any, picture: str, constants: Mapping[str, NDArray[Any]]) -> float | None:
    """Return the constant that a node combines with the picture; None if it is not a single number, 0, or divided by it."""
    others = [constants.get(name) for name in node.input if name != picture]
    first = node.input[0] == picture or node.op_type in ("Mul", "Add")
    if not first or len(others) != 1 or others[0] is None or others[0].size != 1:
        return None
    return float(others[0].reshape(())) or (None if node.op_type in ("Mul", "Div") else 0.0)


def _depthwise_kernels(model: onnx.ModelProto) -> list[str]:
    """Return the names of the constant kernels that filter each channel on its own."""
    sides = {i.name: list(i.dims) for i in model.graph.initializer}
    found = []
    for node in (n for n in model.graph.node if n.op_type == "Conv"):
        group = next((a.i for a in node.attribute if a.name == "group"), 1)
        if group > 1 and sides.get(node.input[1], [0, 0])[:2] == [group, 1]:
            found.append(node.input[1])
    return found


def _float_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that stay in float: Softmax, and the preprocessing before the first layer.

    In 8 bits the preprocessing can lose everything: the variance of a dark picture, for example, may be less than one step.
    """
    before = _before_layers(model)
    return [n.name for n in model.graph.node if n.op_type in ("Softmax", "Cast") or n.name in before]


def _before_layers(model: onnx.ModelProto) -> set[str]:
    """Return the names of the nodes that the first layer with weights depends on."""
    makers = {name: node for node in model.graph.node for name in node.output}
    first = next((n for n in model.graph.node if n.op_type in LAYERS), None)
    pending, found = list(first.input) if first else [], set()
    while pending:
        node = makers.get(pending.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            pending += node.input
    return found


def _feed_uint8(graph: Any, scaled: Sequence[str]) -> None:
    """Let the first layer read the uint8 picture: the scaled picture, quantized with that scale, is the picture itself."""
    makers = {name: node for node in graph.node for name in node.output}
    readers = [n for n in graph.node if scaled[-1] in n.input]
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        return
    quantize = readers[0]
    picture = scaled[-1] if len(scaled) > 1 else INPUT_NAME
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == scaled[0]:
                node.input[i] = INPUT_NAME
            elif name == quantize.output[0]:
                node.input[i] = picture
    graph.node.remove(quantize)
    name = scaled[0]
    while name != INPUT_NAME:
        scaling = makers[name]
        name = next(i for i in scaling.input if i in makers or i == INPUT_NAME)
        graph.node.remove(scaling)
    del graph.value_info[:]  # it declares the former types


def _keep_logits_float(graph: Any) -> None:
    """Remove the pair of QuantizeLinear and DequantizeLinear before Softmax: 8-bit logits would round the scores."""
    makers = {name: node for node in graph.node for name in node.output}
    for softmax in [n for n in graph.node if n.op_type == "Softmax"]:
        back = makers.get(softmax.input[0])
        forth = makers.get(back.input[0]) if back is not None and back.op_type == "DequantizeLinear" else None
        if back is not None and forth is not None and forth.op_type == "QuantizeLinear":
            softmax.input[0] = forth.input[0]
            graph.node.remove(back)
            graph.node.remove(forth)
