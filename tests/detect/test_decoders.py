"""Boxes of every kind of detector, against the maker's own post-processing on the same outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgecls.detect.boxes import Boxes
from edgecls.detect.decoders.kind import Seen
from edgecls.detect.decoders.table import KINDS, decode, recognise
from edgecls.detect.input import DetectorInput
from edgecls.detect.letterbox import place
from edgecls.detect.nms import suppress
from edgecls.errors import ConfigError, ModelError
from tests.detect.drawn_outputs import CLASSES, DRAWN, FRAMES_HW, LOW, SIZE_HW, by_grid, drawn
from tests.detect.oracles import ORACLES

BOX_PX, SCORE = 1.0, 1e-3
"""How far boxes and scores may be from the maker's."""
MAKERS = json.loads((Path(__file__).parent / "makers.json").read_text("utf-8"))


def found_by_us(kind: str, outputs, frame_hw) -> np.ndarray:
    """Rows of box, score and class, as `Detector.detect` gives them."""
    row, roles = recognise(Seen(outputs, SIZE_HW, CLASSES, head(kind)), "d.onnx", kind)
    boxes = decode(row, {role: outputs[name] for role, name in roles.items()}, SIZE_HW, LOW)
    if row.suppression:
        boxes = suppress(boxes, row.suppression.overlap, row.suppression.most)
    corners = place(frame_hw, DetectorInput(*SIZE_HW, fit=row.fit)).back(boxes.corners, frame_hw)
    return np.concatenate([corners, boxes.scores[:, None], boxes.class_ids[:, None]], axis=1)


def head(kind: str) -> str:
    return "RTDETRDecoder" if kind in ("rt-detr-rows", "rt-detr-top") else ""


def assert_same(found: np.ndarray, expected: list[list[float]]) -> None:
    """Each box has its own counterpart, and none is left."""
    assert len(found) == len(expected) > 0
    left = found.tolist()
    for row in expected:
        best = min(left, key=lambda one: abs(one[4] - row[4]) + 10 * (one[5] != row[5]) + max(abs(np.subtract(one, row)[:4])))
        assert np.abs(np.subtract(best, row)[:4]).max() <= BOX_PX
        assert abs(best[4] - row[4]) <= SCORE
        assert best[5] == row[5]
        left.remove(best)


@pytest.mark.parametrize("frame_hw", FRAMES_HW, ids=str)
@pytest.mark.parametrize("kind", DRAWN)
def test_boxes_are_those_of_the_published_post_processing(kind, frame_hw):
    """Within a pixel and a thousandth, in frames that are wide, high, and as large as the input."""
    outputs = drawn(kind)
    assert_same(found_by_us(kind, outputs, frame_hw), ORACLES[kind](outputs, SIZE_HW, frame_hw, LOW))


@pytest.mark.parametrize("name", MAKERS["boxes"])
def test_boxes_are_those_of_the_makers_packages(name):
    """What Ultralytics, Transformers, RF-DETR and torchvision themselves gave; `tests/detect/ask_makers.py` wrote it down."""
    kind, _, size = name.partition(" ")
    height, width = map(int, size.split("x"))
    assert_same(found_by_us(kind, drawn(kind), (height, width)), MAKERS["boxes"][name])


@pytest.mark.parametrize("batched", [True, False])
def test_nanodet_may_have_two_outputs_for_each_grid(batched):
    """As before its version 1.0; they are told apart by their numbers, so their order and names do not matter."""
    outputs = drawn("nanodet")
    split = dict(reversed(by_grid(outputs, batched=batched).items()))
    row, roles = recognise(Seen(split, SIZE_HW, CLASSES), "d.onnx")
    assert row.name == "nanodet"
    assert row.classes({role: split[name] for role, name in roles.items()}) == CLASSES
    assert_same(found_by_us("nanodet", split, FRAMES_HW[0]), ORACLES["nanodet"](outputs, SIZE_HW, FRAMES_HW[0], LOW))


def test_a_grid_without_its_distances_is_no_nanodet():
    """Each grid needs both, and as many classes as the others."""
    split = by_grid(drawn("nanodet"))
    wrong = [
        {name: value for name, value in split.items() if name != "dis_pred_stride_16"},
        {**split, "cls_pred_stride_8": split["cls_pred_stride_8"][..., :-1]},
        {**split, "more": split["cls_pred_stride_8"]},
    ]
    for outputs in wrong:
        with pytest.raises(ModelError, match="fit no decoder"):
            recognise(Seen(outputs, SIZE_HW), "d.onnx")


