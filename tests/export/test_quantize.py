"""Quantization to int8."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest

from edgecls.errors import ExportError
from edgecls.export import quantize
from edgecls.export.quantize import SCHEMES
from edgecls.model.card import family
from tests import tiny


@pytest.fixture(scope="module")
def int8(exported):
    """Return the graph of the int8 file."""
    return onnx.load(exported["int8"].out).graph


def test_int8_reads_the_uint8_picture_directly(int8):
    """The picture is not cast or scaled: its only reader, apart from reshapes, is a DequantizeLinear."""
    name = "image"
    kinds = []
    while not kinds or kinds[-1] in ("Reshape", "Transpose"):
        (reader,) = [n for n in int8.node if name in n.input]
        kinds.append(reader.op_type)
        name = reader.output[0]
    assert kinds[-1] == "DequantizeLinear"


def test_int8_keeps_the_logits_in_float(int8):
    """The input of Softmax is a float that was not rounded to 8 bits."""
    makers = {name: n for n in int8.node for name in n.output}
    (softmax,) = [n for n in int8.node if n.op_type == "Softmax"]
    assert makers[softmax.input[0]].op_type in ("Gemm", "MatMul", "Add")


def test_int8_weights_have_seven_bits(int8):
    """All weights of convolutions and dense layers are in -64..64, so that x86 without VNNI does not saturate."""
    weights = [onnx.numpy_helper.to_array(i) for i in int8.initializer if i.data_type == onnx.TensorProto.INT8]
    large = [w for w in weights if w.ndim > 1]
    assert len(large) == 3
    assert all(np.abs(w.astype(int)).max() <= 64 for w in large)


def test_an_int8_file_is_about_a_quarter_of_the_float_one(exported):
    """Almost everything in the file has 8 bits instead of 32."""
    assert exported["int8"].out.stat().st_size < 0.35 * exported["fp32"].out.stat().st_size


def test_the_same_pictures_give_the_same_int8_file():
    """Quantizing twice gives equal graphs."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), np.uint8)
    one, two = (SCHEMES["int8"](tiny.light_graph(), pictures).SerializeToString(deterministic=True) for _ in range(2))
    assert one == two


def test_a_network_without_a_scaled_input_is_quantized_too():
    """The light graph averages before it scales, so there is no scaling to fold; the labels stay the same."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 1, 1, 1), np.uint8) * np.ones((1, 8, 8, 1), np.uint8)
    model = SCHEMES["int8"](tiny.light_graph(), pictures)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    plain = np.array([0, 128, 255], np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    assert session.run(None, {"image": plain})[0].argmax(axis=1).tolist() == [0, 1, 2]


def test_the_preprocessing_before_the_first_layer_stays_in_float():
    """A picture is divided by its standard deviation: 8 bits would round the variance of a dark picture to zero."""
    model = tiny.conv_graph()
    nodes = {node.name: node for node in model.graph.node}
    nodes["conv"].input[0] = "normalized"
    for made in (
        onnx.helper.make_node("ReduceMean", ["plane"], ["mean"], "mean"),
        onnx.helper.make_node("Sub", ["plane", "mean"], ["apart"], "sub"),
        onnx.helper.make_node("Mul", ["apart", "apart"], ["square"], "square"),
        onnx.helper.make_node("ReduceMean", ["square"], ["variance"], "variance"),
        onnx.helper.make_node("Sqrt", ["variance"], ["deviation"], "sqrt"),
        onnx.helper.make_node("Div", ["apart", "deviation"], ["normalized"], "divide"),
    ):
        model.graph.node.insert(list(model.graph.node).index(nodes["conv"]), made)
    quantized = SCHEMES["int8"](model, np.random.default_rng(0).integers(7, 10, (64, 8, 8, 1), np.uint8))
    kinds = [node.op_type for node in quantized.graph.node]
    assert kinds.index("QuantizeLinear") > kinds.index("Div")


def test_a_failure_of_the_quantizer_is_an_export_error(monkeypatch):
    """The exception of ONNX Runtime becomes an ExportError of one line that names the fix."""
    from onnxruntime import quantization

    def fails(*_args, **_kwargs):
        raise ValueError("odd node")

    monkeypatch.setattr(quantization, "quantize_static", fails)
    with pytest.raises(ExportError, match=r"^int8: ONNX Runtime cannot quantize this network \(odd node\); use `scheme=fp32`$"):
        SCHEMES["int8"](tiny.light_graph(), np.zeros((2, 8, 8, 1), np.uint8))


def test_schemes_by_name():
    """fp32 keeps the model as it is; the others are fp16 and the variants of int8."""
    assert list(SCHEMES)[:3] == ["fp32", "fp16", "int8"]
    assert {family(name) for name in SCHEMES} == {"fp32", "fp16", "int8"}
    assert all(scheme.name == name for name, scheme in list(SCHEMES.items())[2:])
    graph = tiny.light_graph()
    assert SCHEMES["fp32"](graph, np.zeros((1, 8, 8, 1), np.uint8)) is graph
    assert quantize.CALIBRATION_PICTURES == 512


def test_int8_is_static(int8):
    """No node computes a scale at run time."""
    assert not [kind for kind in Counter(n.op_type for n in int8.node) if kind.startswith("Dynamic")]


def scaled_by(*steps):
    """The conv graph with other steps between the cast and the first layer: (operator, constant) in order."""
    model = tiny.conv_graph()
    nodes = {node.name: node for node in model.graph.node}
    place = list(model.graph.node).index(nodes["scale"])
    model.graph.node.remove(nodes["scale"])
    name = "float"
    for i, (operator, value) in enumerate(steps):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), f"c{i}"))
        model.graph.node.insert(place + i, onnx.helper.make_node(operator, [name, f"c{i}"], [f"x{i}"], f"step{i}"))
        name = f"x{i}"
    nodes["to_planes"].input[0] = name
    return model


def probabilities(model, pictures):
    """What a graph gives for pictures."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": pictures})[0]


