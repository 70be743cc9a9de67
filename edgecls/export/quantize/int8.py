"""8 bits: static quantization with QuantizeLinear/DequantizeLinear pairs, by ONNX Runtime's quantizer, in its variants."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgecls import extras
from edgecls.classifier import INPUT_NAME
from edgecls.errors import ExportError
from edgecls.export.convert import drop_unused
from edgecls.export.quantize.ranges import BATCH, histogram_ranges, reader
from edgecls.export.quantize.sensitivity import LAYERS, most_sensitive

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

PASSES_UINT8 = ("Reshape", "Transpose")


@dataclass(frozen=True, slots=True)
class Int8:
    """One way to bring a model to 8 bits. Called with a float model and pictures, (N, height, width, channels) uint8, that
    tell the range of each activation, it gives the quantized model.

    Weights of 7 bits: x86 processors without VNNI add pairs of products in 16 bits and saturate on 8, which gives wrong answers
    there that no machine with VNNI shows. `per_channel` gives each channel of the weights a scale of its own. `ranges` are
    those that an activation was seen in (`minmax`), or what is left when what is rare is cut off. As many `float_layers` as
    are asked for stay in float, those that would bring the most noise.

    Softmax stays in float, and so do the logits before it, and what is done to a picture before the first layer; one that is
    only scaled enters as the uint8 that it is. Dynamic quantization is
    left out on purpose: it makes convolutions several times slower than float.
    """

    name: str
    activations: Literal["uint8", "int8"] = "uint8"
    weight_bits: Literal[7, 8] = 7
    per_channel: bool = True
    ranges: Literal["minmax", "percentile", "entropy"] = "minmax"
    float_layers: int = 0

    def __call__(self, model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> onnx.ModelProto:
        """Quantize. Raises ExportError for a network that ONNX Runtime cannot quantize."""
        left_out: list[str] = []
        if self.float_layers:
            plain = replace(self, float_layers=0)
            left_out = most_sensitive(model, pictures, plain.only)[: self.float_layers]
        return self._quantize(model, pictures, exclude=left_out)

    def only(self, model: onnx.ModelProto, pictures: NDArray[np.uint8], nodes: Sequence[str]) -> onnx.ModelProto:
        """Quantize these nodes alone, by their names, and leave the others in float."""
        return self._quantize(model, pictures, include=nodes)

    def _quantize(
        self,
        model: onnx.ModelProto,
        pictures: NDArray[np.uint8],
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> onnx.ModelProto:
        onnx = extras.load("onnx", extra="export", purpose="Quantizing")
        quantization = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
        scaled, scale = _scaled_input(model)
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, source)  # given the model itself, it would move its weights to a file of their own
            logging.disable(logging.WARNING)  # it advises a step that `tidy` has done
            try:
                overrides, seen = self._ranges(source, pictures)
                if scaled:
                    overrides[scaled[-1]] = self._exactly(quantization, scale)
                quantization.quantize_static(
                    source,
                    target,
                    reader(seen),
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
                    f"{self.name}: ONNX Runtime cannot quantize this network ({error}); take --scheme fp32"
                ) from error
            finally:
                logging.disable(logging.NOTSET)
            quantized = onnx.load(target)
        if scaled and self.activations == "uint8":
            _feed_uint8(quantized.graph, scaled)
        _keep_logits_float(quantized.graph)
        drop_unused(quantized.graph)
        return quantized

    def _activation_type(self, quantization: Any) -> Any:
        return quantization.QuantType.QUInt8 if self.activations == "uint8" else quantization.QuantType.QInt8

    def _exactly(self, quantization: Any, scale: float) -> dict[str, Any]:
        """The picture times a constant, with this constant as its scale, is the picture: no level is rounded."""
        zero = np.array(0, np.uint8) if self.activations == "uint8" else np.array(-128, np.int8)
        return {"quant_type": self._activation_type(quantization), "scale": np.array(scale, np.float32), "zero_point": zero}

    def _ranges(self, source: Path, pictures: NDArray[np.uint8]) -> tuple[dict[str, dict[str, Any]], NDArray[np.uint8]]:
        """What is said of the tensors' ranges beforehand, and the pictures that the rest is still to be seen in."""
        if self.ranges == "minmax":
            return {}, pictures
        found = histogram_ranges(source, pictures, self.ranges)
        return {name: {"rmin": low, "rmax": high} for name, (low, high) in found.items()}, pictures[:BATCH]


def _scaled_input(model: onnx.ModelProto) -> tuple[list[str], float]:
    """The tensors that hold the picture times a constant (Cast, Mul, then perhaps Reshape or Transpose), in order, and the
    constant; no tensors where the graph begins otherwise.
    """
    onnx = extras.load("onnx", extra="export", purpose="Quantizing")
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    path, factors = [INPUT_NAME], []
    while True:
        readers = [n for n in model.graph.node if path[-1] in n.input]
        wanted = ("Cast", "Mul")[len(path) - 1 :][:1] or PASSES_UINT8
        if len(readers) != 1 or readers[0].op_type not in wanted:
            break
        factors += [constants[name] for name in readers[0].input if readers[0].op_type == "Mul" and name in constants]
        path.append(readers[0].output[0])
    more_is_done = {n.name for n in readers} & _before_layers(model)
    if len(factors) != 1 or factors[0].size != 1 or more_is_done:
        return [], 0.0
    return path[2:], float(factors[0].reshape(()))


def _float_nodes(model: onnx.ModelProto) -> list[str]:
    """Softmax, and the nodes that bring the picture to what the first layer takes: the variance of a dark picture, say, is
    less than a step of 8 bits.
    """
    before = _before_layers(model)
    return [n.name for n in model.graph.node if n.op_type in ("Softmax", "Cast") or n.name in before]


def _before_layers(model: onnx.ModelProto) -> set[str]:
    """The names of the nodes that the first layer with weights depends on."""
    makers = {name: node for node in model.graph.node for name in node.output}
    first = next((n for n in model.graph.node if n.op_type in LAYERS), None)
    asked, found = list(first.input) if first else [], set()
    while asked:
        node = makers.get(asked.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            asked += node.input
    return found


def _feed_uint8(graph: Any, scaled: Sequence[str]) -> None:
    """The picture, times s, quantized with scale s, is the picture: take it as it came in."""
    makers = {name: node for node in graph.node for name in node.output}
    readers = [n for n in graph.node if scaled[-1] in n.input]
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        return
    quantize, scaling = readers[0], makers[scaled[0]]
    casting = next(makers[name] for name in scaling.input if name in makers)
    picture = scaled[-1] if len(scaled) > 1 else INPUT_NAME
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == scaled[0]:
                node.input[i] = INPUT_NAME
            elif name == quantize.output[0]:
                node.input[i] = picture
    for node in (quantize, scaling, casting):
        graph.node.remove(node)
    del graph.value_info[:]  # it says float of what is uint8 now


def _keep_logits_float(graph: Any) -> None:
    """Take the pair of QuantizeLinear and DequantizeLinear before Softmax out: 8-bit logits would round the scores."""
    makers = {name: node for node in graph.node for name in node.output}
    for softmax in [n for n in graph.node if n.op_type == "Softmax"]:
        back = makers.get(softmax.input[0])
        forth = makers.get(back.input[0]) if back is not None and back.op_type == "DequantizeLinear" else None
        if back is not None and forth is not None and forth.op_type == "QuantizeLinear":
            softmax.input[0] = forth.input[0]
            graph.node.remove(back)
            graph.node.remove(forth)
