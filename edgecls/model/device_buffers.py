"""Run a model on a device with its own memory, reusing the buffers there.

On a GPU, every `session.run` allocates buffers, copies the input, runs, copies the output and frees the buffers. Here the
buffers are allocated once per batch size, and a call only copies and runs.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgecls import extras

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnxruntime
    from numpy.typing import NDArray

MAX_SIZES = 16
"""How many batch sizes keep their buffers. A run has a few; sizes that never return must not fill the GPU."""


class Buffers(NamedTuple):
    """The buffers on the device for one batch size, and the I/O binding that attaches them to the session."""

    binding: Any
    pictures: Any
    outputs: list[Any]


class Binding:
    """A session whose input and outputs are bound to buffers on its device. Thread-safe; one call runs at a time."""

    def __init__(self, session: onnxruntime.InferenceSession, memory: str, outputs: Sequence[str], *, largest: int) -> None:
        """Bind a session.

        Args:
            session: Has one input, uint8 (N, ...), and outputs of float32 (N, ...).
            outputs: The names of the outputs to return.
            memory: ONNX Runtime's name of the device with the buffers: "cuda" or "cpu".
            largest: The largest batch; more pictures are split into several runs.
        """
        self._session = session
        self._memory = memory
        self._largest = largest
        self._input = session.get_inputs()[0].name
        found = {output.name: output.shape[1:] for output in session.get_outputs()}
        self._shapes = {name: [int(size) for size in found[name]] for name in outputs}
        self._buffers: dict[int, Buffers] = {}
        self._lock = threading.Lock()

    def run(self, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run the model on a batch, (N, height, width, channels) uint8. Returns a new array (N, ...) float32 per output."""
        with self._lock:
            parts = [self._run(batch[i : i + self._largest]) for i in range(0, len(batch), self._largest)]
        if len(parts) == 1:
            return parts[0]
        empty = [np.empty((0, *shape), np.float32) for shape in self._shapes.values()]
        return [np.concatenate(of_output) for of_output in zip(empty, *parts, strict=True)]

    def _run(self, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        buffers = self.buffers(batch.shape)
        buffers.pictures.update_inplace(np.ascontiguousarray(batch))
        self._session.run_with_iobinding(buffers.binding)
        return [np.array(output.numpy(), np.float32) for output in buffers.outputs]

    def buffers(self, shape: tuple[int, ...]) -> Buffers:
        """Return the buffers for a batch of shape (N, height, width, channels), allocated on first use."""
        if shape[0] not in self._buffers:
            if len(self._buffers) == MAX_SIZES:
                self._buffers.clear()
            self._buffers[shape[0]] = self._allocate(shape)
        return self._buffers[shape[0]]

    def _allocate(self, shape: tuple[int, ...]) -> Buffers:
        OrtValue = extras.load("onnxruntime", extra="cpu", purpose="Running a model").OrtValue  # noqa: N806 - a class
        pictures = OrtValue.ortvalue_from_shape_and_type(list(shape), np.uint8, self._memory, 0)
        outputs = [
            OrtValue.ortvalue_from_shape_and_type([shape[0], *inner], np.float32, self._memory, 0)
            for inner in self._shapes.values()
        ]
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input, pictures)
        for name, output in zip(self._shapes, outputs, strict=True):
            binding.bind_ortvalue_output(name, output)
        return Buffers(binding, pictures, outputs)
