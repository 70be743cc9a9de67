"""Classifiers of other tools are converted to edgecls models that give the same results."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecls import Classifier, ConfigError, ExportError, ModelError, image
from edgecls.export.adopt import Check, Watching, adopt, graph
from edgecls.export.adopt.forms import Scheme
from edgecls.export.adopt.preprocessing import VALUES, Answers, Feed
from edgecls.export.adopt.preprocessing_search import Tried, clearly_better
from edgecls.export.adopt.probe_images import drawn
from edgecls.model.golden import GOLDEN_KEY
from tests import foreign

SAID = {"color": "rgb", "values": "0..1"}
CENTER = {"imagenet": (0.485, 0.456, 0.406), "-1..1": (0.5, 0.5, 0.5)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Class folders dark, red, green and blue, 30 pictures each."""
    return foreign.write_pictures(tmp_path_factory.mktemp("colors") / "pictures")


@pytest.fixture
def labels(tmp_path):
    """Return a file with their names."""
    (tmp_path / "labels.txt").write_text("\n".join(foreign.LABELS))
    return str(tmp_path / "labels.txt")


@pytest.fixture
def adopted(tmp_path, labels):
    """Return a function that writes a graph with the given properties and adopts it: (Adopted, Classifier, lines)."""

    def call(answers=SAID, *, check="", scheme=None, force=False, **given):
        source = foreign.write(tmp_path / "foreign.onnx", **given)
        lines = []
        made = adopt(
            source, tmp_path / "m.onnx", Answers(**{"labels": labels, **answers}),
            check=Check(str(check), force=force), scheme=scheme, watching=Watching(lines.append),
        )  # fmt: skip
        return made, Classifier.load(tmp_path / "m.onnx", device="cpu"), lines

    return call


