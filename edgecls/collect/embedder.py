"""Say where a picture lies among others, with the network of `edgecls learn` and `edgecls label`, if it is in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras, image
from edgecls.files.backbones import newest
from edgecls.input_spec import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Picture

NAME, SIZE = "efficientnet-lite0", 224
"""The network, and the side of its pictures in pixels, as in `edgecls.learn.backbone`."""
SMALLEST = 1e-6


class Embedder:
    """Embeds one picture after the other, on a single core.

    Attributes:
        name: The network, for `Origin.embedded_by`.
    """

    name = NAME

    def __init__(self, content: bytes) -> None:
        """Load the network. Call `from_cache` instead.

        Args:
            content: An ONNX file from pictures, (N, H, W, 3) uint8, red first, to embeddings, (N, dimensions).
        """
        ort = extras.load("onnxruntime", extra="cpu", purpose="Computing embeddings")
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        self._session: Any = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._spec = InputSpec(SIZE, SIZE, "rgb")

    @classmethod
    def from_cache(cls) -> Embedder | None:
        """Return the network as `edgecls learn`, `label` or `collect` have built it on this machine; None if none has."""
        content = newest(NAME)
        return None if content is None else cls(content)

    def __call__(self, picture: Picture) -> NDArray[np.float32]:
        """Return the embedding of a picture, (dimensions,) float32, not normalized.

        Args:
            picture: (H, W) gray or (H, W, 3) blue-green-red, uint8.
        """
        rows = self._session.run(None, {self._input: image.fit(picture, self._spec)[None]})[0]
        return np.asarray(rows[0], np.float32)


def unit(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an embedding as square roots of its shares in its sum, which has unit length (as in `edgecls.learn.head`)."""
    positive = np.maximum(embedding, 0)
    found: NDArray[np.float32] = np.sqrt(positive / max(float(positive.sum()), SMALLEST)).astype(np.float32)
    return found
