"""Lines are put together by hand, and observed without them, for speed. Here both are compared with the plain way."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from edgecls.errors import DataError
from edgecls.event import Moment
from edgecls.events.observation import observe, rounded_score
from edgecls.frame import WHOLE_FRAME, Box, Detection, Prediction, Result, Timing, Unfit
from edgecls.labels.json_lines import observed, read_line, to_line, to_thinned_line
from edgecls.text.strict_json import dumps
from tests.run.world import frame

NAMES = ("gate", "a b", 'a "quoted"\nname', "", "Größe", "\u2028", "🚗", "caf\udce9", "\x7f\x85\x00", "\\", "frame", "motion")
SCORES = (0.0, -0.0, 1.0, 1, 0, 0.5, 1e-3, 1e-4, 9.99999e-5, 1e-7, 5e-8, 4.9e-8, 5e-324, 0.99999995, 0.9999999, 0.99999994,
          0.00100005, 0.12345675, 0.00000015, 1 - 2**-53, 1 + 1e-6, -1e-6, 0.1 + 0.2)  # fmt: skip
NOT_FINITE = (math.nan, math.inf, -math.inf)


def plain_record(result: Result) -> dict[str, Any]:
    """What a line says, as plain values."""

    def prediction_of(prediction: Prediction) -> dict[str, Any]:
        top = [[label, round(score, 7)] for label, score in prediction.top]
        return {"label": prediction.label, "score": round(prediction.score, 7), "top": top}

    def moment_of(moment: Moment) -> dict[str, Any]:
        at_s = None if moment.at_s is None else round(moment.at_s, 3)
        record = {"frame": moment.frame, "time_s": round(moment.time_s, 3), "at_s": at_s}
        return {**record, "file": moment.file} if moment.file else record

    of, found, unfit = result.frame, result.detections, result.unfit
    record: dict[str, Any] = {
        "camera": of.camera,
        "frame": of.index,
        "time_s": round(of.time_s, 3),
        "age_ms": round(result.timing.age_ms, 1),
        **(prediction_of(found[0].prediction) if found else {"label": None, "score": None, "top": []}),
    }
    if of.at_s is not None:
        record["at_s"] = round(of.at_s, 3)
    if of.file:
        record["file"] = of.file
    if [d.region for d in found] != [WHOLE_FRAME]:
        record["size"] = [of.size_hw[1], of.size_hw[0]]
        record["detections"] = [{"region": d.region, "box": list(d.box), **prediction_of(d.prediction)} for d in found]
    if result.left_out:
        record["regions_left_out"] = result.left_out
    if unfit is not None:
        record["unfit"] = {"fault": unfit.fault, "since": moment_of(unfit.since), "last": moment_of(unfit.last)}
        record["unfit"] |= {"classified": True} if unfit.classified else {}
    return record


class Scene:
    """Random results of every form."""

    def __init__(self, seed: int, *, scores: tuple[float, ...] = SCORES) -> None:
        """`scores` are given beside random ones."""
        self._rng = random.Random(seed)  # noqa: S311 - nothing secret
        self._scores = scores

    def result(self) -> Result:
        """One of no regions, the whole frame, or several; with and without file, time of day, fault."""
        rng = self._rng
        of = frame(rng.randrange(10**6), camera=self._name(), size_hw=(rng.randint(2, 9), rng.randint(2, 9)))
        of.time_s = rng.choice((0.0, 0.0005, 1e9 + 0.12345, -0.0004, rng.uniform(0, 1e5)))
        of.at_s = rng.choice((None, rng.uniform(0, 2e9)))
        of.file = rng.choice(("", self._name()))
        of.left_out = rng.choice((0, 0, 7))
        regions = rng.choice(((), (WHOLE_FRAME,), (self._name(),), (WHOLE_FRAME, self._name()), [self._name()] * 5))
        found = tuple(Detection(self._box(), self._prediction(), region) for region in regions)
        return Result(of, found, Timing(0, 0, rng.choice((0.04, 0.05, 3.14159, 1e6))), self._unfit())

    def _name(self) -> str:
        return self._rng.choice(NAMES)

    def _box(self) -> Box:
        return Box(*(self._rng.randint(-5, 5000) for _ in range(4)))

    def _score(self) -> float:
        rng = self._rng
        return rng.choice((rng.random(), rng.random() ** 9, rng.randrange(10**8) / 1e8, rng.choice(self._scores)))

    def _prediction(self) -> Prediction:
        top = tuple((self._name(), self._score()) for _ in range(self._rng.randint(0, 5)))
        return Prediction(self._name(), self._rng.choice([self._score(), *(score for _, score in top)]), 3, top)

    def _unfit(self) -> Unfit | None:
        rng = self._rng
        if rng.random() < 0.7:
            return None
        since = Moment(3, rng.uniform(0, 9), rng.choice((None, 12.34567)), self._name())
        return Unfit("black", since, Moment(8, rng.uniform(9, 10)), rng.random() < 0.5)


@pytest.mark.parametrize("seed", range(8))
def test_lines_are_those_of_json_dumps(seed):
    """Byte for byte, whatever the scores, the names, and the rest; with a number of frames left out, too."""
    scene = Scene(seed, scores=(*SCORES, *NOT_FINITE))
    for _ in range(250):
        one = scene.result()
        assert to_line(one) == dumps(plain_record(one))
        assert to_thinned_line(one, 3) == dumps({**plain_record(one), "left_out": 3})


@pytest.mark.parametrize("seed", range(8))
def test_a_result_is_observed_as_its_line_is(seed):
    """To the last bit, so that the events of a recording are those of its run."""
    scene = Scene(seed)
    for _ in range(250):
        one = scene.result()
        assert repr(observe(one)) == repr(read_line(to_line(one), "line 1"))


@pytest.mark.parametrize("score", NOT_FINITE)
def test_scores_that_are_no_numbers_are_observed_as_they_are(score):
    """They have no value in a line, which then is not read."""
    one = Result(frame(1), (Detection(Box(0, 0, 9, 9), Prediction("a", score, 0, (("a", score),)), "left"),), Timing(0, 0, 0))
    assert repr(observe(one)) == repr(observed(plain_record(one)))
    with pytest.raises(DataError, match="score: expected a score from 0 to 1"):
        read_line(to_line(one), "line 1")


def test_scores_are_rounded_as_round_does():
    """Where a score lies midway between two steps of 1e-7, and all around."""
    rng = random.Random(5)  # noqa: S311
    midway = [(rng.randrange(10**7) + 0.5) / 1e7 for _ in range(20_000)]
    near = [math.nextafter(score, side) for score in midway for side in (0.0, 1.0)]
    for score in [*midway, *near, *SCORES, *(rng.random() for _ in range(20_000))]:
        assert repr(rounded_score(score)) == repr(round(score, 7))
