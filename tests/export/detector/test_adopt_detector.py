"""Detectors of other tools, adopted: what is recognised, what is asked for, what is refused."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgecls import Classifier, ConfigError, Detector, ExportError, ModelError, adopt_detector, adopt_model, image
from edgecls.detect.decoders.table import KINDS
from edgecls.export.adopt.preprocessing import Feed
from edgecls.export.detector import adopt_detector as module
from tests.detect.drawn_outputs import DRAWN, FRAMES_HW, LOW, SIZE_HW, drawn
from tests.detect.oracles import ORACLES
from tests.detect.test_decoders import assert_same
from tests.detect.tiny import COLORS, ULTRALYTICS, color_graph, constant_graph, painted
from tests.tiny import light_graph, light_model

NAMES = ("car", "van", "bus", "person", "dog")


@pytest.fixture
def names(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES), "utf-8")
    return tmp_path / "names.txt"


def saved(tmp_path, model, name="theirs.onnx"):
    onnx.save(model, tmp_path / name)
    return tmp_path / name


def adopted(tmp_path, model, **settings):
    return adopt_detector(saved(tmp_path, model), tmp_path / "out.onnx", **settings)


@pytest.mark.parametrize("kind", DRAWN)
def test_every_kind_is_adopted_and_finds_what_the_maker_finds(kind, tmp_path, names):
    """From the file to the boxes in a frame, by the outputs alone."""
    made = adopted(tmp_path, constant_graph(drawn(kind), SIZE_HW), classes=names)
    row = KINDS[kind]
    assert (made.card.kind, made.card.classes, made.same) == (kind, NAMES, 1.0)
    assert (made.card.input.color, made.card.input.fit) == (row.color, row.fit)
    detector = Detector.load(made.out, device="cpu")
    for frame_hw in FRAMES_HW:
        found = detector.detect(image.as_frame(painted(frame_hw), "", 0, time_s=0.0, captured_at=0.0), low=LOW)
        rows = np.concatenate([found.corners, found.scores[:, None], found.class_ids[:, None]], axis=1)
        assert_same(rows, ORACLES[kind](drawn(kind), SIZE_HW, frame_hw, LOW))


def test_the_metadata_of_ultralytics_is_read(tmp_path):
    """Names and licence; nothing need be said."""
    card = adopted(tmp_path, color_graph(ULTRALYTICS)).card
    assert (card.kind, card.classes, card.values) == ("rt-detr-rows", COLORS, "0..1")
    assert card.about == "Ultralytics rtdetr-l model; AGPL-3.0 License"
    assert card.made_with["adopted_from"] == "theirs.onnx"


def test_the_preprocessing_that_is_said_goes_into_the_graph(tmp_path):
    """The same network, fed blue-green-red by mistake, finds blue where red is."""
    made = adopted(tmp_path, color_graph(ULTRALYTICS), color="bgr", fit="letterbox", interpolation="area")
    assert (made.card.input.color, made.card.input.fit, made.card.input.interpolation) == ("bgr", "letterbox", "area")
    (found,) = Detector.load(made.out, device="cpu").find(painted((64, 96), red=(10, 10, 40, 40)))
    assert found.name == "blue"


def test_a_detector_of_any_size_gets_that_of_the_metadata_or_the_setting(tmp_path):
    """Without either it is asked for."""
    free = ["N", 3, "height", "width"]
    model = constant_graph({"output0": drawn("yolo")["output0"]}, SIZE_HW, input_dims=free)
    helper.set_model_props(model, {**ULTRALYTICS, "description": "", "names": str(dict(enumerate(NAMES)))})
    assert adopted(tmp_path, model).card.input.size_hw == SIZE_HW
    del model.metadata_props[:]
    with pytest.raises(ConfigError, match=r"its input images is \[0, 3, 0, 0\]; say `size_hw`"):
        adopted(tmp_path, model)
    assert adopted(tmp_path, model, size_hw=SIZE_HW, classes="numbers").card.classes == tuple("01234")


def test_a_second_input_for_the_size_of_the_frame_becomes_that_of_the_input(tmp_path, names):
    """As the exports of RT-DETR and D-FINE have it: boxes are scaled to (width, height)."""
    found = drawn("rt-detr")
    scale = np.array([96, 64] * 2, np.float32)
    model = constant_graph({**found, "boxes": found["boxes"] / scale}, SIZE_HW)
    graph = model.graph
    graph.node.extend([
        helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["size", "size"], ["sizes"], axis=1),
        helper.make_node("Mul", ["fractions", "sizes"], ["boxes"]),
    ])  # fmt: skip
    next(node for node in graph.node if "boxes" in node.output and node.op_type == "Add").output[0] = "fractions"
    graph.input.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
    made = adopted(tmp_path, model, classes=names)
    assert made.card.kind == "rt-detr"
    boxes = Detector.load(made.out, device="cpu").find(painted(SIZE_HW), score=LOW)
    assert len(boxes) == (found["scores"] > LOW).sum()
    best = found["boxes"][0, found["scores"][0].argmax()]
    assert np.abs(np.clip(best, 0, scale) - boxes[0].box).max() <= 0.5


def test_levels_are_divided_by_255_to_the_last_bit(tmp_path):
    """As makers do. A product with 1/255 differs in the last bit, and a graph that is int8 makes other scores of it."""
    made = adopted(tmp_path, color_graph(ULTRALYTICS))
    graph = onnx.load(made.out).graph
    cast, scaled = graph.node[:2]
    (divisor,) = (onnx.numpy_helper.to_array(i) for i in graph.initializer if i.name in scaled.input)
    levels = np.arange(256, dtype=np.float32)
    assert (cast.op_type, scaled.op_type) == ("Cast", "Div")
    assert (levels / divisor == levels / np.float32(255)).all()
    fed = Feed("rgb", "0..1", divides=True).of(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1))
    assert (fed.ravel() == levels / np.float32(255)).all()


@pytest.mark.parametrize(("kind", "boxes"), [("yolo", np.s_[:, :4]), ("yolo-nms", np.s_[..., :4]), ("yolov5", np.s_[..., :4])])
def test_boxes_in_fractions_of_the_input_become_pixels(kind, boxes, tmp_path, names):
    """Ultralytics and YOLOv5 divide boxes by the size of the input in what they export for TensorFlow Lite."""
    found = drawn(kind)["output0"].copy()
    sides = np.array([96, 64] * 2, np.float32)
    found[boxes] /= sides[:, None] if kind == "yolo" else sides
    made = adopted(tmp_path, constant_graph({"output0": found}, SIZE_HW), classes=names)
    assert made.card.kind == kind
    rows = Detector.load(made.out, device="cpu").detect(
        image.as_frame(painted(FRAMES_HW[0]), "", 0, time_s=0.0, captured_at=0.0), low=LOW
    )
    rows = np.concatenate([rows.corners, rows.scores[:, None], rows.class_ids[:, None]], axis=1)
    assert_same(rows, ORACLES[kind](drawn(kind), SIZE_HW, FRAMES_HW[0], LOW))


def test_a_heat_map_of_logits_gets_its_sigmoid(tmp_path, names):
    """CenterNet's graph ends before it, most converters add it."""
    found = drawn("centernet")
    logits = np.log(np.clip(found["hm"], 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(found["hm"], 1e-6, 1 - 1e-6))
    made = adopted(tmp_path, constant_graph({**found, "hm": logits.astype(np.float32)}, SIZE_HW), classes=names)
    best = Detector.load(made.out, device="cpu").find(painted(SIZE_HW))[0]
    assert best.score == pytest.approx(found["hm"].max(), abs=1e-3)


def test_half_precision_is_adopted(tmp_path):
    """Its input becomes uint8 like that of all."""
    model = color_graph(ULTRALYTICS)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    made = adopted(tmp_path, model)
    assert made.card.scheme == "fp16"
    found = Detector.load(made.out, device="cpu").find(painted((64, 96), green=(10, 10, 50, 40)))
    assert [one.name for one in found] == ["green"]


def test_the_background_among_the_names_is_no_class(tmp_path):
    """The outputs of torchvision count it as class 0."""
    (tmp_path / "names.txt").write_text("\n".join(["__background__", *NAMES]), "utf-8")
    made = adopted(tmp_path, constant_graph(drawn("torchvision"), SIZE_HW), classes=tmp_path / "names.txt")
    assert made.card.classes == NAMES


@pytest.mark.parametrize(("change", "message"), [
    ({"classes": ""}, r"it does not name its classes; say `classes=FILE`, .* or `classes=numbers`"),
    ({"kind": "yolo99"}, r"`kind=yolo99`: expected one of yolo, yolo-nms, "),
    ({"fit": "center-crop"}, r"`fit=center-crop`: expected one of letterbox, letterbox-corner, .* for a detector"),
    ({"color": "gray"}, r"`color=gray`: expected one of rgb, bgr for a detector"),
    ({"size_hw": (32, 32)}, r"its input images is \[1, 3, 64, 96\], not 32x32; leave `size_hw` out"),
    ({"values": "0..3"}, r"`values=0..3`: expected one of 0..1"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_refused(change, message, tmp_path, names):
    """In one line, and nothing is written."""
    with pytest.raises(ConfigError, match=message):
        adopted(tmp_path, constant_graph(drawn("yolo"), SIZE_HW), **{"classes": names, **change})
    assert not (tmp_path / "out.onnx").exists()


def test_a_list_of_classes_of_another_length_is_refused(tmp_path):
    """Whether the outputs show their number by their shape, or the metadata has the names."""
    (tmp_path / "two.txt").write_text("car\nvan\n", "utf-8")
    with pytest.raises(ConfigError, match=r"output0 \[1, 9, 126\], are not those of 2 classes; check `classes`"):
        adopted(tmp_path, constant_graph(drawn("yolo"), SIZE_HW), classes=tmp_path / "two.txt")
    with pytest.raises(ConfigError, match=r"two\.txt` has 2 names, the detector distinguishes 5 classes"):
        adopted(tmp_path, constant_graph(drawn("detr-logits"), SIZE_HW), classes=tmp_path / "two.txt")
    with pytest.raises(ConfigError, match=r"`overlap=0.3`: detr-logits needs no suppression"):
        adopted(tmp_path, constant_graph(drawn("detr-logits"), SIZE_HW), classes="numbers", overlap=0.3)


def test_outputs_that_fit_no_decoder_are_refused(tmp_path):
    """With their shapes and the known ones."""
    odd = constant_graph({"odd": np.full((1, 3, 7), -5, np.float32)}, SIZE_HW)
    with pytest.raises(ModelError, match=r"theirs\.onnx: its outputs, odd \[1, 3, 7\] for an input of 96x64, fit no decoder"):
        adopted(tmp_path, odd)


def test_classifiers_and_detectors_are_told_apart(tmp_path):
    """Each is refused where the other is expected, with the way to use it."""
    flat = constant_graph({"logits": np.zeros((1, 10), np.float32)}, SIZE_HW)
    with pytest.raises(ModelError, match=r"its output logits \[1, 10\] is that of a classifier; adopt it without `detector`"):
        adopted(tmp_path, flat)
    (tmp_path / "light.onnx").write_bytes(light_model())
    with pytest.raises(ModelError, match="it is an edgecls classifier already, expected a detector"):
        adopt_detector(tmp_path / "light.onnx", tmp_path / "out.onnx")
    with pytest.raises(ModelError, match=r"expected pictures of 3 channels, found image \[0, 8, 8, 1\]"):
        adopted(tmp_path, light_graph())
    detector = saved(tmp_path, constant_graph(drawn("yolo"), SIZE_HW))
    with pytest.raises(ModelError, match=r"its output output0 \[0, 9, 126\] is one of a detector, .* with `detector`"):
        adopt_model(detector, tmp_path / "out.onnx")
    made = adopted(tmp_path, color_graph(ULTRALYTICS)).out
    with pytest.raises(ModelError, match="it is an edgecls detector, not a classifier"):
        adopt_model(made, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="it is an edgecls detector already"):
        adopt_detector(made, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"it is a detector, expected a classifier; use it as the `detector` of the run"):
        Classifier.load(made)


def test_other_tasks_of_ultralytics_are_refused(tmp_path):
    """Their outputs have other parts."""
    with pytest.raises(ModelError, match=r"its metadata says task 'segment', expected 'detect'$"):
        adopted(tmp_path, color_graph({**ULTRALYTICS, "task": "segment"}))
    with pytest.raises(ModelError, match="expected 'detect'; adopt it without `detector`"):
        adopted(tmp_path, color_graph({**ULTRALYTICS, "task": "classify"}))


def test_unknown_inputs_are_refused(tmp_path):
    """A graph that needs more than a picture and the size of the frame."""
    model = color_graph()
    model.graph.input.append(helper.make_tensor_value_info("scale_factor", TensorProto.FLOAT, [1, 2]))
    with pytest.raises(
        ModelError, match=r"expected one input for a picture, .*found images FLOAT .*, scale_factor FLOAT \[1, 2\]"
    ):
        adopted(tmp_path, model)


def test_the_file_itself_is_not_overwritten(tmp_path):
    """Out is another file."""
    theirs = saved(tmp_path, color_graph(ULTRALYTICS))
    before = theirs.read_bytes()
    with pytest.raises(ConfigError, match="it is the input file"):
        adopt_detector(theirs, theirs)
    assert theirs.read_bytes() == before


def test_a_conversion_that_finds_other_boxes_writes_nothing(tmp_path, monkeypatch):
    """A bug in the conversion is an error, not a file."""
    monkeypatch.setattr(module, "_share", lambda *_: 0.3)
    with pytest.raises(ExportError, match="the converted detector finds other boxes: 30% of them are the same"):
        adopted(tmp_path, color_graph(ULTRALYTICS))
    assert not (tmp_path / "out.onnx").exists()


def test_the_command_adopts_a_detector_and_info_shows_its_card(tmp_path, edgecls):
    """As text and as JSON."""
    theirs, out = saved(tmp_path, color_graph(ULTRALYTICS)), tmp_path / "d.onnx"
    done = edgecls("adopt", theirs, "--detector", "--out", out, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["classes"] == list(COLORS)
    assert f"{out}: written, rt-detr-rows, fp32, 3 classes; 100% of its best boxes are those of {theirs}" in done.stderr
    shown = edgecls("info", out)
    assert "kind      rt-detr-rows: RT-DETR of Ultralytics, until 8.3" in shown.stdout
    assert "classes   red, green, blue" in shown.stdout
    assert json.loads(edgecls("info", out, "--json").stdout)["input"]["fit"] == "stretch"


def test_options_of_the_other_sort_of_model_are_refused(tmp_path, edgecls):
    """Instead of being ignored."""
    theirs, out = saved(tmp_path, color_graph(ULTRALYTICS)), tmp_path / "d.onnx"
    wrong = edgecls("adopt", theirs, "--detector", "--out", out, "--labels", "numbers")
    assert "error: --labels is for classifiers; leave it out with --detector" in wrong.stderr
    wrong = edgecls("adopt", theirs, "--out", out, "--kind", "yolo")
    assert "error: --kind is for detectors; add --detector, or leave it out" in wrong.stderr
