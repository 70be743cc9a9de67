"""Which layers of a network 8 bits hurt most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras
from edgecls.classifier import INPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx
    from numpy.typing import NDArray

    QuantizeOnly = Callable[[onnx.ModelProto, NDArray[np.uint8], Sequence[str]], onnx.ModelProto]

PICTURES = 64
"""Noise shows on few pictures; the network is quantized once for each layer."""
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_SMALLEST = 1e-30


def most_sensitive(model: onnx.ModelProto, pictures: NDArray[np.uint8], quantize_only: QuantizeOnly) -> list[str]:
    """The names of a model's layers with weights, from the one that brings the most noise when it alone is quantized.

    The measure is the signal-to-quantization-noise ratio of the logits, on the first PICTURES of `pictures`.
    `quantize_only(model, pictures, nodes)` quantizes the named nodes alone.
    """
    some = pictures[:PICTURES]
    expected = _logits(model, some)
    ratios = {}
    for node in (n for n in model.graph.node if n.op_type in LAYERS):
        activation = [n.name for n in model.graph.node if n.op_type in ("Relu", "Clip") and n.input[0] == node.output[0]]
        ratios[node.name] = signal_to_noise_db(expected, _logits(quantize_only(model, some, [node.name, *activation]), some))
    return sorted(ratios, key=lambda name: ratios[name])


def signal_to_noise_db(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """How far the power of `expected` is above that of the difference, in decibels; the same shapes."""
    noise = float(np.square(expected - found).sum())
    return float(10 * np.log10(max(float(np.square(expected).sum()), _SMALLEST) / max(noise, _SMALLEST)))


def _logits(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, labels) logits but for a constant of each picture, which Softmax takes away, and which is therefore chosen to be
    that of a mean of 0.
    """
    ort = extras.load("onnxruntime", extra="export", purpose="Quantizing")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    probabilities = session.run(None, {INPUT_NAME: pictures})[0]
    logits: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    logits -= logits.mean(axis=1, keepdims=True)
    return logits
