"""Boxes with a low score go on with known objects where they are predicted, and begin none (ByteTrack)."""

from __future__ import annotations

import numpy as np

from edgecls.detect.boxes import Boxes
from edgecls.detect.low_scores import LowScores


def boxes(*rows) -> Boxes:
    """Return boxes from (left, top, right, bottom, score)."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Boxes(table[:, :4], table[:, 4], np.zeros(len(table), np.int64))


def lasting(*frames, step_s=0.2, lost_s=2.0) -> list[list[float]]:
    """Return the scores that are kept in each frame; frames are lists of rows."""
    scores = LowScores(0.4, lost_s)
    kept = [scores.lasting(boxes(*rows), index * step_s) for index, rows in enumerate(frames)]
    return [[round(score, 2) for score in one.scores.tolist()] for one in kept]


def car(left, score=0.9):
    """Return a car of 40 x 20 pixels."""
    return (left, 50, left + 40, 70, score)


def test_a_low_score_goes_on_where_the_speed_takes_it():
    """A car that moves by 28 of its 40 pixels a frame hardly overlaps where it was."""
    assert lasting([car(0)], [car(20)], [car(44)], [car(72, 0.2)]) == [[0.9], [0.9], [0.9], [0.2]]
    assert lasting([car(0)], [car(20)], [car(44)], [car(30, 0.2)])[-1] == []


def test_a_missed_object_goes_on_until_it_is_lost():
    """It is predicted over the frames without a box."""
    assert lasting([car(0)], [car(10)], [], [], [car(40, 0.2)])[-1] == [0.2]
    assert lasting([car(0)], [car(0)], [], [], [car(0, 0.2)], lost_s=0.5)[-1] == []


def test_high_scores_are_matched_first():
    """A second, weak box of an object begins nothing and takes no object from a strong one, however well it overlaps."""
    assert lasting([car(0)], [car(6, 0.5), car(0, 0.3)]) == [[0.9], [0.5]]
    assert lasting([car(0), car(100)], [car(6, 0.5), car(0, 0.3), car(96, 0.2)])[-1] == [0.5, 0.2]


def test_low_scores_begin_nothing():
    """Nor do they after the objects were forgotten."""
    assert lasting([car(0, 0.3)], [car(0, 0.3)]) == [[], []]
    scores = LowScores(0.4, 2.0)
    scores.lasting(boxes(car(0)), 0.0)
    scores.forget()
    assert not len(scores.lasting(boxes(car(0, 0.3)), 0.2).scores)


def test_a_turning_object_is_followed():
    """Its speed follows its boxes, so it is found at the new place."""
    frames = [[car(left)] for left in (0, 20, 40, 60, 45, 25)]
    assert lasting(*frames, [car(4, 0.2)])[-1] == [0.2]
