"""Decide which boxes with a low score show an object that was there before (ByteTrack, Zhang et al. 2022).

An object that is half hidden or blurred has a low score, and so has noise. Both are told apart by where they are: boxes with a
high score are first matched with the objects that are known, each where it is predicted to be, then those with a low score with
the objects that are left. What matches goes on; the rest of the low ones is noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.detect.boxes import Boxes

SAME_PLACE = 0.2
"""A box overlaps the predicted box of its object by at least this intersection over union."""
SPEED_GAIN = 0.5
"""How far a box corrects the speed of its object."""
SHORTEST_S = 1e-3
"""Frames that are less than this apart say nothing about speed."""


class LowScores:
    """The objects of one camera and where they are predicted. Pass it the boxes of each frame that the detector sees."""

    def __init__(self, score: float, lost_s: float) -> None:
        """Start without objects.

        Args:
            score: Boxes with at least this score (0..1) begin an object.
            lost_s: An object without a box for longer than this is forgotten. Seconds.
        """
        self._score, self._lost_s = score, lost_s
        self.forget()

    def forget(self) -> None:
        """Forget all objects."""
        self._corners = np.zeros((0, 4), np.float32)
        self._speed = np.zeros((0, 4), np.float32)
        self._last_s = np.zeros(0)

    def lasting(self, found: Boxes, now_s: float) -> Boxes:
        """Return the boxes with a high score, and for each object that none of them continues, at most one with a low score.

        Args:
            found: All boxes of a frame.
            now_s: Its media time in seconds.
        """
        high, low = np.flatnonzero(found.scores >= self._score), np.flatnonzero(found.scores < self._score)
        passed_s = now_s - self._last_s
        known = passed_s <= self._lost_s
        corners, speed, passed_s = self._corners[known], self._speed[known], passed_s[known]
        predicted = corners + speed * passed_s[:, None].astype(np.float32)
        common = overlaps(found.corners, predicted)
        of_high, ends = matched(common[high])
        left = np.setdiff1d(np.arange(len(predicted)), ends)
        of_low, more = matched(common[np.ix_(low, left)])
        boxes = np.concatenate([high[of_high], low[of_low]]).astype(np.int64)
        objects = np.concatenate([ends, left[more]]).astype(np.int64)
        kept = np.setdiff1d(np.arange(len(predicted)), objects)
        new = np.setdiff1d(high, boxes)
        moved = _of_middle(found.corners[boxes] - corners[objects])
        seen_speed = moved / np.maximum(passed_s[objects], SHORTEST_S)[:, None]
        is_first = ~speed[objects].any(axis=1)
        gain = np.where(is_first, 1.0, SPEED_GAIN)[:, None]
        next_speed = speed[objects] + gain * (seen_speed - speed[objects])
        self._corners = np.concatenate([found.corners[boxes], found.corners[new], corners[kept]])
        self._speed = np.concatenate([next_speed, np.zeros((len(new), 4)), speed[kept]]).astype(np.float32)
        self._last_s = np.concatenate([np.full(len(boxes) + len(new), now_s), self._last_s[known][kept]])
        return found.take(np.sort(np.concatenate([boxes, new])))


def _of_middle(moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far middles have moved, twice each, from how far corners have, (N, 4): hidden parts change the size."""
    middle = (moved[:, :2] + moved[:, 2:]) / 2
    return np.concatenate([middle, middle], axis=1)


def matched(common: NDArray[np.float32]) -> tuple[list[int], list[int]]:
    """Match rows and columns one to one, greedily by overlap. Returns the matched rows, and their columns."""
    left, rows, columns = common.copy(), [], []
    while left.size and left.max() >= SAME_PLACE:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        rows.append(int(row))
        columns.append(int(column))
        left[row, :] = left[:, column] = 0
    return rows, columns