def sees(classifier):
    """Return whether a classifier gives the right label for 20 new pictures."""
    rng = np.random.default_rng(5)
    return all(classifier.classify(foreign.picture(label, rng)).label == label for label in foreign.LABELS * 5)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ending": "Softmax"},
        {"ending": "LogSoftmax"},
        {"layout": "nhwc"},
        {"batch": 1, "reshape": (1, 3)},
        {"batch": 1, "reshape": (1, -1)},
        {"batch": 4, "reshape": (4, 3)},
        {"opset": 7, "batch": 1, "reshape": (1, 3)},
        {"opset": 9, "ending": "Softmax"},
        {"opset": 12, "ending": "LogSoftmax"},
        {"opset": 21},
        {"extra": (1,)},
        {"extra": (1,), "layout": "nhwc"},
        {"dtype": TensorProto.FLOAT16},
        {"names": ("image", "probabilities")},
    ],
    ids=str,
)
def test_an_adopted_classifier_gives_the_same_probabilities(adopted, given, tmp_path):
    """For every layout, batch size, opset, ending and type, single pictures and batches give the probabilities of the file, and
    the batch axis is free.
    """
    made, classifier, _ = adopted(**given)
    assert sees(classifier)
    tolerance = 5e-3 if "dtype" in given else 1e-6
    assert made.largest_difference < tolerance
    session = onnxruntime.InferenceSession(str(tmp_path / "foreign.onnx"), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    size = taken.shape[0] if isinstance(taken.shape[0], int) else 7
    batch = drawn((8, 8, 3))[:size]
    fed = batch / np.float32(255)
    fed = fed if given.get("layout") == "nhwc" else fed.transpose(0, 3, 1, 2)
    fed = fed.reshape(size, *taken.shape[1:]).astype(np.float16 if taken.type == "tensor(float16)" else np.float32)
    expected = session.run(None, {taken.name: fed})[0].astype(np.float64)
    ending = given.get("ending", "logits")
    expected = np.exp(expected) if ending != "Softmax" else expected
    expected /= expected.sum(axis=1, keepdims=True)
    assert classifier.probabilities(batch) == pytest.approx(expected, abs=tolerance)
    assert classifier.probabilities(batch[:1])[0] == pytest.approx(expected[0], abs=tolerance)
    held = onnx.load(made.out)
    assert held.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert held.opset_import[0].version == max(18, given.get("opset", 18))


@pytest.mark.parametrize(
    ("answers", "given"),
    [
        ({"color": "bgr", "values": "0..1"}, {"order": "bgr"}),
        ({"color": "rgb", "values": "0..255"}, {"unit": 255}),
        ({"color": "rgb", "values": "-1..1"}, {"unit": 2, "center": CENTER["-1..1"]}),
        ({"color": "rgb", "values": "imagenet"}, {"unit": 4.4, "center": CENTER["imagenet"]}),
        ({"color": "bgr", "values": "imagenet"}, {"unit": 4.4, "center": CENTER["imagenet"][::-1], "order": "bgr"}),
        ({"color": "rgb", "values": "0..1", "mean": (0.5, 0.4, 0.3), "std": (0.25,)}, {"unit": 4, "center": (0.5, 0.4, 0.3)}),
        ({"color": "rgb", "values": "0..255", "mean": (128.0,)}, {"unit": 255, "center": (128 / 255,) * 3}),
    ],
    ids=str,
)
@pytest.mark.parametrize("scheme", ["fp32", "int8"])
def test_scaling_moves_into_the_graph(adopted, pictures, answers, given, scheme):
    """Every range and channel order, in float and in int8: the input is uint8, and the labels are right."""
    made, classifier, _ = adopted(answers, check=pictures, scheme=Scheme(scheme, str(pictures)), **given)
    assert sees(classifier)
    assert made.card.scheme == scheme
    assert made.card.metrics["top1"] == 1
    assert made.agreement == 1
    assert classifier.card.input.color == answers["color"]


def test_one_factor_is_one_product(adopted):
    """The range 0..1 is a Mul after the Cast, which int8 removes; a mean needs a Sub and a Div."""
    made, _, _ = adopted()
    assert [n.op_type for n in onnx.load(made.out).graph.node][:3] == ["Cast", "Mul", "Transpose"]
    made, _, _ = adopted({"color": "rgb", "values": "imagenet"}, unit=4.4, center=CENTER["imagenet"])
    assert [n.op_type for n in onnx.load(made.out).graph.node][:4] == ["Cast", "Sub", "Div", "Transpose"]


def test_int8_reads_the_uint8_picture_directly(adopted, pictures):
    """In int8 the picture is not converted to float and back before the first convolution."""
    made, _, _ = adopted(scheme=Scheme("int8", str(pictures)))
    kinds = [n.op_type for n in onnx.load(made.out).graph.node]
    assert "Mul" not in kinds
    assert "Cast" not in kinds
    made, _, _ = adopted(
        {"color": "rgb", "values": "imagenet"}, scheme=Scheme("int8", str(pictures)), unit=4.4, center=CENTER["imagenet"]
    )
    nodes = onnx.load(made.out).graph.node
    path = ["levels"]
    while reads := [n for n in nodes if path[-1] in n.input and n.op_type != "QuantizeLinear"]:
        path.append(reads[0].output[0])
    assert [n.op_type for name in path[1:] for n in nodes if name in n.output] == ["Sub", "Div", "Transpose"]


def test_int8_leaves_the_logits_in_float(adopted, pictures):
    """Softmax reads the output of the last layer, which is not rounded to 256 levels."""
    made, _, _ = adopted(scheme=Scheme("int8", str(pictures)))
    nodes = onnx.load(made.out).graph.node
    (softmax,) = [n for n in nodes if n.op_type == "Softmax"]
    assert [n.op_type for n in nodes if softmax.input[0] in n.output] == ["Gemm"]


def test_the_card_names_the_origin_of_the_model(adopted, tmp_path):
    """The card has the name and the sha256 of the file, its tool and its preprocessing. The file has golden pictures."""
    made, classifier, lines = adopted({**SAID, "fit": "letterbox", "interpolation": "linear"})
    card = classifier.card
    assert card == made.card
    assert card.labels == foreign.LABELS
    assert (card.input.fit, card.input.interpolation) == ("letterbox", "linear")
    assert card.made_with["adopted_from"] == "foreign.onnx"
    assert card.made_with["adopted_sha256"] == hashlib.sha256((tmp_path / "foreign.onnx").read_bytes()).hexdigest()
    assert card.made_with["adopted_kind"] == "ONNX opset 18 by tests"
    assert card.made_with["adopted_as"] == "rgb, 0..1; nchw; gives logits, softmax put behind"
    assert {"edgecls", "onnx", "onnxruntime"} <= set(card.made_with)
    assert GOLDEN_KEY in {entry.key for entry in onnx.load(made.out).metadata_props}
    assert lines[-1] == (
        "taken: rgb, 0..1, 8x8, nchw, gives logits, softmax put behind; pictures are fitted by letterbox, linear"
    )


def test_adopting_twice_gives_the_same_file(adopted):
    """The file does not depend on the time or on a random number."""
    first = adopted()[0].out.read_bytes()
    assert adopted()[0].out.read_bytes() == first


@pytest.mark.parametrize(
    ("answers", "given", "expected"),
    [
        (
            {"labels": ""},
            {},
            "`labels=FILE` (4 labels, one per line; or numbers); `color=rgb|bgr`; `values=0..1|0..255|-1..1|imagenet` (or with "
            "`mean` and `std`); or give `check=DATA`, labelled pictures that show colour and values",
        ),
        ({"color": "rgb"}, {}, "`values=0..1|0..255|-1..1|imagenet` (or with `mean` and `std`); or give `check=DATA`"),
        ({"color": "rgb", "mean": (0.5,)}, {}, "`values=0..1|0..255`; or give `check=DATA`"),
        ({"values": "0..1"}, {}, "`color=rgb|bgr`; or give `check=DATA`"),
        (SAID, {"side": "S"}, "`size_hw`, the size of its pictures in pixels (it takes any)"),
        (SAID, {"side": 3}, "`layout=nchw|nhwc` (its input is [0, 3, 3, 3])"),
        (SAID, {"ending": "Square"}, "`output=logits|probabilities` (its last operator is Mul)"),
        (
            {"labels": ""},
            {"side": 3, "ending": "Square"},
            "`layout=nchw|nhwc` (its input is [0, 3, 3, 3]); `labels=FILE` (one label per line; or numbers); "
            "`color=gray|rgb|bgr`; `values=0..1|0..255|-1..1|imagenet` (or with `mean` and `std`); "
            "`output=logits|probabilities` (its last operator is Mul); "
            "or give `check=DATA`, labelled pictures that show colour and values",
        ),
    ],
)
def test_missing_settings_are_named(adopted, tmp_path, answers, given, expected):
    """The message has each missing setting with its possible values; nothing is written."""
    with pytest.raises(ConfigError) as caught:
        adopted(answers, **given)
    start = f"{tmp_path / 'foreign.onnx'}: give what the file does not contain: {expected}"
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("; nothing was written")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("answers", "given", "expected"),
    [
        ({**SAID, "output": "probabilities"}, {"ending": "Square"}, "its outputs are not probabilities: they are between "),
        ({**SAID, "output": "logits"}, {"ending": "Softmax"}, "its last operator is Softmax, so its outputs are not logits"),
        (SAID, {"ending": "Sigmoid"}, "its last operator is Sigmoid, a yes or no for each of 4 labels"),
        ({**SAID, "color": "gray"}, {}, "its pictures have 3 channels, which does not fit `color=gray`"),
        ({**SAID, "size_hw": (9, 9)}, {}, "its input is [0, 3, 8, 8], which does not fit `size_hw`: 9x9 pixels"),
        ({**SAID, "output_name": "z"}, {}, "`output_name=z`: expected one of y"),
    ],
)
def test_answers_that_contradict_the_file_are_refused(adopted, answers, given, expected):
    """Answers that do not fit the last operator, the outputs or the input, and a network with one probability per label."""
    with pytest.raises((ConfigError, ModelError)) as caught:
        adopted(answers, **given)
    assert expected in str(caught.value)


