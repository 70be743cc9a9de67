"""Tests of loading and running a model file."""

from __future__ import annotations

import dataclasses
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from edgecls import Classifier, DataError, InputSpec, ModelCard, ModelError, image
from edgecls.dataset import decode, scan
from edgecls.evaluate import measure
from edgecls.export.convert import stamp
from edgecls.model.providers import PROVIDERS
from tests.drawn import gray_levels
from tests.tiny import light_graph


@pytest.mark.parametrize(("level", "label"), [(0, "dark"), (128, "dim"), (255, "bright")])
def test_a_plain_picture_gets_its_label(light_model, level, label):
    """Black is dark, half is dim, white is bright, each with a score above 0.99."""
    prediction = Classifier.load(light_model).classify(gray_levels([level])[0])
    assert prediction.label == label
    assert prediction.score > 0.99
    assert prediction.top[0] == (label, prediction.score)


def test_a_file_without_a_card_is_refused(tmp_path):
    """An .onnx file without a card is rejected; the error names the commands that make one."""
    path = tmp_path / "foreign.onnx"
    path.write_bytes(light_graph().SerializeToString())
    with pytest.raises(ModelError, match=r"foreign.onnx: expected an .onnx file with an edgecls card.*edgecls export"):
        Classifier.load(path)


def test_one_batch_gives_what_single_pictures_give(light_model):
    """Pictures of several sizes in one batch get exactly the same probabilities as alone."""
    classifier = Classifier.load(light_model)
    pictures = [np.full((20 + i, 30, 3), 25 * i, np.uint8) for i in range(10)]
    alone = [classifier.classify(picture) for picture in pictures]
    assert classifier.classify_batch(pictures) == alone


def test_labels_that_do_not_fit_the_outputs_are_refused(tmp_path):
    """A card of two labels and a graph of three outputs: the error has both numbers and what to do."""
    path = tmp_path / "m.onnx"
    path.write_bytes(light_model_of(("dark", "bright")))
    with pytest.raises(
        ModelError, match=r"the card has 2 labels, the graph gives probabilities \['N', 3\]; export the model again"
    ):
        Classifier.load(path)


def light_model_of(labels, spec=None, graph_spec=None):
    """Return the light model with a changed card."""
    spec = spec or InputSpec(8, 8)
    return stamp(light_graph(graph_spec or spec), ModelCard(labels, spec, "fp32"))


def test_a_card_of_another_input_is_refused():
    """A card of 16x16 and a graph of 8x8: the error has both sizes."""
    model = light_model_of(("a", "b", "c"), InputSpec(16, 16), InputSpec(8, 8))
    with pytest.raises(
        ModelError,
        match=r"of uint8 \(N, 16, 16, 1\), the graph has image tensor\(uint8\) \['N', 8, 8, 1\]",
    ):
        Classifier.from_bytes(model, "m.onnx")


def test_what_is_no_model_file_is_refused(tmp_path):
    """A missing file, a folder and a text file: each error is one line with the path."""
    (tmp_path / "text.onnx").write_text("text")
    (tmp_path / "run").mkdir()
    for name, message in (
        ("none.onnx", r"none\.onnx: the model cannot be read \(No such file or directory\)"),
        ("run", "run: expected an .onnx file, found a folder; export a training run with: edgecls export"),
        ("text.onnx", r"text\.onnx: expected an \.onnx file, found another format \(at byte 0\); it was not loaded"),
    ):
        with pytest.raises(ModelError, match=message):
            Classifier.load(tmp_path / name)


def test_a_foreign_file_with_other_metadata_lists_it(tmp_path):
    """The error lists the metadata that was found instead of a card."""
    graph = light_graph()
    onnx.helper.set_model_props(graph, {"author": "x", "names": "y"})
    with pytest.raises(ModelError, match=r"found none in its metadata \(author, names\)"):
        Classifier.from_bytes(graph.SerializeToString(), "m.onnx")


def test_equal_scores_come_in_the_order_of_the_labels(light_model):
    """The best label comes first; two labels with a score of 0.25 keep the order of the card."""
    classifier = Classifier.load(light_model)
    (prediction,) = classifier.predictions(np.array([[0.25, 0.5, 0.25]], np.float32))
    assert prediction.top == (("dim", 0.5), ("dark", 0.25), ("bright", 0.25))
    assert (prediction.label, prediction.score, prediction.class_id) == ("dim", 0.5, 1)


def test_no_pictures_no_predictions(light_model):
    """An empty batch returns no predictions and does not run the session."""
    assert Classifier.load(light_model).classify_batch([]) == []


def test_gray_and_colour_pictures_are_both_taken(light_model):
    """(H, W) and (H, W, 3) pictures of one level get the same scores; a float picture is rejected."""
    classifier = Classifier.load(light_model)
    assert classifier.classify(np.full((9, 9), 128, np.uint8)) == classifier.classify(np.full((9, 9, 3), 128, np.uint8))
    with pytest.raises(DataError, match="expected a uint8 picture"):
        classifier.classify(np.zeros((9, 9, 3), np.float32))


def test_threads_may_share_a_classifier(light_model):
    """Eight threads get the same results as one."""
    classifier = Classifier.load(light_model)
    pictures = gray_levels(range(0, 256, 5))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(classifier.classify, pictures)) == [classifier.classify(p) for p in pictures]


def test_a_device_that_takes_one_thread_at_a_time(light_model, monkeypatch):
    """A DirectML session may only run in one thread at a time, so threads that share a classifier wait for each other."""
    monkeypatch.setitem(PROVIDERS, "cpu", dataclasses.replace(PROVIDERS["cpu"], serial=PROVIDERS["directml"].serial))
    classifier = Classifier.load(light_model, device="cpu")
    inside, most = [], []

    class Session:
        def run(self, names, feeds):
            inside.append(None)
            most.append(len(inside))
            time.sleep(0.005)
            inside.pop()
            return [np.zeros((1, 3), np.float32)]

    monkeypatch.setattr(classifier, "_session", Session())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(classifier.classify, gray_levels([0] * 12)))
    assert max(most) == 1


def test_all_roads_give_one_answer(exported, shapes, edgecls):
    """`edgecls predict`, `evaluate.measure` and `Classifier` give the same probabilities within 1e-6."""
    path = exported["int8"].out
    classifier = Classifier.load(path)
    items = scan(shapes).items[::20]
    report = measure(classifier.probabilities, classifier.card.labels, decode(items, classifier.card.input), range(4))
    done = edgecls("predict", path, *(item.file for item in items), "--json")
    assert done.returncode == 0, done.stderr
    for item, row, line in zip(items, report.probabilities, done.stdout.splitlines(), strict=True):
        by_api = dict(classifier.classify(image.load(item.file)).top)
        by_command = dict(json.loads(line)["top"])
        by_measure = dict(zip(classifier.card.labels, row.tolist(), strict=True))
        for label in classifier.card.labels:
            assert by_api[label] == pytest.approx(by_measure[label], abs=1e-6)
            assert by_command[label] == pytest.approx(by_measure[label], abs=1e-6)
