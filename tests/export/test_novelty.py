"""Tests of the second output of a graph, with small graphs made here."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecls.export.novelty import add_novelty, embedding_of
from edgecls.model.novelty import fit_novelty

FEATURES, CLASSES = 24, 3
RNG = np.random.default_rng(0)
KNOWN = RNG.uniform(0, 1, (60, FEATURES)).astype(np.float32)


def classifier(opset: int = 18, operator: str = "Gemm", dtype: type = np.float32) -> onnx.ModelProto:
    """A graph that reads features as its "picture": Relu, a last layer, Softmax."""
    rng = np.random.default_rng(1)
    constants = [numpy_helper.from_array(rng.normal(0, 1, shape).astype(dtype), name)
                 for name, shape in (("w", (FEATURES, CLASSES)), ("b", (CLASSES,)))]  # fmt: skip
    last = [helper.make_node("Gemm", ["features", "w", "b"], ["logits"])]
    if operator == "MatMul":
        last = [
            helper.make_node("MatMul", ["features", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["logits"]),
        ]
    nodes = [helper.make_node("Relu", ["image"], ["features"]), *last,
             helper.make_node("Cast", ["logits"], ["in_float"], to=TensorProto.FLOAT),
             helper.make_node("Softmax", ["in_float"], ["probabilities"], axis=1)]  # fmt: skip
    picture = TensorProto.FLOAT if dtype is np.float32 else TensorProto.FLOAT16
    values = [helper.make_tensor_value_info(name, kind, ["N", size]) for name, kind, size in
              (("image", picture, FEATURES), ("probabilities", TensorProto.FLOAT, CLASSES))]  # fmt: skip
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def novelty(classes: int = CLASSES):
    return fit_novelty(KNOWN, np.arange(60) % classes, np.arange(60), np.random.default_rng(0))


def run(model: onnx.ModelProto, features: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["probabilities", "novelty"], {"image": features})


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
@pytest.mark.parametrize("classes", [1, CLASSES])
def test_the_graph_computes_what_numpy_does(opset, classes):
    """In old and new versions of the operators, and for one class."""
    made = add_novelty(classifier(opset), "features", novelty(classes))
    onnx.checker.check_model(made, full_check=True)
    foreign = RNG.uniform(-1, 3, (20, FEATURES)).astype(np.float32)
    for features in (KNOWN, foreign, foreign[:1], np.zeros((1, FEATURES), np.float32)):
        found = run(made, features)[1]
        assert found.dtype == np.float32
        assert found == pytest.approx(novelty(classes).scores(features), rel=1e-3, abs=1e-3)


def test_the_probabilities_stay_as_they_were():
    """The first output is untouched, and so is the given model."""
    plain = classifier()
    before = plain.SerializeToString()
    made = add_novelty(plain, "features", novelty())
    expected = onnxruntime.InferenceSession(before).run(None, {"image": KNOWN})[0]
    assert np.array_equal(run(made, KNOWN)[0], expected)
    assert plain.SerializeToString() == before


def test_float16_features_are_computed_with_in_float32():
    """Their squares and sums are not rounded to float16."""
    half = classifier(dtype=np.float16)
    made = add_novelty(half, embedding_of(half), novelty())
    onnx.checker.check_model(made, full_check=True)
    features = KNOWN.astype(np.float16)
    assert run(made, features)[1] == pytest.approx(novelty().scores(features), abs=1e-3)


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_the_last_layer_is_found(operator):
    """Its input holds the features, whether its bias is a part of it or added after it."""
    assert embedding_of(classifier(operator=operator)) == "features"


def test_a_graph_without_a_last_layer_has_no_features():
    """Such as one that ends in a convolution and a pooling: nothing is guessed."""
    model = classifier()
    model.graph.node[1].op_type = "Conv"
    assert embedding_of(model) == ""


def test_it_takes_few_bytes():
    """Half of what float32 would: 2 bytes per feature of each class and direction."""
    plain, known = classifier(), novelty()
    grown = add_novelty(plain, "features", known).ByteSize() - plain.ByteSize()
    assert grown < 2 * FEATURES * (CLASSES + len(known.directions)) + 2000