@pytest.mark.parametrize("scheme", ["int8", "int8-s8"])
@pytest.mark.parametrize(
    "steps",
    [
        [("Sub", 127), ("Mul", 1 / 128)],
        [("Mul", 1 / 128), ("Add", -127 / 128)],
        [("Add", -127), ("Div", 128)],
        [("Div", 127.5), ("Sub", 128 / 127.5)],
    ],
)
def test_a_scaling_with_an_offset_is_no_step_of_its_own(scheme, steps):
    """The level that becomes 0 is the zero point of the picture, so no level is rounded; unsigned, nothing is computed."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), np.uint8)
    model = scaled_by(*steps)
    quantized = SCHEMES[scheme](model, pictures)
    assert np.abs(probabilities(quantized, pictures) - probabilities(model, pictures)).max() < 0.1
    kinds = [node.op_type for node in quantized.graph.node]
    if scheme == "int8":
        assert not {"Cast", "Mul", "Div", "Sub"} & set(kinds)
        (reader,) = [n for n in quantized.graph.node if "image" in n.input]
        (dequantize,) = [n for n in quantized.graph.node if reader.output[0] in n.input]
        zero = next(i for i in quantized.graph.initializer if i.name == dequantize.input[2])
        assert onnx.numpy_helper.to_array(zero) in (127, 128)


@pytest.mark.parametrize(
    "steps",
    [
        [("Sub", 127.5), ("Mul", 1 / 127.5)],  # between two levels
        [("Mul", 1 / 255), ("Add", 1)],  # no level becomes 0
        [("Mul", -1 / 255), ("Add", 1)],  # upside down
        [("Mul", 1 / 255), ("Mul", 2)],
        [("Mul", 0)],
    ],
)
def test_another_scaling_stays_in_float(steps):
    """The quantized network still computes it."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), np.uint8)
    model = scaled_by(*steps)
    quantized = SCHEMES["int8"](model, pictures)
    assert "Cast" in {node.op_type for node in quantized.graph.node}
    assert np.abs(probabilities(quantized, pictures) - probabilities(model, pictures)).max() < 0.1


def test_depthwise_kernels_have_eight_bits():
    """Processors without VNNI add their products in 32 bits; those of the other layers must have seven."""
    model = tiny.conv_graph()
    nodes = {node.name: node for node in model.graph.node}
    kernels = np.random.default_rng(0).normal(0, 1, (4, 1, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(kernels, "filters"))
    made = onnx.helper.make_node("Conv", ["seen", "filters"], ["filtered"], "filter", group=4, pads=[1, 1, 1, 1])
    model.graph.node.insert(list(model.graph.node).index(nodes["to_row"]), made)
    nodes["to_row"].input[0] = "filtered"
    pictures = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), np.uint8)
    for scheme, most in (("int8", 64), ("int8-tensor", 64), ("int8-full", 128)):
        quantized = SCHEMES[scheme](model, pictures)
        weights = {
            i.name: onnx.numpy_helper.to_array(i) for i in quantized.graph.initializer if i.data_type == onnx.TensorProto.INT8
        }
        largest = {name: np.abs(values.astype(int)).max() for name, values in weights.items() if values.ndim > 1}
        assert largest.pop("filters_quantized") > 64
        assert len(largest) == 3
        assert max(largest.values()) <= most
