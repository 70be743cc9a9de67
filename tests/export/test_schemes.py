"""The effect of each scheme on weights, ranges and results of a network built by hand."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecls import Classifier, InputSpec, ModelCard
from edgecls.errors import ExportError
from edgecls.export.convert import stamp
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.fp16 import to_fp16
from edgecls.export.quantize.ranges import histogram_ranges
from edgecls.export.quantize.sensitivity import most_sensitive, signal_to_noise_db
from tests import tiny

PICTURES = np.random.default_rng(1).integers(0, 256, (200, 8, 8, 1), np.uint8)
UNEVEN = (1, 30, 0.03, 300)
"""Factors of the kernels: with one scale for all, the small kernels are rounded to zero."""


def answers(model: onnx.ModelProto, pictures: np.ndarray = PICTURES) -> np.ndarray:
    """Return the probabilities that a graph computes."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": pictures})[0]


def weights(model: onnx.ModelProto, kind: int) -> list[np.ndarray]:
    """Return the stored matrices and kernels of a data type."""
    return [numpy_helper.to_array(i) for i in model.graph.initializer if i.data_type == kind and len(i.dims) > 1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_loads_and_agrees_with_the_float_network(scheme):
    """At least 19 of 20 labels are those of fp32, computed by a Classifier."""
    graph = tiny.conv_graph()
    model = SCHEMES[scheme](graph, PICTURES)
    content = stamp(model, ModelCard(tiny.LIGHT_LABELS, InputSpec(8, 8), scheme))
    found = Classifier.from_bytes(content, scheme, device="cpu").probabilities(PICTURES)
    assert (found.argmax(axis=1) == answers(graph).argmax(axis=1)).mean() >= 0.95
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-3)


def test_a_scheme_does_not_change_the_network_that_it_is_given():
    """The next scheme starts from the same network."""
    graph = tiny.conv_graph()
    before = graph.SerializeToString(deterministic=True)
    for name in ("fp16", "int8", "int8-entropy", "int8-s8-float1"):
        SCHEMES[name](graph, PICTURES)
    assert graph.SerializeToString(deterministic=True) == before


def test_full_range_uses_the_eighth_bit():
    """The largest weight of int8 is 64, that of int8-full and int8-s8 is 127."""
    largest = {}
    for name in ("int8", "int8-full", "int8-s8"):
        model = SCHEMES[name](tiny.conv_graph(), PICTURES)
        largest[name] = max(int(np.abs(w.astype(int)).max()) for w in weights(model, TensorProto.INT8))
    assert largest["int8"] in (63, 64)
    assert largest["int8-full"] == largest["int8-s8"] == 127


def test_for_arm_both_sides_are_signed():
    """Everything but the picture is int8. The levels of the picture are not rounded: 0 becomes -128, 255 becomes 127."""
    model = SCHEMES["int8-s8"](tiny.conv_graph(), PICTURES)
    assert {i.data_type for i in model.graph.initializer} & {TensorProto.UINT8, TensorProto.INT8} == {TensorProto.INT8}
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    first = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")
    assert constants[first.input[1]] == np.float32(1 / 255)
    assert constants[first.input[2]] == -128


def test_a_scale_per_channel_keeps_small_kernels():
    """The four kernels differ by four orders of magnitude: one scale for all rounds the small ones to zero, one scale per
    channel keeps all of them.
    """

    def kernels_left(scheme: str) -> int:
        model = SCHEMES[scheme].only(tiny.conv_graph(UNEVEN), PICTURES, ["conv"])
        (kernels,) = weights(model, TensorProto.INT8)
        return int((kernels.reshape(4, -1) != 0).any(axis=1).sum())

    assert kernels_left("int8") == 4
    assert kernels_left("int8-tensor") < 4


def test_the_layers_that_8_bits_hurt_come_first():
    """An uneven convolution and the layer that reads it rank before the last layer, and their weights stay in float."""
    graph = tiny.conv_graph(UNEVEN)
    ranked = most_sensitive(graph, PICTURES, SCHEMES["int8"].only)
    assert set(ranked[:2]) == {"conv", "dense"}
    assert ranked[2] == "last"
    kept = weights(SCHEMES["int8-float2"](graph, PICTURES), TensorProto.FLOAT)
    assert sorted(w.shape for w in kept) == [(4, 1, 3, 3), (144, 8)]
    assert len(weights(SCHEMES["int8-float1"](graph, PICTURES), TensorProto.FLOAT)) == 1


