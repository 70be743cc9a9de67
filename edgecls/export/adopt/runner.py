"""Run a graph of another tool with ONNX Runtime, to compare it with the converted one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.errors import ModelError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.ports import Ports
    from edgecls.export.adopt.preprocessing import Feed

BATCH = 32


def started(model: onnx.ModelProto, where: str, *, as_it_is: bool = False) -> Any:
    """Return an ONNX Runtime session of a graph.

    Args:
        model: The graph.
        where: The file, for messages.
        as_it_is: Turn off all optimizations.

    Raises:
        ModelError: ONNX Runtime refuses the graph: its nodes form a cycle, or lack inputs, outputs or attributes.
    """
    ort = extras.load("onnxruntime", extra="cpu", purpose="Adopting a model")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if as_it_is:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{where}: ONNX Runtime {ort.__version__} cannot start it ({_line(error)})") from error


class Runner:
    """Runs a graph, `batch` pictures at a time (0: any number).

    `answer` has the dimensions of its last output for one picture.
    """

    def __init__(self, model: onnx.ModelProto, ports: Ports, where: str, *, batch: int) -> None:
        self._session = started(model, where)
        self._ports = ports
        self._where = where
        self._batch = batch
        self.answer: tuple[int, ...] = ()

    def outputs(self, pictures: NDArray[np.uint8], feed: Feed) -> NDArray[np.float64]:
        """Return the outputs of the network, (N, outputs) float64.

        Args:
            pictures: (N, height, width, channels) uint8, channels in the order of the feed.
            feed: The preprocessing.

        Raises:
            ModelError: The network fails, or does not give a row of numbers for each picture.
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
    """Return the probabilities, (N, labels), for outputs, (N, outputs), of a kind that is a key of `graph.ENDINGS`."""
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
