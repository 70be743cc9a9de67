"""The number formats that a model can be exported in. A new one is a function and a row in `SCHEMES`."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.classifier import INPUT_NAME
from edgecls.errors import ExportError
from edgecls.export.convert import drop_unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import onnx
    from numpy.typing import NDArray

CALIBRATION_PICTURES = 512
CALIBRATION_BATCH = 32
PASSES_UINT8 = ("Reshape", "Transpose")


def to_fp32(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> onnx.ModelProto:  # noqa: ARG001 - nothing to calibrate
    """Keep the weights in float."""
    return model


def to_int8(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> onnx.ModelProto:
    """Static quantization with QuantizeLinear/DequantizeLinear pairs: uint8 activations, int8 weights per channel.

    `pictures`, (N, height, width, channels) uint8, tell the range of each activation. Weights keep to 7 bits: x86
    processors without VNNI add pairs of products in 16 bits and saturate on 8, which gives wrong answers there that no
    machine with VNNI shows. Softmax stays in float, and so do the logits before it; the picture enters as the uint8 that
    it is. Dynamic quantization is left out on purpose: it makes convolutions several times slower than float.
    """
    onnx = extras.load("onnx", extra="export", purpose="Quantizing")
    quantization = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
    kind = quantization.QuantType
    scaled, scale = _scaled_input(model)
    overrides = {}
    if scaled:
        exact = {"quant_type": kind.QUInt8, "scale": np.array(scale, np.float32), "zero_point": np.array(0, np.uint8)}
        overrides = {"TensorQuantOverrides": {scaled[-1]: [exact]}}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)  # given the model itself, it would move its weights to a file of their own
        logging.disable(logging.WARNING)  # it advises a step that `tidy` has done
        try:
            quantization.quantize_static(
                source,
                target,
                _reader(quantization, pictures),
                quant_format=quantization.QuantFormat.QDQ,
                activation_type=kind.QUInt8,
                weight_type=kind.QInt8,
                per_channel=True,
                reduce_range=True,
                calibrate_method=quantization.CalibrationMethod.MinMax,
                nodes_to_exclude=_float_nodes(model),
                extra_options={"QuantizeBias": True, **overrides},
            )
        except Exception as error:
            raise ExportError(f"int8: ONNX Runtime cannot quantize this network ({error}); take --scheme fp32") from error
        finally:
            logging.disable(logging.NOTSET)
        quantized = onnx.load(target)
    if scaled:
        _feed_uint8(quantized.graph, scaled)
    _keep_logits_float(quantized.graph)
    drop_unused(quantized.graph)
    return quantized


SCHEMES: dict[str, Callable[[onnx.ModelProto, NDArray[np.uint8]], onnx.ModelProto]] = {"fp32": to_fp32, "int8": to_int8}
"""Each scheme by name: (float model, calibration pictures) -> model."""


def _reader(quantization: Any, pictures: NDArray[np.uint8]) -> Any:
    batches: Iterator[NDArray[np.uint8]] = (
        pictures[i : i + CALIBRATION_BATCH] for i in range(0, len(pictures), CALIBRATION_BATCH)
    )

    class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(batches, None)
            return None if batch is None else {INPUT_NAME: batch}

    return _Reader()


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
    if len(factors) != 1 or factors[0].size != 1:
        return [], 0.0
    return path[2:], float(factors[0].reshape(()))


def _float_nodes(model: onnx.ModelProto) -> list[str]:
    """Softmax, and the nodes that bring the picture to float."""
    scaled, _ = _scaled_input(model)
    return [n.name for n in model.graph.node if n.op_type in ("Softmax", "Cast") or n.output[0] in scaled]


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