@pytest.mark.parametrize("opset", [9, 17])
def test_a_class_token_is_repeated_for_each_picture(tmp_path, labels, opset):
    """A constant for one picture is concatenated with the features, as in vision transformers exported with batch size 1."""
    model = foreign.graph(batch=1, reshape=(1, 3), opset=opset)
    model.graph.node[2].output[0] = "features"
    model.graph.node.insert(3, helper.make_node("Concat", ["token", "features"], ["row"], axis=1))
    model.graph.node.insert(3, helper.make_node("Expand", ["one", "dims2"], ["token"]))
    model.graph.initializer.append(numpy_helper.from_array(np.full((1, 1), 7, np.float32), "one"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2]), "dims2"))
    for i in model.graph.initializer:
        if i.name == "weights":
            wider = np.concatenate([np.zeros((4, 2), np.float32), numpy_helper.to_array(i)], axis=1)
            i.CopyFrom(numpy_helper.from_array(wider, "weights"))
    onnx.save(model, tmp_path / "f.onnx")
    adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", Answers(labels, **SAID))
    classifier = Classifier.load(tmp_path / "m.onnx", device="cpu")
    assert sees(classifier)
    batch = drawn((8, 8, 3))
    alone = np.concatenate([classifier.probabilities(one[None]) for one in batch])
    assert classifier.probabilities(batch) == pytest.approx(alone, abs=1e-6)


