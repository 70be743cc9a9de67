"""Tests of what an .onnx file may contain before a library parses it."""

from __future__ import annotations

import os
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecls import Classifier, ModelError
from edgecls.model.vet import LARGEST_MODEL_BYTES, read, vet
from edgecls.model.vet.protobuf import MOST_FIELDS, MOST_SKIPPED_BYTES
from tests.conftest import ROOT
from tests.tiny import light_graph, light_model

FLOAT = TensorProto.FLOAT


def changed(change):
    """Return the bytes of the light model after `change(model)`, given its ModelProto."""
    model = onnx.load_from_string(light_model())
    change(model)
    return model.SerializeToString()


def refused(model):
    """Return the message with which both `vet` and `Classifier.from_bytes` reject these bytes."""
    with pytest.raises(ModelError) as caught:
        vet(model, "m.onnx")
    with pytest.raises(ModelError) as again:
        Classifier.from_bytes(model, "m.onnx")
    assert str(again.value) == str(caught.value)
    assert str(caught.value).startswith("m.onnx: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def varint(value):
    """Return an integer as a varint of Protocol Buffers."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(number, content):
    """Return a field of wire type BYTES."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def test_what_edgecls_writes_passes(exported):
    """All exported schemes, the model in the repository and a handmade one pass, each within a second."""
    for path in (*(report.out for report in exported.values()), ROOT / "models" / "signs.onnx"):
        model = read(path)
        times_s = []
        for _ in range(5):
            began = time.perf_counter()
            vet(model, str(path))
            times_s.append(time.perf_counter() - began)
        assert min(times_s) < 1
    vet(light_model(), "m.onnx")


def external(model, **entries):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def test_weights_in_another_file_are_refused():
    """The location is EXTERNAL, or only a path is given, or the location is EXTERNAL after truncation to 32 bits."""
    expected = (
        "m.onnx: its tensor 'axes' is stored in another file (external data); save the model as one file; it was not loaded"
    )
    assert refused(changed(lambda m: external(m, location="../../etc/passwd"))) == expected
    assert refused(changed(lambda m: m.graph.initializer[0].external_data.add(key="location", value="x"))) == expected
    wrapped = message(5, message(8, b"axes") + varint(14 << 3) + varint(2**32 + 1))
    assert refused(b"\x08\x08" + message(7, wrapped)) == expected


def constant(value):
    return helper.make_node("Constant", [], ["c"], value=value)


def test_weights_of_attributes_in_another_file_are_refused():
    """The tensor of a Constant node is in another file."""
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "t")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    assert "its tensor 'c' is stored in another file" in refused(changed(lambda m: m.graph.node.append(constant(tensor))))


@pytest.mark.parametrize("dims", [[2**40], [2**31, 2**31, 2**31], [3, 1000]])
def test_a_tensor_larger_than_its_bytes_is_refused(dims):
    """No memory of the declared size is allocated."""

    def grow(model):
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    line = refused(changed(grow))
    assert f"its tensor 'axes' declares {np.prod(dims, dtype=object):,} elements {dims}, but the file has 3 of them" in line


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(name="t", dims=[-1], data_type=FLOAT),
        TensorProto(name="t", dims=[2], data_type=99, raw_data=bytes(8)),
        TensorProto(name="t", dims=[1] * 17, data_type=FLOAT, raw_data=bytes(4)),
        TensorProto(name="t", dims=[0], data_type=0),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(tensor):
    """Negative or too many dimensions, or an unknown data type."""
    assert "its tensor 't' is damaged" in refused(changed(lambda m: m.graph.initializer.append(tensor)))


