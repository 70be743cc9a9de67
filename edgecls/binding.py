"""Running a model on a device with memory of its own, without asking for that memory again at each call.

`session.run` on a GPU allocates, copies in, runs, copies out and frees. Here the device's buffers for a size of batch are
made once: a call copies the pictures into them, runs, and copies the probabilities out.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

SIZES = 16
"""For so many sizes of batch buffers are kept: a camera run has a few, and what is never seen again shall not fill a GPU."""


class Buffers(NamedTuple):
    """What lies on the device for one size of batch, and the binding that tells the session so."""

    binding: Any
    pictures: Any
    probabilities: Any


class Binding:
    """A session whose only input and output are bound to buffers on its device. It may be shared by threads, in turns."""

    def __init__(self, session: onnxruntime.InferenceSession, memory: str, *, largest: int) -> None:
        """Take a session with one input of uint8 (N, ...) and one output of float32 (N, labels).

        `memory` is ONNX Runtime's name of the device that holds the buffers: "cuda", or "cpu". More than `largest` pictures
        go in several runs.
        """
        self._session = session
        self._memory = memory
        self._largest = largest
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[0].name
        self._labels = int(session.get_outputs()[0].shape[1])
        self._buffers: dict[int, Buffers] = {}
        self._lock = threading.Lock()

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the model. `batch`: (N, height, width, channels) uint8. Returns (N, labels) float32, the caller's own."""
        with self._lock:
            parts = [self._run(batch[i : i + self._largest]) for i in range(0, len(batch), self._largest)]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, self._labels), np.float32), *parts])

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        buffers = self.buffers(batch.shape)
        buffers.pictures.update_inplace(np.ascontiguousarray(batch))
        self._session.run_with_iobinding(buffers.binding)
        return np.array(buffers.probabilities.numpy(), np.float32)

    def buffers(self, shape: tuple[int, ...]) -> Buffers:
        """The buffers for a batch of the shape (N, height, width, channels), made the first time they are asked for."""
        if shape[0] not in self._buffers:
            if len(self._buffers) == SIZES:
                self._buffers.clear()
            self._buffers[shape[0]] = self._allocate(shape)
        return self._buffers[shape[0]]

    def _allocate(self, shape: tuple[int, ...]) -> Buffers:
        from onnxruntime import OrtValue

        pictures = OrtValue.ortvalue_from_shape_and_type(list(shape), np.uint8, self._memory, 0)
        probabilities = OrtValue.ortvalue_from_shape_and_type([shape[0], self._labels], np.float32, self._memory, 0)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input, pictures)
        binding.bind_ortvalue_output(self._output, probabilities)
        return Buffers(binding, pictures, probabilities)
