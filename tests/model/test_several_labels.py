"""Models that give several labels for a picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import Classifier, ModelError
from edgecls.model.card import ModelCard
from edgecls.model.several_labels import SeveralLabels, fit
from tests.tiny import PAINT_LABELS, light_model, paint_model


def painted(red, green, blue):
    """A plain picture, blue-green-red."""
    return np.full((8, 8, 3), (blue, green, red), np.uint8)


@pytest.fixture(scope="module")
def paint():
    """A model of red, green and blue, whose thresholds are 0.5, 0.9 and 0.1."""
    return Classifier.from_bytes(paint_model((0.5, 0.9, 0.1)), "paint.onnx", device="cpu")


def test_a_prediction_has_all_labels_that_are_shown(paint):
    """The best first; the label is the best one."""
    both = paint.classify(painted(255, 255, 0))
    assert both.names == ("red", "green")
    assert (both.label, both.class_id) == ("red", 0)
    assert [name for name, _ in both.top] == ["red", "green", "blue"]
    assert both.text == "red 100%, green 100%"


def test_a_picture_may_show_no_label(paint):
    """It is called none, with a score of 1 minus that of the best label."""
    black = paint.classify(painted(0, 0, 0))
    assert (black.label, black.class_id, black.labels, black.names) == ("none", -1, (), ("none",))
    assert black.score == pytest.approx(1 - max(score for _, score in black.top))


def test_each_label_has_its_threshold(paint):
    """A probability of 0.73 is enough for red and blue, and not for green."""
    level = round(255 * (0.5 + np.log(0.73 / 0.27) / 20))
    assert paint.classify(painted(level, level, level)).names == ("blue", "red")


def test_a_score_of_a_half_is_the_threshold():
    """Scores rise with the probability, from 0 to 1."""
    read = SeveralLabels(thresholds=(0.2, 0.5, 0.8))
    scores = read.scores(np.array([[0.2, 0.5, 0.8], [0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5]], np.float32))
    assert scores[0] == pytest.approx([0.5] * 3)
    assert scores[1].tolist() == [0, 0, 0]
    assert scores[2].tolist() == [1, 1, 1]
    assert scores[3] == pytest.approx([0.8, 0.5, 0.2])


def test_a_temperature_divides_the_logits_of_each_label():
    """Sigmoid(1) at temperature 2 is sigmoid(0.5), whatever the other labels are."""
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    found = SeveralLabels(2.0, (0.5, 0.5)).calibrated(np.array([[sigmoid(1), sigmoid(-3)]], np.float32))
    assert found[0] == pytest.approx([sigmoid(0.5), sigmoid(-1.5)], abs=1e-6)


def test_views_are_combined_by_the_mean_of_their_logits():
    """Two views of 0.9 and 0.5 are one of 0.75; a view by itself stays."""
    read = SeveralLabels(thresholds=(0.5,))
    two, one = read.combined(np.array([[0.9], [0.5], [0.3]], np.float32), [2, 1])
    assert two == pytest.approx([0.75])
    assert one == pytest.approx([0.3])


def test_thresholds_separate_what_can_be_separated():
    """But for one picture, label by label; unknown marks do not count, and a label with few pictures keeps 0.5."""
    rng = np.random.default_rng(0)
    marks = (rng.uniform(size=(400, 3)) < (0.5, 0.1, 0.01)).astype(np.int64)
    limits = np.array([0.4, 0.6, 0.5])
    apart = rng.uniform(0.02, 0.2, marks.shape)
    probabilities = np.where(marks == 1, limits + apart, limits - apart).astype(np.float32)
    marks[::7, 0] = -1
    probabilities[::7, 0] = 0.99
    found = fit(probabilities, marks)
    shown = found.shown(found.calibrated(probabilities))
    known = marks >= 0
    wrong = ((shown != (marks == 1)) & known).sum(axis=0)
    assert wrong[0] <= 1
    assert wrong[1] <= 1
    assert found.thresholds[2] == 0.5


def test_a_threshold_does_not_fit_the_chance_of_few_pictures():
    """On other pictures of true probabilities, the F1 is higher than with the threshold that is best on the first ones."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(30):
        probabilities = rng.beta(0.5, 1.5, (2000, 1)).astype(np.float32)
        marks = (rng.uniform(size=probabilities.shape) < probabilities).astype(np.int64)
        chosen = SeveralLabels(thresholds=fit(probabilities[:90], marks[:90]).thresholds)
        best = max(np.unique(probabilities[:90]), key=lambda limit: _f1(marks[:90], probabilities[:90] >= limit))
        gains.append(_f1(marks[90:], chosen.shown(probabilities[90:])) - _f1(marks[90:], probabilities[90:] >= best))
    assert np.mean(gains) > 0.002


def _f1(marks, given):
    """The F1 of one label."""
    return 2 * ((marks == 1) & given).sum() / max(1, (marks == 1).sum() + given.sum())


def test_a_card_says_how_outputs_are_read():
    """It survives JSON; older versions of edgecls refuse it, as its version is 2."""
    card = Classifier.from_bytes(paint_model((0.5, 0.9, 0.1)), "paint.onnx", device="cpu").card
    assert (card.outputs, card.version, card.multi_label) == ("sigmoid", 2, True)
    assert ModelCard.from_json(card.to_json(), "m.onnx") == card
    single = Classifier.from_bytes(light_model(), "light.onnx", device="cpu").card
    assert (single.outputs, single.version) == ("softmax", 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"thresholds": [0.5, 0.5, 0.5]', '"thresholds": [0.5]', "expected a threshold for each of 3 labels, the card has 1"),
        ('"thresholds": [0.5, 0.5, 0.5]', '"thresholds": [0.5, 0.5, 1]', "expected a temperature above 0 and thresholds"),
        ('"thresholds": [0.5, 0.5, 0.5]', '"thresholds": 0.5', "confidence.thresholds must be a list of numbers"),
        ('"outputs": "sigmoid"', '"outputs": "tanh"', "outputs 'tanh': expected softmax or sigmoid"),
    ],
)
def test_a_damaged_card_is_refused(old, new, message):
    """One line with the file and what was found."""
    text = ModelCard(PAINT_LABELS, Classifier.from_bytes(light_model(), "x", device="cpu").card.input, "fp32")
    text = text.read_as(SeveralLabels.even(3)).to_json()
    assert old in text
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(text.replace(old, new), "m.onnx")
