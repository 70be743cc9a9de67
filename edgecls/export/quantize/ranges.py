"""Choose the range of each activation that the 8 bits cover: without rare values, measured on calibration pictures."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgecls import extras
from edgecls.model.classifier import INPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BATCH, BATCH_PIXELS = 32, 32 * 96 * 96
"""The most pictures of a batch, and their pixels: the activations of a whole batch are in memory at once."""
PERCENTILE = 99.99
"""The percentage of the values of an activation inside its range; values outside are clipped."""


def batches(pictures: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures in batches."""
    count = in_a_batch(pictures)
    return (pictures[i : i + count] for i in range(0, len(pictures), count))


def in_a_batch(pictures: NDArray[np.uint8]) -> int:
    """Return how many of the pictures, (N, height, width, channels), are in a batch."""
    pixels = int(pictures.shape[1]) * int(pictures.shape[2])
    return max(1, min(BATCH, BATCH_PIXELS // pixels))


def reader(pictures: NDArray[np.uint8]) -> Any:
    """Return a CalibrationDataReader of ONNX Runtime over pictures, (N, height, width, channels) uint8."""
    quantization: Any = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
    remaining = batches(pictures)

    class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(remaining, None)
            return None if batch is None else {INPUT_NAME: batch}

    return _Reader()


def histogram_ranges(
    source: Path, pictures: NDArray[np.uint8], method: Literal["percentile", "entropy"]
) -> dict[str, tuple[np.float32, np.float32]]:
    """Return the range (low, high) of each tensor of the model file `source`, from the histogram of its values on `pictures`.

    The histograms are filled batch by batch, because ONNX Runtime holds the activations of all pictures that it gets at once.

    Args:
        source: The float model.
        pictures: Calibration pictures, (N, height, width, channels) uint8.
        method: "percentile" keeps PERCENTILE percent of the values. "entropy" chooses the range that minimizes the
            Kullback-Leibler divergence between the values and their quantization (Migacz 2017, 8-bit inference with TensorRT).
    """
    quantization = extras.load("onnxruntime.quantization", extra="export", purpose="Quantizing")
    kind = {"percentile": quantization.CalibrationMethod.Percentile, "entropy": quantization.CalibrationMethod.Entropy}[method]
    options = {"symmetric": False, **({"percentile": PERCENTILE} if method == "percentile" else {})}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        augmented = str(Path(folder) / "augmented.onnx")
        calibrator = quantization.create_calibrator(source, None, augmented, kind, extra_options=options)
        for batch in batches(pictures):
            calibrator.collect_data(reader(batch))
        found = {name: tensor.range_value for name, tensor in calibrator.compute_data().items()}
    return {name: (np.float32(low), np.float32(high)) for name, (low, high) in found.items()}
