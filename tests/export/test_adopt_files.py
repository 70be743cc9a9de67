"""Files of other tools: outputs of any shape, free dimensions, other number formats, and damaged graphs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_static

from edgecls import Classifier, ConfigError, EdgeclsError, ExportError, ModelError
from edgecls.export.adopt import Watching, adopt
from edgecls.export.adopt.forms import Scheme
from edgecls.export.adopt.preprocessing import Answers
from edgecls.export.quantize.ranges import reader
from tests import foreign

SAID = {"labels": "numbers", "color": "rgb", "values": "0..1"}
FLOAT = TensorProto.FLOAT


def colors(path, *, picture=("N", 3, 8, 8), shape=("N", 4), behind=(), drop=0):
    """Write a network with the outputs 7 and 20 times the means of red, green and blue, followed by the nodes `behind`.

    Its output declares `shape`; `drop` leaves out the first outputs.
    """
    weights = np.zeros((3, 4), np.float32)
    weights[:, 1:] = np.eye(3) * 20
    constants = {"w": weights[:, drop:], "b": np.array([7, 0, 0, 0], np.float32)[drop:]}
    constants |= {"last": np.array([-1], np.int64), "tail": np.array([-1, 4, 1, 1], np.int64)}
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"]),
    ]  # fmt: skip
    nodes += [
        helper.make_node(op, [f"t{i}" if i else "g", *more], [f"t{i + 1}"], **kept) for i, (op, more, kept) in enumerate(behind)
    ]
    nodes.append(helper.make_node("Identity", [f"t{len(behind)}" if behind else "g"], ["y"]))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", FLOAT, picture)], [value("y", FLOAT, shape)],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def taken(path, tmp_path, scheme=None, **answers):
    made = adopt(path, tmp_path / "o.onnx", Answers(**{**SAID, **answers}), scheme=scheme)
    return made, Classifier.load(tmp_path / "o.onnx", device="cpu")


RED = np.zeros((20, 20, 3), np.uint8)
RED[..., 2] = 255


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        ({"shape": (1, 4), "picture": (1, 3, 8, 8)}, {}),
        ({"shape": ("N", 4, 1, 1), "behind": [("Reshape", ["tail"], {})]}, {}),
        ({"picture": (-1, 3, 8, 8), "shape": (-1, 4)}, {}),
        ({"picture": (-1, 3, -1, -1), "shape": (-1, 4)}, {"size_hw": (8, 8)}),
        ({"picture": ("batch", "num_channels", "height", "width")}, {"size_hw": (8, 8), "layout": "nchw"}),
    ],
    ids=str,
)
def test_dimensions_as_exporters_write_them(tmp_path, given, answers):
    """A fixed batch, outputs of 1x1 pixels, Paddle's -1, and Hugging Face's four names."""
    _, classifier = taken(colors(tmp_path / "m.onnx", **given), tmp_path, **answers)
    assert classifier.classify(RED).label == "1"
    assert classifier.card.input.shape == (8, 8, 3)


@pytest.mark.parametrize(
    "given",
    [
        {"shape": (4,), "behind": [("Reshape", ["last"], {})], "picture": (1, 3, 8, 8)},
        {"shape": (None,), "behind": [("Reshape", ["last"], {})]},
        {"shape": (), "behind": [("ReduceMax", [], {"keepdims": 0})]},
        {"shape": ("N",), "behind": [("ArgMax", [], {"axis": 1, "keepdims": 0})]},
        {"shape": (1, 4), "behind": [("ReduceMean", [], {"axes": None})]},
    ],
    ids=str,
)
def test_an_output_without_a_row_per_picture_writes_no_broken_file(tmp_path, given):
    """The file is adopted and gives the right label, or refused with one line and nothing is written."""
    given = {
        **given,
        "behind": [(op, more, {k: v for k, v in kept.items() if v is not None}) for op, more, kept in given["behind"]],
    }
    path = colors(tmp_path / "m.onnx", **given)
    try:
        _, classifier = taken(path, tmp_path, output="logits")
    except EdgeclsError as error:
        line = str(error)
        classifier = None
    if classifier is None:
        assert "\n" not in line
        assert not (tmp_path / "o.onnx").exists()
    else:
        assert classifier.classify_batch([RED, RED])[1].label == "1"


def test_one_number_for_each_picture_is_two_labels(tmp_path):
    """The output has the shape (N,), as after a squeezed sigmoid."""
    behind = [("Sigmoid", [], {}), ("ReduceMax", ["one"], {"keepdims": 0})]
    path = colors(tmp_path / "m.onnx", shape=("N",), behind=behind)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    onnx.save(model, path)
    _, classifier = taken(path, tmp_path, output="probabilities")
    assert classifier.card.labels == ("0", "1")
    assert classifier.classify(RED).label == "1"


def test_two_inputs_are_refused(tmp_path):
    """The network takes a mask as well as a picture."""
    path = colors(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("mask", FLOAT, ["N", 8, 8]))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"expected one input for a picture, found 2 \(x, mask\)"):
        taken(path, tmp_path)


def test_a_file_that_is_quantized_already_keeps_its_scheme(tmp_path):
    """A file quantized by ONNX Runtime is adopted as int8 and not quantized again."""
    rng = np.random.default_rng(0)
    source = foreign.write(tmp_path / "float.onnx")
    fed = rng.random((32, 3, 8, 8)).astype(np.float32)
    data = reader(fed)
    given = iter([{"x": fed}])
    data.get_next = lambda: next(given, None)
    quantize_static(source, tmp_path / "m.onnx", data, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    made, classifier = taken(tmp_path / "m.onnx", tmp_path)
    assert (made.card.scheme, classifier.classify(RED).label) == ("int8", "1")
    with pytest.raises(ConfigError, match="it is quantized already, so leave `scheme` out"):
        taken(tmp_path / "m.onnx", tmp_path, Scheme("fp16"))


def test_a_file_in_float16_keeps_its_scheme(tmp_path):
    """The card has the scheme fp16, with its tolerance for golden pictures."""
    made, classifier = taken(foreign.write(tmp_path / "m.onnx", dtype=TensorProto.FLOAT16), tmp_path)
    assert (made.card.scheme, classifier.classify(RED).label) == ("fp16", "1")


def test_edgecls_models_are_refused(tmp_path):
    """The message says that the file can be used directly."""
    taken(colors(tmp_path / "m.onnx"), tmp_path)
    with pytest.raises(ModelError, match="it is an edgecls model already, with its card; use it as it is"):
        adopt(tmp_path / "o.onnx", tmp_path / "again.onnx", Answers(**SAID))


def test_the_input_file_is_not_overwritten(tmp_path):
    """By its name, through a symbolic link, and through a hard link."""
    path = colors(tmp_path / "m.onnx")
    (tmp_path / "soft.onnx").symlink_to(path)
    (tmp_path / "hard.onnx").hardlink_to(path)
    before = path.read_bytes()
    for out in ("m.onnx", "soft.onnx", "hard.onnx"):
        with pytest.raises(ConfigError, match="it is the input file"):
            adopt(path, tmp_path / out, Answers(**SAID))
    assert path.read_bytes() == before


def test_all_missing_settings_are_named_at_once(tmp_path):
    """The message names labels, color, values and calibration."""
    with pytest.raises(ConfigError) as caught:
        adopt(colors(tmp_path / "m.onnx"), tmp_path / "o.onnx", Answers(), scheme=Scheme("int8"))
    assert all(f"`{name}=" in str(caught.value) for name in ("labels", "color", "values", "calibration"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Class folders dark, red, green and blue."""
    return foreign.write_pictures(tmp_path_factory.mktemp("colors") / "pictures", count=12)


