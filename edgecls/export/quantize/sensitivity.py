"""Find the layers of a network that lose most accuracy in 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras
from edgecls.model.classifier import INPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx
    from numpy.typing import NDArray

    QuantizeOnly = Callable[[onnx.ModelProto, NDArray[np.uint8], Sequence[str]], onnx.ModelProto]

PICTURES = 64
"""Few pictures are enough to measure noise, and the network is quantized once for each layer."""
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_SMALLEST = 1e-30


def most_sensitive(model: onnx.ModelProto, pictures: NDArray[np.uint8], quantize_only: QuantizeOnly) -> list[str]:
    """Return the names of a model's layers with weights, the most sensitive first.

    Each layer is quantized on its own. The measure is the signal-to-quantization-noise ratio of the logits.

    Args:
        model: The float model.
        pictures: (N, height, width, channels) uint8; the first PICTURES are used.
        quantize_only: Called with (model, pictures, nodes); quantizes only the named nodes.
    """
    some = pictures[:PICTURES]
    expected = _logits(model, some)
    ratios = {}
    for node in (n for n in model.graph.node if n.op_type in LAYERS):
        activation = [n.name for n in model.graph.node if n.op_type in ("Relu", "Clip") and n.input[0] == node.output[0]]
        ratios[node.name] = signal_to_noise_db(expected, _logits(quantize_only(model, some, [node.name, *activation]), some))
    return sorted(ratios, key=lambda name: ratios[name])


def signal_to_noise_db(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Return the ratio of the power of `expected` to the power of `expected - found`, in decibels. Both have the same shape."""
    noise = float(np.square(expected - found).sum())
    return float(10 * np.log10(max(float(np.square(expected).sum()), _SMALLEST) / max(noise, _SMALLEST)))


def _logits(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the logits, (N, labels), computed from the probabilities.

    Softmax does not change when a constant is added to all logits of a picture; here their mean is 0.
    """
    ort = extras.load("onnxruntime", extra="export", purpose="Quantizing")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    probabilities = session.run(None, {INPUT_NAME: pictures})[0]
    logits: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    logits -= logits.mean(axis=1, keepdims=True)
    return logits
