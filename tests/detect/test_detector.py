"""A detector at work: what it finds, and files that are none."""

from __future__ import annotations

import threading

import numpy as np
import onnx
import pytest

from edgecls import Detector, ModelError, image
from edgecls.detect.card import DetectorCard
from edgecls.detect.golden import GOLDEN_KEY, GoldenBoxes
from edgecls.detect.input import DetectorInput
from edgecls.model.card import DETECTOR_KEY
from tests.detect.tiny import COLORS, painted
from tests.tiny import light_model


@pytest.fixture
def detector(color_detector) -> Detector:
    return Detector.load(color_detector, device="cpu")


def test_objects_have_a_name_a_score_and_a_box(detector):
    """What is painted is found, within two pixels of a frame five times as large as the input."""
    found = detector.find(painted((320, 480), red=(50, 100, 150, 200), blue=(250, 50, 350, 250)))
    assert {one.name for one in found} == {"red", "blue"}
    for one in found:
        expected = {"red": (50, 100, 150, 200), "blue": (250, 50, 350, 250)}[one.name]
        assert np.abs(np.subtract(one.box, expected)).max() <= 3
        assert one.score > 0.95


def test_nothing_is_found_where_nothing_is(detector):
    """A gray frame has no objects, whatever its size."""
    assert detector.find(painted((50, 70))) == []
    assert detector.find(painted((1, 1))) == []


def test_only_wanted_classes_are_found(detector):
    """Others are left out before anything else."""
    picture = painted((64, 96), red=(5, 5, 25, 25), green=(50, 20, 80, 60))
    frame = image.as_frame(picture, "", 0, time_s=0.0, captured_at=0.0)
    assert detector.detect(frame, low=0.2).class_ids.tolist() in ([0, 1], [1, 0])
    assert detector.detect(frame, low=0.2, wanted=np.array([1])).class_ids.tolist() == [1]


def test_threads_may_share_a_detector(detector):
    """Each gets the objects of its own frame."""
    wrong = []

    def look(left: int) -> None:
        for _ in range(20):
            (found,) = detector.find(painted((64, 96), red=(left, 10, left + 20, 40)))
            wrong.extend([found] if abs(found.box.left - left) > 1 else [])

    threads = [threading.Thread(target=look, args=(left,)) for left in (2, 30, 70)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def changed(path, key: str, value: str) -> bytes:
    """The bytes of a model file with another metadata entry."""
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**kept, key: value})
    return model.SerializeToString()


def test_a_classifier_is_no_detector(tmp_path):
    """And one that was not adopted is told how to."""
    with pytest.raises(ModelError, match=r"^c\.onnx: it is a classifier, expected a detector; use it as the `model`"):
        Detector.from_bytes(light_model(), "c.onnx")
    bare = onnx.load_from_string(light_model())
    del bare.metadata_props[:]
    with pytest.raises(ModelError, match=r"make one with: edgecls adopt --detector d\.onnx --out D\.onnx"):
        Detector.from_bytes(bare.SerializeToString(), "d.onnx")


def test_a_card_that_promises_another_input_is_refused(color_detector):
    """Its size is that of the graph."""
    card = DetectorCard("rt-detr-rows", COLORS, DetectorInput(32, 32))
    with pytest.raises(ModelError, match=r"the card promises an input 'image' of uint8 \(1, 32, 32, 3\), the graph has image"):
        Detector.from_bytes(changed(color_detector, DETECTOR_KEY, card.to_json()), "d.onnx")


def test_a_card_of_another_kind_is_refused(color_detector):
    """The outputs of the graph are not those of that decoder."""
    card = DetectorCard("centernet", COLORS, DetectorInput(64, 96))
    with pytest.raises(ModelError, match=r"outputs rows \[1, 3, 7\] are not those of centernet; adopt the detector again"):
        Detector.from_bytes(changed(color_detector, DETECTOR_KEY, card.to_json()), "d.onnx")


@pytest.mark.parametrize(("change", "message"), [
    ('{"version": 9}', "its card has version 9, this edgecls knows 1; update edgecls"),
    ("{", "its card is damaged"),
    ('{"version": 1, "classes": ["a"]}', "its card is incomplete"),
    ('{"version": 1, "classes": "a"}', "classes must be a list of texts, found 'a'"),
])  # fmt: skip
def test_a_damaged_card_is_refused(color_detector, change, message):
    """In one line, with the file."""
    with pytest.raises(ModelError, match=rf"^d\.onnx: .*{message}"):
        Detector.from_bytes(changed(color_detector, DETECTOR_KEY, change), "d.onnx")


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "yolo99"}, "the card has the kind 'yolo99'; this edgecls knows yolo, "),
    ({"classes": ()}, "a detector needs 1 to 10,000 classes, the card has 0"),
    ({"classes": ("a\n",)}, "the name of a class must be a text on one line"),
    ({"overlap": 2.0}, "overlap must be from 0 to 1, the card has 2"),
    ({"most": 5000}, "most must be 1 to 1,000, the card has 5000"),
])  # fmt: skip
def test_a_card_with_values_that_cannot_be_is_refused(change, message):
    """A card may have been edited by hand."""
    with pytest.raises(ModelError, match=message):
        DetectorCard(**{"kind": "yolo", "classes": ("a",), "input": DetectorInput(64, 96), **change})


def test_a_card_survives_json():
    """All its fields."""
    card = DetectorCard(
        "yolo", ("a", "b"), DetectorInput(64, 96, "bgr", "stretch", "area"), "0..1", "fp16", 0.7, 100, "x", {"a": "1"}
    )
    assert DetectorCard.from_json(card.to_json(), "d.onnx") == card


def test_other_boxes_than_at_adoption_stop_the_detector(color_detector):
    """As on a processor that computes otherwise; unless told to go on."""
    golden = GoldenBoxes.from_json(
        {entry.key: entry.value for entry in onnx.load(color_detector).metadata_props}[GOLDEN_KEY], "d.onnx"
    )
    assert len(golden.expected.scores) > 0
    moved = golden.expected._replace(corners=golden.expected.corners + 30)
    model = changed(color_detector, GOLDEN_KEY, GoldenBoxes(golden.picture, moved).to_json())
    with pytest.raises(
        ModelError, match=r"^d\.onnx: finds other boxes here than where it was adopted: 0% of the boxes in its golden"
    ):
        Detector.from_bytes(model, "d.onnx", device="cpu")
    with pytest.warns(RuntimeWarning, match="finds other boxes here"):
        Detector.from_bytes(model, "d.onnx", device="cpu", on_mismatch="warn")
    Detector.from_bytes(model, "d.onnx", device="cpu", on_mismatch="ignore")


@pytest.mark.parametrize("damage", ['{"picture": "", "boxes": []}', '{"boxes": [[1]]}', "nothing"])
def test_a_damaged_golden_picture_is_refused(color_detector, damage):
    """In one line, with the file."""
    with pytest.raises(ModelError, match=r"^d\.onnx: its golden picture is damaged"):
        Detector.from_bytes(changed(color_detector, GOLDEN_KEY, damage), "d.onnx")