def test_a_number_of_pictures_that_cannot_be_freed_is_refused(tmp_path, labels):
    """The graph slices the first picture out of its input, so that a batch of three gives one result."""
    model = foreign.graph(batch=1, names=("cut", "y"))
    model.graph.node.insert(0, helper.make_node("Slice", ["x", "from", "to", "from"], ["cut"]))
    model.graph.initializer.extend(numpy_helper.from_array(np.array([n]), name) for n, name in ((0, "from"), (1, "to")))
    model.graph.input[0].name = "x"
    onnx.save(model, tmp_path / "f.onnx")
    with pytest.raises(ModelError) as caught:
        adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", Answers(labels, **SAID))
    assert "f.onnx: it takes 1 picture at a time, and cannot be changed to take any number (" in str(caught.value)
    assert str(caught.value).endswith("; export it again with a free batch axis")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"color": "yuv"}, "`color=yuv`: expected one of gray, rgb, bgr"),
        ({"values": "0-1"}, "`values=0-1`: expected one of 0..1, 0..255, -1..1, imagenet"),
        ({"mean": (1.0, 2.0)}, "`mean=1.0,2.0`: expected one number or three"),
        ({"std": (0.0,)}, "`std=0.0`: expected one number or three, above 0"),
        ({"mean": (float("nan"),)}, "`mean=nan`: expected one number or three"),
        ({"values": "imagenet", "mean": (0.5,)}, "`values=imagenet` already has a mean and a std; use 0..1 or 0..255"),
    ],
)
def test_invalid_answers_are_refused(answers, expected):
    """Each message has the allowed values."""
    with pytest.raises(ConfigError) as caught:
        Answers(**answers)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "rgb, 0..1"),
        ({"order": "bgr"}, "bgr, 0..1"),
        ({"unit": 255}, "rgb, 0..255"),
    ],
)
def test_the_check_finds_settings_that_were_not_given(adopted, pictures, given, found):
    """One of eight preprocessings is clearly the best: it is used, reported, and its accuracy is on the card."""
    made, classifier, lines = adopted({}, check=pictures, **given)
    assert str(made.feed) == found
    assert any(line.startswith(f"taken: {found}, 8x8") for line in lines)
    assert made.card.metrics["top1"] == 1
    assert made.card.measured_on.startswith("120 check pictures (sha256:")
    assert sees(classifier)