@pytest.mark.parametrize(
    ("kind", "values", "passes"),
    [
        (FLOAT, {"float_data": [0.0] * 6}, True),
        (FLOAT, {"float_data": [0.0] * 5}, False),
        (TensorProto.DOUBLE, {"double_data": [0.0] * 6}, True),
        (TensorProto.INT8, {"int32_data": [-1] * 6}, True),
        (TensorProto.INT64, {"int64_data": [2**62] * 6}, True),
        (TensorProto.INT64, {"int64_data": [2**62] * 5}, False),
        (TensorProto.UINT64, {"uint64_data": [300] * 6}, True),
        (TensorProto.STRING, {"string_data": [b"x"] * 6}, True),
        (TensorProto.INT4, {"raw_data": bytes(3)}, True),
        (TensorProto.INT4, {"raw_data": bytes(2)}, False),
        (TensorProto.FLOAT16, {"raw_data": bytes(12)}, True),
        (TensorProto.BOOL, {"raw_data": bytes(5)}, False),
    ],
)
def test_values_are_counted_in_every_way_to_write_them(kind, values, passes):
    """A tensor of 2x3 needs 6 elements, as raw bytes or in the list for its type."""
    model = changed(lambda m: m.graph.initializer.append(TensorProto(name="t", dims=[2, 3], data_type=kind, **values)))
    if passes:
        vet(model, "m.onnx")
    else:
        assert "its tensor 't' declares 6 elements [2, 3]" in refused(model)


def test_gigantic_inputs_and_outputs_are_refused():
    """Dimensions larger than any picture, and negative ones."""

    def grow(model):
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2**40

    assert "its input or output 'image' declares the dimensions [1099511627776, 8, 1]" in refused(changed(grow))

    def negate(model):
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = -3

    assert "its input or output 'probabilities' declares the dimensions [-3]" in refused(changed(negate))


@pytest.mark.parametrize("where", ["initializer", "constant"])
def test_an_operator_that_would_make_a_gigantic_tensor_is_refused(where):
    """ConstantOfShape of 2^40 elements: ONNX Runtime would compute it while it loads."""

    def add(model):
        shape = np.array([2**20, 2**20], np.int64)
        if where == "initializer":
            model.graph.initializer.append(numpy_helper.from_array(shape, "c"))
        else:
            model.graph.node.append(constant(numpy_helper.from_array(shape)))
        model.graph.node.append(helper.make_node("ConstantOfShape", ["c"], ["large"]))

    line = refused(changed(add))
    assert (
        "its operator ConstantOfShape would compute a tensor of 1,099,511,627,776 elements [1048576, 1048576]; it was not"
        in line
    )


def loop():
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["again"])], "body", [], [])
    return helper.make_node("Loop", ["", ""], [], body=body)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (loop(), "its operator Loop contains a graph (control flow, which can loop forever)"),
        (
            helper.make_node("Mine", [], [], domain="evil.ops"),
            "its operator 'Mine' is a custom one, of the domain 'evil.ops'",
        ),
        (helper.make_node("EPContext", [], [], domain="com.microsoft"), "EPContext is not allowed: it loads another file"),
        (helper.make_node("RandomNormal", [], ["r"], shape=[2**40]), "RandomNormal is not allowed: it draws random numbers"),
    ],
)
def test_operators_that_no_classifier_needs_are_refused(node, expected):
    """Loops, custom operators, an operator that reads files, random operators."""
    assert expected in refused(changed(lambda m: m.graph.node.append(node)))