def test_labels_of_a_graph_that_takes_the_size_of_the_frame_begin_with_0():
    """DEIM's exports have no dimension for the picture, so they look like torchvision's, whose first label is 1."""
    outputs = {name: value[0] for name, value in drawn("rt-detr").items()}
    row, roles = recognise(Seen(outputs, SIZE_HW, CLASSES, sized=True), "d.onnx")
    assert row.name == "rt-detr"
    found = decode(row, {role: outputs[name] for role, name in roles.items()}, SIZE_HW, LOW)
    assert found.class_ids.tolist() == outputs["labels"][outputs["scores"] > LOW].tolist()
    assert recognise(Seen(outputs, SIZE_HW, CLASSES), "d.onnx")[0].name == "torchvision"


def test_every_kind_is_tested():
    """A new row of the table needs an oracle."""
    assert set(KINDS) == set(DRAWN) == set(ORACLES)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_kind_is_recognised_by_its_outputs(kind):
    """By names and shapes, with the number of classes known, as it is from the metadata or a file with names."""
    assert recognise(Seen(drawn(kind), SIZE_HW, CLASSES, head(kind)), "d.onnx")[0].name == kind


def test_outputs_that_fit_no_decoder_are_shown_with_the_known_ones():
    """In one line, with their shapes."""
    with pytest.raises(ModelError, match=r"^d\.onnx: its outputs, odd \[1, 3, 7\] for an input of 96x64, fit no") as caught:
        recognise(Seen({"odd": np.full((1, 3, 7), -5.0)}, SIZE_HW), "d.onnx")
    assert all(f"{kind.name}: {kind.shapes}" in str(caught.value) for kind in KINDS.values())
    assert "\n" not in str(caught.value)


def test_a_kind_that_does_not_fit_is_refused():
    """The message has the shapes of the file and those of the kind."""
    with pytest.raises(
        ModelError, match=r"output0 \[1, 9, 126\] for an input of 96x64, are not those of yolox: \(1, A, 5 \+ C\)"
    ):
        recognise(Seen(drawn("yolo"), SIZE_HW), "d.onnx", "yolox")
    with pytest.raises(ConfigError, match=r"`kind=yolo99`: expected one of yolo, yolo-nms"):
        recognise(Seen(drawn("yolo"), SIZE_HW), "d.onnx", "yolo99")


def test_several_kinds_that_fit_are_named():
    """NanoDet with few classes looks like YOLOX with many, if the number of classes is unknown."""
    with pytest.raises(ConfigError, match=r"fit several kinds; choose with `kind`: yolox \(YOLOX\); nanodet \(NanoDet\)"):
        recognise(Seen({"output": np.zeros((1, 126, 37), np.float32)}, SIZE_HW), "d.onnx")


def test_a_wrong_number_of_classes_is_said():
    """The outputs would fit another number."""
    with pytest.raises(ConfigError, match=r"output0 \[1, 9, 126\], are not those of 80 classes; check `classes`"):
        recognise(Seen(drawn("yolo"), SIZE_HW, classes=80), "d.onnx")


@pytest.mark.parametrize("kind", DRAWN)
def test_numbers_that_are_none_are_no_boxes(kind):
    """NaN in the outputs gives no box with NaN."""
    outputs = {name: value.copy() for name, value in drawn(kind).items()}
    for value in outputs.values():
        if value.dtype.kind == "f":
            value.reshape(-1)[::7] = np.nan
    row = KINDS[kind]
    roles = row.roles(Seen(drawn(kind), SIZE_HW, CLASSES, head(kind)))
    boxes = decode(row, {role: outputs[name] for role, name in roles.items()}, SIZE_HW, LOW)
    assert np.isfinite(boxes.corners).all()
    assert np.isfinite(boxes.scores).all()


def test_suppression_is_within_a_class():
    """Two classes may share a place; of one class the better box stays, whatever the order."""
    corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    boxes = Boxes(corners, np.array([0.5, 0.6, 0.4, 0.1], np.float32), np.array([0, 0, 1, 0]))
    assert suppress(boxes, 0.5, 10).scores.tolist() == pytest.approx([0.6, 0.4, 0.1])
    assert suppress(boxes, 0.9, 10).scores.tolist() == pytest.approx([0.6, 0.5, 0.4, 0.1])
    assert suppress(boxes, 0.9, 2).scores.tolist() == pytest.approx([0.6, 0.5])
    assert len(suppress(boxes.take(boxes.scores > 1), 0.5, 10).scores) == 0
