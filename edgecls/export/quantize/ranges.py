"""Which range of each activation the 8 bits are spent on: all that was seen, or what is left when what is rare is cut off."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgecls import extras
from edgecls.classifier import INPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BATCH = 32
PERCENTILE = 99.99
"""So much of what an activation was is kept; what lies outside takes the nearest value."""


def batches(pictures: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The pictures in parts of at most BATCH."""
    return (pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH))


def reader(pictures: NDArray[np.uint8]) -> Any:
    """Pictures, (N, height, width, channels) uint8, as ONNX Runtime's quantizer takes them."""
    quantization: Any = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
    left = batches(pictures)

    class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(left, None)
            return None if batch is None else {INPUT_NAME: batch}

    return _Reader()


def histogram_ranges(
    source: Path, pictures: NDArray[np.uint8], method: Literal["percentile", "entropy"]
) -> dict[str, tuple[np.float32, np.float32]]:
    """The range (low, high) of each tensor of the model file `source`, by the histogram of its values on `pictures`.

    `percentile` keeps PERCENTILE of the values. `entropy` takes the range whose 8 bits tell most of them, as measured by the
    Kullback-Leibler divergence (Migacz 2017, 8-bit inference with TensorRT). ONNX Runtime would hold the activations of all
    pictures at once; so the histograms grow batch by batch.
    """
    quantization = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
    kind = {"percentile": quantization.CalibrationMethod.Percentile, "entropy": quantization.CalibrationMethod.Entropy}[method]
    options = {"symmetric": False, **({"percentile": PERCENTILE} if method == "percentile" else {})}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        augmented = str(Path(folder) / "augmented.onnx")
        calibrator = quantization.create_calibrator(source, None, augmented, kind, extra_options=options)
        for batch in batches(pictures):
            calibrator.collect_data(reader(batch))
        found = {name: tensor.range_value for name, tensor in calibrator.compute_data().items()}
    return {name: (np.float32(low), np.float32(high)) for name, (low, high) in found.items()}
