"""A backbone for tests: the colours of an 8x8 grid, projected at random. It has the interface of the pretrained ones."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE, CELLS, DIMENSIONS = 32, 8, 64


class StandIn:
    """Counts the pictures that it embeds."""

    name, size, dimensions, sha256 = "stand-in", SIDE, DIMENSIONS, "5" * 64

    def __init__(self):
        self.embedded = 0
        self._session = onnxruntime.InferenceSession(self.graph().SerializeToString(), providers=["CPUExecutionProvider"])

    def embed(self, pictures):
        """(N, SIDE, SIDE, 3) uint8 -> (N, DIMENSIONS) float32."""
        self.embedded += len(pictures)
        return self._session.run(["embedding"], {"image": pictures})[0]

    def graph(self):
        """Average over cells, multiply by a fixed matrix, cut off what is negative."""
        rng = np.random.default_rng(0)
        matrix = rng.normal(0, 1, (3 * CELLS * CELLS, DIMENSIONS)).astype(np.float32)
        constants = {"middle": np.float32(127), "scale": np.float32(1 / 128), "matrix": matrix}
        nodes = [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["float", "middle"], ["centered"]),
            helper.make_node("Mul", ["centered", "scale"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["channels"], perm=[0, 3, 1, 2]),
            helper.make_node("AveragePool", ["channels"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
            helper.make_node("Flatten", ["cells"], ["row"]),
            helper.make_node("MatMul", ["row", "matrix"], ["product"]),
            helper.make_node("Relu", ["product"], ["embedding"]),
        ]
        graph = helper.make_graph(
            nodes,
            "stand-in",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMENSIONS])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def use(monkeypatch, cache):
    """Let learn_model use a stand-in and an empty cache; returns the stand-in."""
    found = StandIn()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr("edgecls.learn.learn_model.open_backbone", lambda name, **settings: found)
    return found


def embeddings(counts, *, distance, dimensions=32, views=1, seed=0):
    """Unit vectors around a center of each class, (N, views, dimensions), and their classes."""
    rng = np.random.default_rng(seed)
    centers = np.eye(len(counts), dimensions) * distance
    class_ids = np.repeat(np.arange(len(counts)), counts)
    rows = centers[class_ids][:, None] + rng.normal(0, 1, (len(class_ids), views, dimensions)) / np.sqrt(dimensions)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows.astype(np.float32), class_ids


def value_of(model, name, feeds):
    """The value of a tensor of a graph."""
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    graph.graph.output.append(helper.make_empty_tensor_value_info(name))
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"]).run([name], feeds)[0]