def test_a_wrong_answer_is_found_by_the_check(adopted, pictures, tmp_path):
    """BGR is given for a network that was trained on RGB: the message names the right settings, and nothing is written. With
    force the wrong answer is used.
    """
    answers = {"color": "bgr", "values": "0..1"}
    with pytest.raises(ConfigError) as caught:
        adopted(answers, check=pictures)
    assert str(caught.value) == (
        f"{tmp_path / 'foreign.onnx'}: rgb, 0..1 (100.0%) fits clearly better than bgr, 0..1 (50.0%) on 120 check pictures; "
        "use `color=rgb` `values=0..1`, or `force` to keep the given settings; nothing was written"
    )
    assert not (tmp_path / "m.onnx").exists()
    made, _, _ = adopted(answers, check=pictures, force=True)
    assert made.card.metrics["top1"] == 0.5


def test_a_wrong_mean_is_found_by_the_check(adopted, pictures):
    """A given mean is tried as well as the usual ones."""
    with pytest.raises(ConfigError, match=r"rgb, 0\.\.1 \(100\.0%\) fits clearly better than rgb, 0\.\.1, mean 0\.5 \("):
        adopted({**SAID, "mean": (0.5,)}, check=pictures)


def test_the_user_must_choose_between_equally_good_preprocessings(adopted, pictures):
    """-1..1 and imagenet are equally good for these pictures: the message names both, and the setting that decides."""
    with pytest.raises(ConfigError) as caught:
        adopted({}, check=pictures, unit=2, center=CENTER["-1..1"])
    assert "the check cannot distinguish rgb, -1..1 (100.0%) and rgb, imagenet (100.0%); choose " in str(caught.value)
    assert "choose `values=-1..1|imagenet`, or check with more pictures; nothing was written" in str(caught.value)


def test_labels_in_a_wrong_order_are_found_by_the_check(adopted, pictures, tmp_path):
    """No preprocessing is better than the same label for all pictures."""
    (tmp_path / "mixed.txt").write_text("red\ndark\nblue\ngreen\n")
    with pytest.raises(ConfigError, match=r"is no better than the same label for all 120 check pictures .*order of the labels"):
        adopted({**SAID, "labels": str(tmp_path / "mixed.txt")}, check=pictures)


def test_clearly_better_is_more_than_chance():
    """3 of 100 pictures or 3 of 10 may be chance, 20 of 100 are clear, and 0.25 % of 20,000 are too little."""

    def tried(right, of):
        return Tried(Feed("rgb", "0..1"), True, np.arange(of) < right)

    assert not clearly_better(tried(53, 100), tried(50, 100))
    assert not clearly_better(tried(6, 10), tried(3, 10))
    assert clearly_better(tried(70, 100), tried(50, 100))
    assert not clearly_better(tried(10_050, 20_000), tried(10_000, 20_000))
    assert not clearly_better(tried(50, 100), tried(70, 100))


def test_labels_must_fit(adopted, tmp_path, labels):
    """Too few labels, a label twice, and a missing file are refused; "numbers" makes labels 0, 1, ..."""
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    (tmp_path / "twice.txt").write_text("a\nb\nc\na\n")
    for name, expected in (
        ("three.txt", "three.txt` has 3 labels, the network distinguishes 4; expected one for each"),
        ("twice.txt", "labels must differ, 'a' is in"),
        ("none.txt", "cannot be read"),
    ):
        with pytest.raises(ModelError, match=expected):
            adopted({**SAID, "labels": str(tmp_path / name)})
    assert adopted({**SAID, "labels": "numbers"})[1].card.labels == ("0", "1", "2", "3")


def test_a_free_size_is_given(adopted):
    """The graph takes any size; the written file takes the given one."""
    _, classifier, _ = adopted({**SAID, "size_hw": (12, 10)}, side="S")
    assert classifier.card.input.shape == (12, 10, 3)
    assert sees(classifier)


def test_an_ambiguous_layout_is_given(adopted):
    """The pictures have 3x3 pixels and 3 channels."""
    _, classifier, _ = adopted({**SAID, "layout": "nchw"}, side=3)
    assert sees(classifier)


