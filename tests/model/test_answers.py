"""Tests of answers with a novelty: views, the limit on the card, and what a classifier makes of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecls import Classifier, InputSpec, ModelCard, ModelError
from edgecls.export.convert import stamp
from edgecls.model.answers import Answers, combined, joined
from edgecls.model.confidence import Confidence
from edgecls.model.golden import Golden
from edgecls.model.novelty import NoveltyLimit
from edgecls.model.providers import PROVIDERS
from edgecls.model.several_labels import SeveralLabels
from tests import tiny

SPEC = InputSpec(8, 8)
HALF = np.full((3, 2), 0.5, np.float32)


def model(novelty: NoveltyLimit | None = NoveltyLimit(), **card) -> bytes:  # noqa: B008 - frozen
    """The light model; the novelty of a picture is its brightness divided by 200."""
    graph = tiny.light_graph()
    graph.graph.initializer.append(numpy_helper.from_array(np.float32(255 / 200), "brightest"))
    graph.graph.node.append(helper.make_node("Mul", ["share", "brightest"], ["novelty"]))
    graph.graph.output.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]))
    golden = card.pop("golden", None)
    return stamp(graph, ModelCard(tiny.LIGHT_LABELS, SPEC, "fp32", novelty=novelty, **card), golden)


def gray(*levels: int) -> np.ndarray:
    return np.repeat(np.array(levels, np.uint8), 64).reshape(-1, 8, 8, 1)


def test_a_picture_above_the_limit_is_unknown():
    """Its score and its best labels stay, and the prediction says why."""
    classifier = Classifier.from_bytes(model(), "m.onnx", device="cpu")
    dark, bright = classifier.predictions(classifier.answers(gray(0, 255)))
    assert (dark.label, dark.novelty, dark.unknown_by) == ("dark", 0.0, "")
    assert (bright.label, bright.class_id, bright.unknown_by) == ("unknown", -1, "novelty")
    assert bright.top[0][0] == "bright"
    assert bright.score > 0.99
    assert bright.novelty == pytest.approx(1.275)
    assert [p.label for p in classifier.classify_batch([gray(0)[0, ..., 0], gray(255)[0, ..., 0]])] == ["dark", "unknown"]


def test_the_limit_on_the_card_counts():
    """A larger one keeps more."""
    classifier = Classifier.from_bytes(model(NoveltyLimit(limit=1.3)), "m.onnx", device="cpu")
    assert classifier.predictions(classifier.answers(gray(255)))[0].label == "bright"


def test_a_card_without_it_leaves_the_output_alone():
    """As files of before do, which have none."""
    classifier = Classifier.from_bytes(model(None), "m.onnx", device="cpu")
    answers = classifier.answers(gray(255))
    assert answers.novelty is None
    assert classifier.predictions(answers)[0].label == "bright"
    assert ModelCard.from_json(classifier.card.to_json(), "m.onnx").novelty is None


def test_a_card_survives_its_json():
    """With the limit, and one label is enough then."""
    card = ModelCard(("normal",), SPEC, "fp32", novelty=NoveltyLimit(limit=1.5, kept=0.95))
    assert ModelCard.from_json(card.to_json(), "m.onnx") == card


@pytest.mark.parametrize(("field", "value"), [("limit", 0.0), ("limit", float("inf")), ("kept", 1.5), ("kept", -0.1)])
def test_a_limit_out_of_range_is_refused(field, value):
    """On a card that was edited."""
    with pytest.raises(ModelError, match="expected a limit above 0 and a kept of 0 to 1"):
        dataclasses.replace(NoveltyLimit(), **{field: value})


def test_a_card_that_promises_what_the_graph_lacks_is_refused():
    """In one line."""
    content = stamp(tiny.light_graph(), ModelCard(tiny.LIGHT_LABELS, SPEC, "fp32", novelty=NoveltyLimit()))
    with pytest.raises(
        ModelError, match="promises an output 'novelty' of one number per picture, the graph gives probabilities"
    ):
        Classifier.from_bytes(content, "m.onnx", device="cpu")


def test_what_is_no_number_is_unknown():
    """A broken computation never passes as known."""
    assert NoveltyLimit().exceeded(np.array([0.5, np.nan, np.inf], np.float32)).tolist() == [False, True, True]


def test_views_of_an_object_are_known_if_one_is():
    """The smallest novelty of its views counts."""
    answers = Answers(HALF, np.array([0.5, 3.0, 2.0], np.float32))
    assert combined(answers, [2, 1]).novelty.tolist() == [0.5, 2.0]
    assert combined(answers, [1, 1, 1]) is answers
    assert combined(Answers(HALF), [2, 1]).novelty is None


def test_batches_are_joined_in_order():
    """With and without a novelty."""
    parts = [Answers(HALF[:1], np.array([1.0], np.float32)), Answers(HALF, np.array([2.0, 3.0, 4.0], np.float32))]
    assert joined(parts).novelty.tolist() == [1, 2, 3, 4]
    assert joined([Answers(HALF), Answers(HALF)]).novelty is None


def test_golden_pictures_check_the_novelty():
    """A machine that computes another one is found when the file is loaded."""
    plain = Classifier.from_bytes(model(), "m.onnx", device="cpu").answers(gray(0, 255))
    right = Golden(gray(0, 255), plain.probabilities, 0.01, plain.novelty, 0.05)
    again = Golden.from_json(right.to_json(), SPEC, 3, "m.onnx")
    assert again.novelty == pytest.approx(plain.novelty, abs=1e-5)
    assert Classifier.from_bytes(model(golden=right), "m.onnx", device="cpu")
    wrong = dataclasses.replace(right, novelty=plain.novelty + 0.5)
    with pytest.raises(ModelError, match=r"the novelty of one of its golden pictures differs by 0.5 \(at most 0.05\)"):
        Classifier.from_bytes(model(golden=wrong), "m.onnx", device="cpu")


def test_bound_buffers_have_both_outputs(monkeypatch):
    """On a device with its own memory."""
    before = Classifier.from_bytes(model(), "m.onnx", device="cpu").answers(gray(0, 100, 255))
    monkeypatch.setitem(PROVIDERS, "cpu", PROVIDERS["cpu"].__class__("CPUExecutionProvider", "", memory="cpu"))
    bound = Classifier.from_bytes(model(), "m.onnx", device="cpu").answers(gray(0, 100, 255))
    assert np.array_equal(bound.probabilities, before.probabilities)
    assert np.array_equal(bound.novelty, before.novelty)


@pytest.mark.parametrize("confidence", [Confidence(), SeveralLabels(thresholds=(0.5, 0.5))])
def test_a_single_view_keeps_its_answer_beside_objects_with_two(confidence):
    """The score of a zone does not depend on whether something moves at the same moment, at another camera maybe."""
    rows = np.array([[0.9999, 0.0001], [0.8, 0.2], [0.6, 0.4]], np.float32)
    found = combined(Answers(rows), [1, 2], confidence.combined).probabilities
    assert found.dtype == np.float32
    assert found[0].tolist() == rows[0].tolist()
    assert 0.6 < found[1, 0] < 0.8