def test_without_check_pictures_the_calibration_pictures_decide(tmp_path, pictures, monkeypatch):
    """The agreement is measured on the calibration pictures, and a scheme that changes too many labels is refused."""
    source = foreign.write(tmp_path / "m.onnx")
    made, classifier = taken(source, tmp_path, Scheme("int8", str(pictures)))
    assert (made.agreement, classifier.card.scheme) == (1, "int8")
    (tmp_path / "o.onnx").unlink()
    from edgecls.export.adopt import forms

    monkeypatch.setitem(forms.SCHEMES, "int8", lambda model, _pictures: broken(model))
    with pytest.raises(
        ExportError, match=r"int8: [0-9.]+ % of 48 pictures get another label than in float, expected at most 0\.5"
    ):
        taken(source, tmp_path, Scheme("int8", str(pictures)))
    assert not (tmp_path / "o.onnx").exists()


def broken(model):
    """Copy a graph so that it gives blue for every picture."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if list(tensor.dims) == [4]:
            tensor.CopyFrom(numpy_helper.from_array(np.array([0, 0, 0, 90], np.float32), tensor.name))
    return copy


def test_auto_chooses_the_best_scheme_that_passes(tmp_path, pictures):
    """It chooses one of the schemes and reports the agreement of each."""
    lines = []
    made = adopt(
        foreign.write(tmp_path / "m.onnx"), tmp_path / "o.onnx", Answers(**SAID), scheme=Scheme("auto", str(pictures)),
        watching=Watching(lines.append),
    )  # fmt: skip
    assert made.card.scheme in ("fp32", "fp16", "int8", "int8-tensor", "int8-percentile", "int8-entropy")
    assert any(line.startswith("int8: the same label on ") for line in lines)
    assert Classifier.load(tmp_path / "o.onnx").classify(RED).label == "1"


def _circle(model):
    """Let the last node read its own output."""
    model.graph.node[-1].input[0] = "y"


def _long(model):
    """Give a tensor more numbers than its dimensions have."""
    model.graph.initializer[0].raw_data += bytes(4)


def _elsewhere(model):
    """Give a tensor numbers of another type than it declares."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.int64_data.extend([1] * 81)


def _bare(model):
    """Remove the inputs of the last node."""
    del model.graph.node[-1].input[:]


def _empty_constant(model):
    """Add a Constant without a value."""
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"]))


def _twice(model):
    """Let two nodes write the same tensor."""
    model.graph.node.append(model.graph.node[-1])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("damage", [_circle, _long, _elsewhere, _bare, _empty_constant, _twice])
def test_a_damaged_graph_is_refused(tmp_path, damage):
    """It is refused before any code walks the graph, which might never end."""
    model = foreign.graph()
    damage(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"m\.onnx: "):
        taken(path, tmp_path, output="logits")
    assert not (tmp_path / "o.onnx").exists()