def test_old_operators_stay_if_onnx_cannot_convert_them(adopted, monkeypatch):
    """The graph keeps its opset, which is reported."""
    monkeypatch.setattr(graph, "modern", lambda model: None)
    made, classifier, lines = adopted(opset=9)
    assert sees(classifier)
    assert onnx.load(made.out).opset_import[0].version == 9
    assert "its operators stay those of opset 9: onnx cannot convert them to 18" in lines


def test_a_wrong_conversion_by_onnx_is_not_used(adopted, monkeypatch):
    """The converted graph is compared with the file; if its outputs differ, the old operators stay."""
    modern = graph.modern

    def wrong(model):
        changed = modern(model)
        for weights in (i for i in changed.graph.initializer if i.name == "weights"):
            weights.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(weights), "weights"))
        return changed

    monkeypatch.setattr(graph, "modern", wrong)
    _, classifier, lines = adopted(opset=9)
    assert sees(classifier)
    assert any("its operators stay those of opset 9: with 1 at once, its outputs are off by" in line for line in lines)


def test_a_wrong_result_is_not_written(adopted, monkeypatch, tmp_path):
    """The graph gets another preprocessing than the chosen one, which the comparison with the file detects."""
    right = graph.as_edgecls
    monkeypatch.setattr(graph, "as_edgecls", lambda m, p, feed, *rest: right(m, p, Feed("rgb", "-1..1"), *rest))
    with pytest.raises(ExportError, match=r"the converted model gives other results, by up to .*nothing was written"):
        adopted()
    assert not (tmp_path / "m.onnx").exists()


def test_a_scheme_that_loses_too_much_is_not_written(adopted, pictures, tmp_path, monkeypatch):
    """The loss on the check pictures is above max_drop, and the message says how large it is."""
    from edgecls.export.adopt import forms as module

    monkeypatch.setitem(module.SCHEMES, "int8", lambda model, batch: spoiled(model))
    with pytest.raises(ExportError, match=r"int8: 75\.00 points of accuracy are lost against float .*expected at most 0\.5"):
        adopted(check=pictures, scheme=Scheme("int8", str(pictures)))
    assert not (tmp_path / "m.onnx").exists()


