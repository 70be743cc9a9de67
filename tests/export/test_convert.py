"""Keras to ONNX: the graph and its metadata."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import ExportError
from edgecls.export.convert import stamp, to_onnx
from edgecls.input_spec import InputSpec
from edgecls.model.card import METADATA_KEY, ModelCard
from edgecls.train.config import Layers, TrainConfig
from edgecls.train.model import build
from tests import tiny

LEFTOVERS = {"Shape", "Gather", "Concat", "Unsqueeze", "Slice", "Identity", "Dropout"}

NETWORKS = {
    "textbook": {},
    "edge": {"arch": "edge"},
    "edge in colour": {"arch": "edge", "input": InputSpec(48, 48, "rgb")},
    "two blocks": {"layers": Layers(kernels=(4, 8), dense=16)},
    "three blocks": {"layers": Layers(kernels=(4, 4, 4), dense=16)},
    "average": {"layers": Layers(kernels=(4,), pool="average", dense=16)},
    "stride": {"layers": Layers(kernels=(4,), pool_window=3, pool_stride=1, dense=16)},
    "LeNet-5 pooling": {
        "layers": Layers(kernels=(6, 16), kernel_size=5, pool="average", pool_bias=True, pool_activation="sigmoid", dense=84)
    },
    "relu after pooling": {"layers": Layers(kernels=(4,), pool_activation="relu", dense=16)},
    "tanh and bias": {"layers": Layers(kernels=(4,), pool_bias=True, pool_activation="tanh", dense=16)},
    "rgb": {"input": InputSpec(16, 16, "rgb"), "layers": Layers(kernels=(4,), dense=16)},
    "not square": {"input": InputSpec(24, 40), "layers": Layers(kernels=(4,), dense=16)},
    "dropout": {"dropout": 0.5, "layers": Layers(kernels=(4,), dense=16)},
}  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def converted(request):
    """(Keras network, ONNX model, random pictures) for each of NETWORKS, with weights that are not the initial ones."""
    config = TrainConfig(DataConfig("x"), **NETWORKS[request.param])
    keras.utils.set_random_seed(0)
    network = build(config, 7)
    rng = np.random.default_rng(0)
    network.set_weights([np.abs(w) + rng.uniform(0, 0.02, w.shape) if w.ndim == 1 else w for w in network.get_weights()])
    pictures = rng.integers(0, 256, (5, *config.input.shape), np.uint8)
    return network, to_onnx(network, config.input), pictures


def test_the_graph_computes_what_keras_computes(converted):
    """On random pictures all probabilities agree to 1e-5, one at a time and in a batch."""
    network, model, pictures = converted
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = network.predict_on_batch(pictures)
    assert np.abs(session.run(["probabilities"], {"image": pictures})[0] - expected).max() < 1e-5
    assert np.abs(session.run(["probabilities"], {"image": pictures[:1]})[0] - expected[:1]).max() < 1e-5
    assert expected.std() > 0


def test_the_graph_has_the_specified_input_and_output(converted):
    """One input `image`, uint8 [N, h, w, c]; one output `probabilities`, float [N, classes]."""
    network, model, _ = converted
    (given,), (made,) = model.graph.input, model.graph.output
    shapes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (given, made)]
    assert (given.name, made.name) == ("image", "probabilities")
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert made.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert shapes == [["N", *network.input_shape[1:]], ["N", 7]]


def test_the_graph_has_no_leftovers(converted):
    """No Shape or Gather, no dropout, no augmentation, only standard operators. Flatten is a reshape to a constant shape."""
    _, model, _ = converted
    assert not {node.op_type for node in model.graph.node} & LEFTOVERS
    assert not [node.op_type for node in model.graph.node if "Random" in node.op_type or "Normalization" in node.op_type]
    assert [entry.domain for entry in model.opset_import] == [""]
    onnx.checker.check_model(model, full_check=True)


def test_a_model_with_another_input_is_refused():
    """The card says 32x32, the network takes 16x16: the message has both shapes."""
    network = build(TrainConfig(DataConfig("x"), input=InputSpec(16, 16), layers=Layers(dense=8)), 3)
    with pytest.raises(ExportError, match=r"the card promises pictures of \(32, 32, 1\), the Keras model takes \(16, 16, 1\)"):
        to_onnx(network, InputSpec(32, 32))


def test_stamp_replaces_the_metadata_by_the_card():
    """Earlier metadata is removed, and equal cards give equal bytes."""
    graph = tiny.light_graph()
    onnx.helper.set_model_props(graph, {"old": "x"})
    card = ModelCard(("a", "b", "c"), InputSpec(8, 8), "fp32", made_with={"edgecls": "9.9"})
    content = stamp(graph, card)
    model = onnx.load_from_string(content)
    assert {entry.key: entry.value for entry in model.metadata_props} == {METADATA_KEY: card.to_json()}
    assert (model.producer_name, model.producer_version) == ("edgecls", "9.9")
    assert stamp(graph, card) == content