def test_layers_left_in_float_restore_the_accuracy():
    """An uneven network changes many labels in int8, and almost none with two layers in float."""
    graph = tiny.conv_graph(UNEVEN)
    right = answers(graph).argmax(axis=1)
    plain, rescued = (answers(SCHEMES[name](graph, PICTURES)).argmax(axis=1) for name in ("int8", "int8-float2"))
    assert (plain == right).mean() < 0.9
    assert (rescued == right).mean() > 0.97


def test_signal_to_noise_by_hand():
    """A tenth of the amplitude is a hundredth of the power: 20 dB. Without noise the ratio is finite."""
    signal = np.array([[3.0, 4.0]])
    assert signal_to_noise_db(signal, signal * 1.1) == pytest.approx(20)
    assert np.isfinite(signal_to_noise_db(signal, signal))


def test_what_is_rare_is_cut_off(tmp_path, capsys):
    """One white pixel among 32,768 dark ones is outside of the percentile, and nothing is printed."""
    pictures = np.random.default_rng(2).integers(0, 101, (512, 8, 8, 1)).astype(np.uint8)
    pictures[7, 3, 3, 0] = 255
    onnx.save(tiny.conv_graph(), tmp_path / "m.onnx")
    low, high = histogram_ranges(tmp_path / "m.onnx", pictures, "percentile")["scaled"]
    assert low == pytest.approx(0, abs=0.01)
    assert high == pytest.approx(100 / 255, abs=0.01)
    assert histogram_ranges(tmp_path / "m.onnx", pictures, "entropy")["scaled"][1] <= 1
    assert capsys.readouterr().out == ""


def test_ranges_hardly_depend_on_the_order_of_batches(tmp_path):
    """Histograms that are filled batch by batch give about the same range in both orders."""
    onnx.save(tiny.conv_graph(), tmp_path / "m.onnx")
    one, other = (histogram_ranges(tmp_path / "m.onnx", p, "percentile")["seen"][1] for p in (PICTURES, PICTURES[::-1]))
    assert one == pytest.approx(other, rel=0.02)


def test_fp16_halves_the_weights_and_keeps_input_and_output():
    """All weights are float16, the picture stays uint8, and the float32 probabilities differ by less than 0.01."""
    model = to_fp16(tiny.conv_graph(), PICTURES)
    assert weights(model, TensorProto.FLOAT) == []
    assert len(weights(model, TensorProto.FLOAT16)) == 3
    (entry,), (output,) = model.graph.input, model.graph.output
    assert entry.type.tensor_type.elem_type == TensorProto.UINT8
    assert output.type.tensor_type.elem_type == TensorProto.FLOAT
    found = answers(model)
    assert found.dtype == np.float32
    assert np.abs(found - answers(tiny.conv_graph())).max() < 0.01


def test_an_fp16_file_is_half_as_large(exported):
    """Almost everything in the file has 16 bits instead of 32."""
    assert exported["fp16"].out.stat().st_size < 0.55 * exported["fp32"].out.stat().st_size
    assert exported["fp16"].parity.largest_difference < 0.01


def test_fp16_refuses_a_weight_that_it_cannot_hold():
    """The message has the weight, the name of the tensor and the largest float16."""
    with pytest.raises(
        ExportError, match=r"^fp16: a weight in 'kernels' is [\d.e+]+, the largest float16 is 65504; use another"
    ):
        to_fp16(tiny.conv_graph((1, 1, 1, 1e6)), PICTURES)


def test_fp16_keeps_inputs_that_must_be_float32():
    """The scales of a Resize stay float32. A last node other than Softmax is followed by a Cast."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Resize", ["float", "", "scales"], ["small"], mode="nearest"),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("Mul", ["flat", "share"], ["probabilities"]),
    ]
    constants = {"scales": np.array([1, 0.25, 0.25, 1], np.float32), "share": np.array(1 / 1024, np.float32)}
    graph = helper.make_graph(
        nodes,
        "resize",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert answers(to_fp16(plain, PICTURES)) == pytest.approx(answers(plain), abs=1e-3)