def spoiled(model):
    """Copy a graph so that it gives the first label for every picture."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for weights in changed.graph.initializer:
        if weights.name.endswith("offsets"):
            weights.CopyFrom(numpy_helper.from_array(np.float32([1e6, 0, 0, 0]), weights.name))
    return changed


def test_schemes_are_checked_first(adopted):
    """An unknown scheme is refused, and int8 without calibration pictures."""
    with pytest.raises(ConfigError, match="scheme 'int4' is not known"):
        adopted(scheme=Scheme("int4"))
    with pytest.raises(ConfigError, match=r"`calibration=DATA` \(pictures to calibrate `scheme=int8` with\)"):
        adopted(scheme=Scheme("int8"))


def test_one_output_is_two_labels(tmp_path):
    """A network with one output gives the probability of the second label, or its logit."""
    (tmp_path / "labels.txt").write_text("dark\nbright\n")
    for ending in ("Sigmoid", "Identity"):
        nodes = [
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["row"]),
            helper.make_node("Gemm", ["row", "w", "b"], ["score"]),
            helper.make_node(ending, ["score"], ["y"]),
        ]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])]
        weights = [numpy_helper.from_array(np.float32([[8]]), "w"), numpy_helper.from_array(np.float32([-4]), "b")]
        made = helper.make_graph(nodes, "g", inputs, outputs, weights)
        onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "f.onnx")
        adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", Answers(str(tmp_path / "labels.txt"), values="0..1"))
        classifier = Classifier.load(tmp_path / "m.onnx")
        assert classifier.card.input.color == "gray"
        black, white = np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8)
        assert classifier.classify(black).label == "dark"
        assert classifier.classify(white).top[0] == ("bright", pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6))


@pytest.mark.parametrize("dims", [["N", 64], ["N", 8, 8], ["N", 1, 8, 8], ["N", 8, 8, 1], [1, 64]])
def test_gray_pictures_in_every_form(tmp_path, dims):
    """The input is a row of values, a plane, or has a channel axis; the label depends on which half is bright."""
    weights = np.zeros((64, 2), np.float32)
    weights[:32, 0] = weights[32:, 1] = 1  # upper half, lower half
    nodes = [helper.make_node("Reshape", ["x", "r"], ["row"]), helper.make_node("MatMul", ["row", "w"], ["y"])]
    initializers = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([-1, 64]), "r")]
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [dims[0], 2])], initializers,
    )  # fmt: skip
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "f.onnx")
    answers = Answers("numbers", size_hw=(8, 8), values="0..1")
    adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", answers)
    classifier = Classifier.load(tmp_path / "m.onnx")
    picture = np.zeros((8, 8), np.uint8)
    picture[:4] = 255
    assert [classifier.classify(p).label for p in (picture, picture[::-1])] == ["0", "1"]


def test_a_network_with_uint8_input_gets_no_scaling(tmp_path, pictures):
    """The graph scales the levels itself; the check finds its colour."""
    model = foreign.graph(names=("inside", "y"))
    model.graph.node.insert(0, helper.make_node("Cast", ["levels"], ["float"], to=TensorProto.FLOAT))
    model.graph.node.insert(1, helper.make_node("Div", ["float", "full"], ["inside"]))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(255), "full"))
    model.graph.input[0].name = "levels"
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(model, tmp_path / "f.onnx")
    (tmp_path / "labels.txt").write_text("\n".join(foreign.LABELS))
    answers = Answers(str(tmp_path / "labels.txt"))
    made = adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", answers, check=Check(str(pictures)))
    assert str(made.feed) == "rgb, 0..255"
    assert made.card.metrics["top1"] == 1


def test_one_of_several_outputs_is_named(tmp_path, labels):
    """Without a name the message lists the outputs."""
    model = foreign.graph()
    model.graph.output.append(helper.make_tensor_value_info("means", TensorProto.FLOAT, ["N", 3, 1, 1]))
    onnx.save(model, tmp_path / "f.onnx")
    with pytest.raises(ConfigError, match=r"`output_name=y\|means`; nothing was written"):
        adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", Answers(labels, **SAID))
    adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", Answers(labels, **SAID, output_name="y"))
    assert sees(Classifier.load(tmp_path / "m.onnx"))


def test_malicious_files_are_refused_before_onnx_loads_them(tmp_path, monkeypatch):
    """A foreign file gets the same checks as a model of edgecls."""
    model = foreign.graph()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    (tmp_path / "f.onnx").write_bytes(model.SerializeToString())
    monkeypatch.setattr(onnx, "load_from_string", None)
    with pytest.raises(ModelError, match=r"f\.onnx: its tensor 'box' is stored in another file \(external data\)"):
        adopt(tmp_path / "f.onnx", tmp_path / "m.onnx", Answers("numbers", **SAID))


def test_the_values_are_those_of_the_libraries():
    """Compare with torchvision's ToTensor and Normalize and Keras' preprocess_input (mode tf), by hand for the level 100."""
    level = np.full((1, 1, 1, 3), 100, np.uint8)
    assert Feed("rgb", "imagenet").of(level)[0, 0, 0] == pytest.approx(
        [(100 / 255 - m) / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)], abs=1e-6
    )
    assert Feed("bgr", "imagenet").of(level)[0, 0, 0, 0] == pytest.approx((100 / 255 - 0.406) / 0.225, abs=1e-6)
    assert Feed("rgb", "-1..1").of(level)[0, 0, 0] == pytest.approx(100 / 127.5 - 1, abs=1e-6)
    assert set(VALUES) == {"0..1", "0..255", "-1..1", "imagenet"}


def test_the_classifier_preprocesses_pictures_like_the_check(adopted, pictures):
    """The classifier gives the right label for a picture that the check measured."""
    _, classifier, _ = adopted(check=pictures)
    picture = image.load(pictures / "red" / "000.png")
    assert classifier.classify(picture).label == "red"
