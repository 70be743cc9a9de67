"""Tests of calibration and rejection on synthetic probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import ModelError, metrics
from edgecls.model.confidence import (
    MIN_PICTURES_TO_FIT,
    REJECT_TEMPERATURE,
    UNKNOWN,
    Confidence,
    combine_views,
    familiarity,
    fit,
    risk_coverage,
    tempered,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def boastful(temperature: float, pictures: int = 20_000, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities that dividing the logits by `temperature` calibrates, and the true classes."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (pictures, classes))
    truth = np.array([rng.choice(classes, p=p / p.sum()) for p in softmax(logits).astype(np.float64)])
    return softmax(logits * temperature), truth


def test_a_temperature_divides_the_logits():
    """Scaling probabilities gives the same as scaling logits; the order of the labels stays, sums are 1."""
    logits = np.random.default_rng(1).normal(0, 3, (50, 7))
    for temperature in (0.5, 1.0, 3.0):
        assert tempered(softmax(logits), temperature) == pytest.approx(softmax(logits / temperature), abs=1e-5)


def test_probabilities_of_zero_stay_small():
    """Probabilities of 0 give no NaN."""
    found = tempered(np.array([[1.0, 0.0, 0.0]], np.float32), 2.0)
    assert found.sum() == pytest.approx(1)
    assert found[0, 1] < 1e-10


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    """The fit finds a known temperature, above or below 1; afterwards scores equal the share of right predictions."""
    probabilities, truth = boastful(temperature)
    fitted = fit(probabilities, truth, reject=0.0)
    assert fitted.temperature == pytest.approx(temperature, rel=0.05)
    calibrated = fitted.calibrated(probabilities)
    right = calibrated.argmax(axis=1) == truth
    assert metrics.calibration_error(calibrated.max(axis=1).astype(np.float64), right) < 0.015


def test_a_model_without_a_mistake_is_not_certain():
    """With all of 200 pictures right, the scores stay below what 200 pictures can show."""
    truth = np.arange(200) % 4
    probabilities = np.full((200, 4), 0.02, np.float32)
    probabilities[np.arange(200), truth] = 0.94
    fitted = fit(probabilities, truth, reject=0.0)
    assert 0.99 < fitted.calibrated(probabilities).max() < 0.999


def test_too_few_pictures_change_nothing():
    """A handful of pictures gives the defaults."""
    probabilities, truth = boastful(3.0, pictures=MIN_PICTURES_TO_FIT - 1)
    assert fit(probabilities, truth, reject=0.02) == Confidence()


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_asked_share_is_unknown(temperature):
    """Of the fitted pictures, 2 in 100 are unknown: those whose best label stands out least."""
    probabilities, truth = boastful(temperature)
    fitted = fit(probabilities, truth, reject=0.02)
    unknown = fitted.unknown(fitted.calibrated(probabilities))
    assert unknown.mean() == pytest.approx(0.02, abs=0.001)
    stand_out = familiarity(probabilities)
    assert stand_out[unknown].max() <= stand_out[~unknown].min() + 1e-5


def test_what_the_model_was_never_shown_stands_out_less():
    """One large logit among small ones is familiar; two medium ones above the others are not."""
    known, strange = softmax(np.array([[14.0, 0.0, 0.0, 0.0], [9.0, 1.0, 6.0, 5.0]]))
    assert known[0] > 0.999
    assert strange[0] > 0.9
    assert familiarity(known[None])[0] > 0.8
    assert familiarity(strange[None])[0] < 0.5


def test_without_a_threshold_nothing_is_unknown():
    """Models exported without a threshold keep all their labels."""
    assert not Confidence(temperature=2.0).unknown(np.full((3, 4), 0.25, np.float32)).any()
    assert UNKNOWN == "unknown"
    assert REJECT_TEMPERATURE > 1


def test_risk_falls_with_coverage():
    """The two least certain of ten predictions are wrong: the risk is 0 up to a coverage of 80 %, and 0.2 at 100 %."""
    scores = np.linspace(1.0, 0.1, 10)
    right = np.arange(10) < 8
    curve = dict(risk_coverage(scores, right, points=10))
    assert curve == {**{n / 10: 0.0 for n in range(1, 9)}, 0.9: pytest.approx(1 / 9, abs=1e-4), 1.0: 0.2}


@pytest.mark.parametrize("numbers", [{"temperature": 0.0}, {"temperature": float("nan")}, {"reject_below": 1.5}])
def test_what_gives_no_probabilities_is_refused(numbers):
    """Invalid values, as on a card edited by hand, are rejected."""
    with pytest.raises(ModelError, match="expected temperatures above 0"):
        Confidence(**numbers)


def test_several_looks_say_one_thing():
    """The result is the geometric mean, led by the more certain view. A single view is unchanged. No view rules a label out."""
    sure, doubtful = [0.98, 0.01, 0.01], [0.4, 0.5, 0.1]
    views = np.array([sure, doubtful, doubtful, [1.0, 0.0, 0.0], [0.0, 0.999, 0.001], [0.0, 0.999, 0.001]], np.float32)
    both, one, three = combine_views(views, [2, 1, 3])
    mean = np.sqrt(np.multiply(sure, doubtful))
    assert both == pytest.approx(mean / mean.sum(), abs=1e-5)
    assert one == pytest.approx(doubtful)
    assert three.argmax() == 1
    assert combine_views(views, [1] * 6) is views
