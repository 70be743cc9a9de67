"""The input of event detection: a frame as its line of labels records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls.event import Moment
from edgecls.frame import WHOLE_FRAME, Box, Detection, Prediction, Unfit

if TYPE_CHECKING:
    from edgecls.frame import Result

SCORE_DIGITS = 7
"""Digits of a recorded score, so that recordings can be compared to 1e-6."""
TIME_DIGITS = 3
"""Digits of a recorded time in seconds."""
UNKNOWN_SIZE = (1, 1)
"""Width and height of a frame whose line is about the whole frame and so does not contain its size."""
_SCALE = 10.0**SCORE_DIGITS
_CLEARLY_NEAREST = 0.499


class Observation(NamedTuple):
    """A frame as its line of labels records it. Events are computed from nothing else, so a recording gives the same events."""

    camera: str
    moment: Moment
    size_hw: tuple[int, int]
    detections: tuple[Detection, ...]
    unfit: Unfit | None = None


def observe(result: Result) -> Observation:
    """Return the input of event detection: the result, with its numbers rounded as in its line of labels.

    `edgecls.labels.json_lines.read_line` returns the same for that line.
    """
    frame = result.frame
    detections = tuple([_rounded(d) for d in result.detections])
    size_hw = frame.size_hw
    if is_whole_frame(result):
        width, height = UNKNOWN_SIZE
        size_hw = height, width
        detections = (Detection(Box(0, 0, width, height), detections[0].prediction, WHOLE_FRAME),)
    at_s = None if frame.at_s is None else round(frame.at_s, TIME_DIGITS)
    moment = Moment(frame.index, round(frame.time_s, TIME_DIGITS), at_s, frame.file)
    unfit = result.unfit
    return Observation(frame.camera, moment, size_hw, detections, None if unfit is None else _rounded_unfit(unfit))


def _rounded(detection: Detection) -> Detection:
    score = detection.box_score
    prediction = rounded_prediction(detection.prediction)
    return Detection(detection.box, prediction, detection.region, None if score is None else rounded_score(score))


def is_whole_frame(result: Result) -> bool:
    """Whether the result is about the whole frame and no other region; its line then has neither boxes nor a size."""
    return len(result.detections) == 1 and result.detections[0].region == WHOLE_FRAME


def rounded_prediction(prediction: Prediction) -> Prediction:
    """Return a prediction as a line records it: with rounded scores and an unknown class index (-1)."""
    top = tuple([(label, rounded_score(score)) for label, score in prediction.top])
    labels = None if prediction.labels is None else tuple([(label, rounded_score(score)) for label, score in prediction.labels])
    return Prediction(prediction.label, float(rounded_score(prediction.score)), -1, top, labels)


def rounded_score(score: float) -> float:
    """Return `round(score, SCORE_DIGITS)`, in a third of its time.

    For a score from 0 to 1, the nearest whole number of steps is certain unless the score is about midway between two. One
    division then gives the float nearest to that decimal, as `round` does.
    """
    if type(score) is float and 0.0 < score <= 1.0:
        steps = score * _SCALE
        nearest = int(steps + 0.5)
        if -_CLEARLY_NEAREST < steps - nearest < _CLEARLY_NEAREST:
            return nearest / _SCALE
    return round(score, SCORE_DIGITS)


def rounded_moment(moment: Moment) -> Moment:
    """Return a moment as a line records it: with times rounded to milliseconds."""
    at_s = None if moment.at_s is None else round(moment.at_s, TIME_DIGITS)
    return moment._replace(time_s=round(moment.time_s, TIME_DIGITS), at_s=at_s)


def _rounded_unfit(unfit: Unfit) -> Unfit:
    return Unfit(unfit.fault, rounded_moment(unfit.since), rounded_moment(unfit.last), unfit.classified)
