"""Scores that can be believed, on small known worlds."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import ModelError, metrics
from edgecls.confidence import (
    FEWEST_TO_FIT,
    REJECT_TEMPERATURE,
    UNKNOWN,
    Confidence,
    familiarity,
    fit,
    risk_coverage,
    tempered,
    together,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def boastful(temperature: float, pictures: int = 20_000, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are as much too sharp as dividing their logits by `temperature` mends, and the classes."""
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (pictures, classes))
    truth = np.array([chance.choice(classes, p=p / p.sum()) for p in softmax(logits).astype(np.float64)])
    return softmax(logits * temperature), truth


def test_a_temperature_divides_the_logits():
    """Of probabilities alone comes what the logits would have given; labels keep their order, sums stay 1."""
    logits = np.random.default_rng(1).normal(0, 3, (50, 7))
    for temperature in (0.5, 1.0, 3.0):
        assert tempered(softmax(logits), temperature) == pytest.approx(softmax(logits / temperature), abs=1e-5)


def test_probabilities_of_zero_stay_small():
    """What a float could not hold is no NaN."""
    found = tempered(np.array([[1.0, 0.0, 0.0]], np.float32), 2.0)
    assert found.sum() == pytest.approx(1)
    assert found[0, 1] < 1e-10


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    """Fitted to scores that are too sharp or too flat by a known factor, and then they are frequencies."""
    probabilities, truth = boastful(temperature)
    fitted = fit(probabilities, truth, reject=0.0)
    assert fitted.temperature == pytest.approx(temperature, rel=0.05)
    calibrated = fitted.calibrated(probabilities)
    right = calibrated.argmax(axis=1) == truth
    assert metrics.calibration_error(calibrated.max(axis=1).astype(np.float64), right) < 0.015


def test_a_model_without_a_mistake_is_not_certain():
    """All of 200 pictures right: the scores stay below what 200 pictures can tell."""
    truth = np.arange(200) % 4
    probabilities = np.full((200, 4), 0.02, np.float32)
    probabilities[np.arange(200), truth] = 0.94
    fitted = fit(probabilities, truth, reject=0.0)
    assert 0.99 < fitted.calibrated(probabilities).max() < 0.999


def test_too_few_pictures_change_nothing():
    """Of a handful nothing can be learned."""
    probabilities, truth = boastful(3.0, pictures=FEWEST_TO_FIT - 1)
    assert fit(probabilities, truth, reject=0.02) == Confidence()


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_asked_share_is_unknown(temperature):
    """Of the pictures that were fitted to, 2 of 100; and those whose best label stands out least."""
    probabilities, truth = boastful(temperature)
    fitted = fit(probabilities, truth, reject=0.02)
    unknown = fitted.unknown(fitted.calibrated(probabilities))
    assert unknown.mean() == pytest.approx(0.02, abs=0.001)
    stand_out = familiarity(probabilities)
    assert stand_out[unknown].max() <= stand_out[~unknown].min() + 1e-5


def test_what_the_model_was_never_shown_stands_out_less():
    """One large logit among small ones is familiar; two middling ones that leave the rest behind are not."""
    known, strange = softmax(np.array([[14.0, 0.0, 0.0, 0.0], [9.0, 1.0, 6.0, 5.0]]))
    assert known[0] > 0.999
    assert strange[0] > 0.9
    assert familiarity(known[None])[0] > 0.8
    assert familiarity(strange[None])[0] < 0.5


def test_without_a_threshold_nothing_is_unknown():
    """Models that were exported before keep all their labels."""
    assert not Confidence(temperature=2.0).unknown(np.full((3, 4), 0.25, np.float32)).any()
    assert UNKNOWN == "unknown"
    assert REJECT_TEMPERATURE > 1


def test_risk_falls_with_coverage():
    """Of ten answers the two least sure are wrong: no risk up to 80 %, 2 of 10 at all of them."""
    scores = np.linspace(1.0, 0.1, 10)
    right = np.arange(10) < 8
    curve = dict(risk_coverage(scores, right, points=10))
    assert curve == {**{n / 10: 0.0 for n in range(1, 9)}, 0.9: pytest.approx(1 / 9, abs=1e-4), 1.0: 0.2}


@pytest.mark.parametrize("numbers", [{"temperature": 0.0}, {"temperature": float("nan")}, {"reject_below": 1.5}])
def test_what_gives_no_probabilities_is_refused(numbers):
    """A card that was edited by hand is found out."""
    with pytest.raises(ModelError, match="expected temperatures above 0"):
        Confidence(**numbers)


def test_several_looks_say_one_thing():
    """Their geometric mean, so that the surer one leads; one look is what it is; none alone rules a label out."""
    sure, doubtful = [0.98, 0.01, 0.01], [0.4, 0.5, 0.1]
    looks = np.array([sure, doubtful, doubtful, [1.0, 0.0, 0.0], [0.0, 0.999, 0.001], [0.0, 0.999, 0.001]], np.float32)
    both, one, three = together(looks, [2, 1, 3])
    mean = np.sqrt(np.multiply(sure, doubtful))
    assert both == pytest.approx(mean / mean.sum(), abs=1e-5)
    assert one == pytest.approx(doubtful)
    assert three.argmax() == 1
    assert together(looks, [1] * 6) is looks
