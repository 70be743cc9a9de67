"""A foreign graph as it is, run beside what was made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras
from edgecls.errors import ModelError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.feed import Feed
    from edgecls.export.adopt.ports import Ports

BATCH = 32


class Runner:
    """A started foreign graph; `batch` pictures at a time, any number if that is 0. `answer` are the dimensions of what it last
    gave for one picture.
    """

    def __init__(self, model: onnx.ModelProto, ports: Ports, where: str, *, batch: int) -> None:
        ort = extras.load("onnxruntime", extra="cpu", purpose="Adopting a model")
        options = ort.SessionOptions()
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{where}: ONNX Runtime {ort.__version__} cannot start it ({_line(error)})") from error
        self._ports = ports
        self._where = where
        self._batch = batch
        self.answer: tuple[int, ...] = ()

    def outputs(self, pictures: NDArray[np.uint8], feed: Feed) -> NDArray[np.float64]:
        """What the network says of (N, height, width, channels) uint8, channels in the order of the feed: (N, outputs).

        Raises ModelError where it cannot compute them, or says something that is no row of numbers for each.
        """
        found = []
        size = self._batch or BATCH
        for i in range(0, len(pictures), size):
            part = pictures[i : i + size]
            filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)]) if self._batch else part
            found.append(self._run(filled, feed)[: len(part)])
        return np.concatenate(found)

    def _run(self, pictures: NDArray[np.uint8], feed: Feed) -> NDArray[np.float64]:
        ports = self._ports
        fed = pictures if ports.dtype == "UINT8" else feed.of(pictures)
        if ports.layout == "nchw":
            fed = fed.transpose(0, 3, 1, 2)
        kind = {"FLOAT": np.float32, "FLOAT16": np.float16, "DOUBLE": np.float64, "UINT8": np.uint8}[ports.dtype]
        fed = np.ascontiguousarray(fed.reshape(len(fed), *ports.shape), kind)
        try:
            answer = np.asarray(self._session.run([ports.output], {ports.name: fed})[0])
        except Exception as error:
            raise ModelError(f"{self._where}: the network cannot be run on {len(fed)} pictures ({_line(error)})") from error
        if answer.dtype.kind != "f" or answer.size == 0 or answer.size % len(fed):
            raise ModelError(f"{self._where}: expected a row of numbers for each of {len(fed)} pictures in {ports.output!r}, "
                             f"found {answer.dtype} {answer.shape}")  # fmt: skip
        self.answer = answer.shape[1:] if answer.shape[:1] == (len(fed),) else (1, answer.size // len(fed))
        return answer.reshape(len(fed), -1).astype(np.float64)


def probabilities(outputs: NDArray[np.float64], ending: str) -> NDArray[np.float32]:
    """The probabilities that an output of some kind (a key of `graph.ENDINGS`) means, in numpy: (N, labels)."""
    if ending == "logits":
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs = powers / powers.sum(axis=1, keepdims=True)
    elif ending == "LogSoftmax":
        outputs = np.exp(outputs)
    elif ending == "one logit":
        outputs = 1 / (1 + np.exp(-outputs))
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    return outputs.astype(np.float32)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