def test_functions_training_and_sparse_tensors_are_refused():
    """Nested functions can grow without bound, and the bytes of a sparse tensor do not tell its size."""
    function = helper.make_function(
        "d", "f", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    assert "it contains functions, which can grow without bound" in refused(changed(lambda m: m.functions.append(function)))
    assert "it contains a training graph" in refused(changed(lambda m: m.training_info.add()))
    values = numpy_helper.from_array(np.ones(1, np.float32), "v")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64)), [2**40])
    assert "it contains sparse tensors" in refused(changed(lambda m: m.graph.sparse_initializer.append(sparse)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected an .onnx file, found an empty one"),
        (b"PK\x03\x04" + bytes(99), "found a zip archive, such as .keras or .pt"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "found an HDF5 file, such as a Keras .h5"),
        (b"<!DOCTYPE html><html>", "found text, such as an HTML page instead of the download"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "found a Git LFS pointer; fetch the file with: git lfs pull",
        ),
        (b"\x20\x00\x00\x00ORTM" + bytes(99), "found a file in ONNX Runtime's own format"),
        (b"\x0b" * 99, "found another format (at byte 0)"),
        (b"\x08" + b"\xff" * 99, "found another format (at byte 11)"),
        (b"\x08\x08", "expected an .onnx file with one graph, found 0"),
        (b"\x08\x08" + 2 * message(7, b""), "expected an .onnx file with one graph, found 2"),
    ],
)
def test_other_formats_are_named(content, expected):
    """The first bytes tell the format. A file with two graphs, which a parser would merge, is rejected."""
    assert expected in refused(content)


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut():
    """The file is cut at 60 lengths; each raises a ModelError of one line."""
    model = light_model()
    for length in np.linspace(1, len(model) - 1, 60, dtype=int).tolist():
        line = refused(model[:length]) if _graph_ends(model) > length else None
        assert line is None or "cut off or damaged" in line or "one graph, found 0" in line


def _graph_ends(model):
    graph = onnx.load_from_string(model).graph.SerializeToString()
    return model.index(graph) + len(graph)


def test_random_bytes_are_refused_or_passed():
    """A thousand models with 3 random bytes replaced pass or raise ModelError, and no other error."""
    rng = np.random.default_rng(0)
    model = np.frombuffer(light_model(), np.uint8)
    found = 0
    for _ in range(1000):
        damaged = model.copy()
        damaged[rng.integers(0, len(model), 3)] = rng.integers(0, 256, 3)
        try:
            vet(damaged.tobytes(), "m.onnx")
        except ModelError:
            found += 1
    assert found > 200


def test_bombs_are_refused_before_they_are_parsed():
    """A million empty nodes, and value types that a parser expands a hundredfold, take seconds of the processor, not hours."""
    began = time.process_time()
    assert f"found more than {MOST_FIELDS:,} parts" in refused(message(7, message(1, b"") * (MOST_FIELDS + 1)))
    inside = message(13, b"\x0a\x00" * (MOST_SKIPPED_BYTES // 2 + 1))
    assert f"found more than {MOST_SKIPPED_BYTES:,} bytes that are not weights" in refused(message(7, inside))
    assert time.process_time() - began < 30


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path):
    """Its size alone suffices; the test uses a sparse file."""
    path = tmp_path / "m.onnx"
    path.touch()
    os.truncate(path, LARGEST_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match=r"m\.onnx: 2147483648 bytes are more than an \.onnx file can have"):
        Classifier.load(path)


def test_a_device_file_is_refused():
    """The size of a device is 0, so reading it would never end."""
    with pytest.raises(ModelError, match=r"/dev/zero: expected an \.onnx file, found a pipe or a device, which need not end"):
        Classifier.load("/dev/zero")


def test_a_foreign_graph_passes():
    """A graph without a card passes `vet`; the Classifier rejects it."""
    vet(light_graph().SerializeToString(), "m.onnx")


@pytest.mark.parametrize("seed", range(3))
def test_a_model_with_any_byte_changed_is_one_line_or_runs(seed):
    """1 to 4 random bytes are replaced, also in strings: only ModelError with one line may be raised."""
    rng = np.random.default_rng(seed)
    whole, lines = light_model(), []
    for i in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, len(content), 1 + i % 4):
            content[at] = rng.integers(0, 256)
        try:
            Classifier.from_bytes(bytes(content), "m.onnx", device="cpu").classify(np.zeros((9, 9), np.uint8))
        except ModelError as error:
            lines.append(str(error))
    assert lines
    assert not any("\n" in line for line in lines)


def test_texts_must_be_utf_8():
    """A string of the card, and the name of a free dimension."""
    model = light_model()
    assert "is not UTF-8" in refused(model.replace(b'"about"', b'"ab\xffut"'))
    assert "is not UTF-8" in refused(model.replace(b"\x12\x01N", b"\x12\x01\xdc", 1))
