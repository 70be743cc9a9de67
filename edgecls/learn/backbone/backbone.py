"""Open a pretrained network as a backbone: an int8 ONNX graph from pictures to embeddings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras
from edgecls.errors import ConfigError, DataError
from edgecls.export.quantize import Int8
from edgecls.files.backbones import kept
from edgecls.learn.backbone.drawn import drawn_pictures
from edgecls.learn.backbone.graph import AFTER_LAYERS, EMBEDDING, at_size, lite_graph
from edgecls.model.classifier import INPUT_NAME
from edgecls.pretrained import LITE, weights_of, weights_sha256
from edgecls.pretrained.lite import HEAD, LARGEST_SIZE, SMALLEST_SIZE
from edgecls.pretrained.packages import EXTRA

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

BACKBONES = tuple(LITE)
DEFAULT = "efficientnet-lite0"
CALIBRATION = 64, 160
"""The number of drawn pictures for calibration, and their side in pixels."""
BUILD = 2
"""Increase it whenever the same weights would give another file."""
BATCH = 16


class Backbone:
    """A frozen network without its last layer. It keeps no state between calls and is thread-safe.

    Attributes:
        name: A name in BACKBONES.
        size: The side of its pictures in pixels.
        dimensions: The length of an embedding.
        path: The int8 file in the user's cache, for pictures of any size.
        sha256: Of that file.
    """

    def __init__(self, name: str, size: int, path: Path, content: bytes, threads: int | None) -> None:
        """Use the bytes of a built file. Call `open_backbone` instead, which builds it."""
        self.name = name
        self.size = size
        self.dimensions = HEAD
        self.path = path
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._content = content
        ort = extras.load("onnxruntime", extra="cpu", purpose="Computing embeddings")
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or 0
        model = self.graph().SerializeToString()
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def graph(self) -> onnx.ModelProto:
        """Return the graph as a new onnx.ModelProto, to add a head to.

        Its input is `image`, (N, size, size, 3) uint8, red first; its output is `embedding`, (N, dimensions) float32: averages
        over the picture, from 0 to 6, not normalized. It computes exactly what `embed` does.
        """
        onnx = extras.load("onnx", extra=EXTRA, purpose="Building a model from a backbone")
        return at_size(onnx.load_from_string(self._content), self.size)

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embeddings, (N, dimensions) float32, of pictures, (N, size, size, 3) uint8, red first.

        Raises:
            DataError: The array has another shape or dtype.
        """
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (self.size, self.size, 3):
            raise DataError(
                f"{self.name}: expected pictures of uint8 (N, {self.size}, {self.size}, 3), found {pictures.dtype} "
                f"{pictures.shape}"
            )
        found = np.empty((len(pictures), self.dimensions), np.float32)
        for i in range(0, len(pictures), BATCH):
            found[i : i + BATCH] = self._session.run([EMBEDDING], {INPUT_NAME: pictures[i : i + BATCH]})[0]
        return found


def open_backbone(name: str = DEFAULT, *, size: int | None = None, threads: int | None = None) -> Backbone:
    """Open a pretrained network as a backbone. It is built from the weights of its package once, then read from the cache.

    Args:
        name: A name in BACKBONES.
        size: The side of the pictures in pixels, from 64; None takes the size that the network was trained on, such as 224.
        threads: CPU threads per run; None takes all cores.

    Raises:
        ConfigError: The name is unknown, or the size is out of range.
        MissingExtraError: The package with the weights is not installed; the message gives the command.
        ModelError: The weights are damaged.
        SinkError: The cache cannot be written.

    Example:
        backbone = open_backbone("efficientnet-lite0", size=96)
        embeddings = backbone.embed(pictures)  # (N, 96, 96, 3) uint8 -> (N, 1280) float32
    """
    if name not in LITE:
        raise ConfigError(f"backbone {name!r} is not known; expected one of {', '.join(BACKBONES)}")
    size = LITE[name].size if size is None else size
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ConfigError(f"backbone {name}: size {size}; expected {SMALLEST_SIZE} to {LARGEST_SIZE} pixels")
    key = hashlib.sha256(f"{weights_sha256(name)} {BUILD}".encode()).hexdigest()
    path, content = kept(name, key, lambda: built(name))
    return Backbone(name, size, path, content, threads)


def built(name: str) -> bytes:
    """Return the int8 file of a network of BACKBONES, for pictures of any size: a second or two of work."""
    extras.load("onnx", extra=EXTRA, purpose="Building a backbone")
    count, size = CALIBRATION
    pictures = drawn_pictures(count, size, np.random.default_rng(0))
    quantized = Int8("int8").except_for(lite_graph(LITE[name], weights_of(name)), pictures, AFTER_LAYERS)
    return bytes(quantized.SerializeToString(deterministic=True))
