"""Where something moves: the boxes of what is not background, to be classified and followed.

OpenCV's background subtractors learn each pixel on its own. That is right for leaves and lamps, and wrong for a camera that
opens or closes its iris when a bright car comes, which changes all pixels at once. So before the subtraction each frame is
brought to the exposure of the learned background, by the curve from level to level that most pixels agree on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from edgecls import image
from edgecls.frame import Box, Region
from edgecls.image.opencv import cv2
from edgecls.run.rules import MOTION
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Frame, Picture
    from edgecls.run.shapes import Polygon

FOREGROUND = 255
BACKGROUND_SHARE = 0.7
"""What a pixel showed for so much of the time is background: what stops joins it after a third of the history."""
DISTANCE = {"mog2": 25.0, "knn": 400.0}
"""The squared distance of levels from which on a pixel is foreground, in variances for MOG2, in levels for KNN."""
CURVE_POINTS = 16
FEWEST_PIXELS = 50
"""Of a level range, for its median to be believed."""
SAME = 3
"""Levels: medians that are no further apart are of the same exposure."""
GAP_ABOVE, GAP_BESIDE = 1 / 40, 1 / 100
"""Parts of one thing may lie so far above each other and so far beside each other, as shares of the width: who walks beside
somebody is another one.
"""
PLAIN, ALIKE = 3.0, 0.75
"""The deviation of levels up to which a place is plain, and the correlation from which on two are the same place."""
AROUND = 2
"""Pixels around a box by which it is told whether the place looks as before: a box alone may hold half of a road marking."""
EVERYTHING = 0.6
"""Where so much of the frame seems to move the light has changed, or the camera: the background is learned anew."""


@dataclass(frozen=True, slots=True)
class MotionRule:
    """What counts as motion.

    Frames are looked at `width` pixels wide. A box takes from `smallest` to `largest` of the frame's area. The background is
    what most of the last `history_s` looked like; during the first `warm_up_s` it is learned and nothing moves. What moves is
    classified twice, as tight as its box is and with `around` of the longer side added on all sides (0: tight alone): pictures
    to learn from are cut tightly of some things, and with much around them of others.
    """

    method: Literal["mog2", "knn"] = "mog2"
    width: int = 320
    smallest: float = 0.001
    largest: float = 0.9
    history_s: float = 60.0
    warm_up_s: float = 2.0
    around: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what sees nothing."""
        check("width", self.width, 32 <= self.width <= 4096, "from 32 to 4096 pixels")
        check("smallest", self.smallest, 0 <= self.smallest < self.largest, f"from 0 to below largest ({self.largest:g})")
        check("largest", self.largest, 0 < self.largest <= 1, "a share of the frame, up to 1")
        check("history_s", self.history_s, 1 <= self.history_s < inf, "1 or more seconds")
        check("warm_up_s", self.warm_up_s, 0 <= self.warm_up_s < self.history_s, "0 or more seconds, below history_s")
        check("around", self.around, 0 <= self.around <= 2, "from 0 to 2 times the longer side")


class Motion:
    """The regions of one camera's frames that move, each called "motion". Give it the frames in order.

    Only what has its middle in one of the areas `within` counts (none: all of the frame), and in none of `outside`.
    """

    def __init__(self, rule: MotionRule, *, within: Sequence[Polygon] = (), outside: Sequence[Polygon] = ()) -> None:
        """Learn from the first frame on."""
        self._rule = rule
        self._within, self._outside = within, outside
        self._size_hw: tuple[int, int] | None = None
        self._learner: Any = None
        self._background: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._began_s = self._last_s = 0.0

    def __call__(self, frame: Frame) -> list[Region]:
        """Return the boxes of what moves in this frame, in pixels of the frame, from left to right."""
        small = image.overview(frame, self._rule.width)
        if self._learner is None or small.shape != self._background.shape or frame.size_hw != self._size_hw:
            self._start(frame, small)
        exposed = as_exposed(small, self._background.astype(np.uint8))
        rate = self._rate(frame.time_s)
        moving = self._learner.apply(exposed, learningRate=rate) == FOREGROUND
        warm = frame.time_s - self._began_s >= self._rule.warm_up_s
        if warm and moving.mean() > EVERYTHING:
            self._start(frame, small)
            self._learner.apply(small, learningRate=1.0)
            return []
        cv2.accumulateWeighted(exposed, self._background, rate, (~moving).astype(np.uint8))
        self._last_s = frame.time_s
        return self._regions(small, moving, frame.size_hw) if warm else []

    def _start(self, frame: Frame, small: Picture) -> None:
        make = {"mog2": cv2.createBackgroundSubtractorMOG2, "knn": cv2.createBackgroundSubtractorKNN}[self._rule.method]
        self._learner = cast("Any", make)(500, DISTANCE[self._rule.method], True)
        if self._rule.method == "mog2":
            self._learner.setBackgroundRatio(BACKGROUND_SHARE)
        self._background = small.astype(np.float32)
        self._size_hw = frame.size_hw
        self._began_s = self._last_s = frame.time_s

    def _rate(self, time_s: float) -> float:
        """How much of the background this frame is: as much as each of those before at first, later by its time."""
        watched_s, step_s = time_s - self._began_s, time_s - self._last_s
        return min(1.0, step_s / max(step_s, min(watched_s, self._rule.history_s), 1e-3)) if watched_s else 1.0

    def _regions(self, small: Picture, moving: NDArray[np.bool_], size_hw: tuple[int, int]) -> list[Region]:
        rule = self._rule
        high, wide = moving.shape
        gap = [max(3, round(wide * share)) | 1 for share in (GAP_ABOVE, GAP_BESIDE)]
        clean = cv2.medianBlur(moving.astype(np.uint8), 3)
        clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones(gap, np.uint8))
        found = cv2.connectedComponentsWithStats(clean)[2][1:]
        regions = []
        for left, top, width, height, _pixels in found.tolist():
            middle = (left + width / 2) / wide, (top + height / 2) / high
            here = tuple(slice(max(0, at - AROUND), at + long + AROUND) for at, long in ((top, height), (left, width)))
            in_size = rule.smallest <= width * height / (wide * high) <= rule.largest
            if in_size and self._wanted(middle) and not _only_lit(small[here], self._background[here]):
                x, y = size_hw[1] / wide, size_hw[0] / high
                box = Box(int(left * x), int(top * y), round((left + width) * x), round((top + height) * y))
                regions.append(Region(MOTION, box, _grown(box, rule.around, size_hw) if rule.around else None))
        return sorted(one for one in regions if not any(_within(one.box, other.box) for other in regions if other is not one))

    def _wanted(self, point: tuple[float, float]) -> bool:
        inside = not self._within or any(area.holds(point) for area in self._within)
        return inside and not any(area.holds(point) for area in self._outside)


def _grown(box: Box, around: float, size_hw: tuple[int, int]) -> Box:
    """A box with so much of its longer side added on all sides, as far as the frame goes."""
    left, top, right, bottom = box
    more = round(around * max(right - left, bottom - top))
    return Box(max(0, left - more), max(0, top - more), min(size_hw[1], right + more), min(size_hw[0], bottom + more))


def _within(one: Box, other: Box) -> bool:
    """Whether a box lies in another: what is seen through the window of a van is a part of the van."""
    return other.left <= one.left and other.top <= one.top and one.right <= other.right and one.bottom <= other.bottom


def _only_lit(picture: Picture, background: NDArray[np.float32]) -> bool:
    """Whether a place looks as it did, in another light or a pixel aside: its levels go with those of the background. Of a
    plain place nobody can tell.
    """
    inner = background[1:-1, 1:-1]
    if min(inner.shape) < 3 or float(inner.std()) <= PLAIN:
        return False
    return float(cv2.matchTemplate(picture.astype(np.float32), inner, cv2.TM_CCOEFF_NORMED).max()) > ALIKE


def as_exposed(picture: Picture, like: Picture) -> Picture:
    """Bring a picture to the exposure of another one of the same place: (H, W) uint8 each, returns the same.

    Pixels are taken together by their level in `like`; the median of what they are in `picture` gives one point of the curve
    from level to level. A thing that is in one of the pictures alone does not move a median, unless it covers half of the
    pixels of a level.
    """
    both = cv2.calcHist([like, picture], [0, 1], None, [256, 256], [0, 256, 0, 256])  # sorting the pixels takes 3 times as long
    pixels = both.sum(axis=1)
    middle = np.cumsum(pixels) - pixels / 2
    ends = np.searchsorted(middle, np.arange(CURVE_POINTS + 1) * picture.size / CURVE_POINTS)
    parts = [slice(a, b) for a, b in pairwise(ends.tolist()) if pixels[a:b].sum() >= FEWEST_PIXELS]
    if not parts:
        return picture
    target = np.array([part.start + _median(pixels[part]) for part in parts])
    level = np.maximum.accumulate([float(_median(both[part].sum(axis=0))) for part in parts])
    if np.abs(target - level).max() < SAME:
        return picture
    levels, which = np.unique(level, return_inverse=True)
    targets = np.bincount(which, target) / np.bincount(which)
    white = max(targets[-1], 255 * (targets[-1] + 1) / (levels[-1] + 1))
    black, bright = ([0.0] if levels[0] > 0 else []), levels[-1] < 255
    curve = np.interp(
        np.arange(256), [*black, *levels, *([255.0] if bright else [])], [*black, *targets, *([white] if bright else [])]
    )
    return cast("Picture", cv2.LUT(picture, np.clip(curve + 0.5, 0, 255).astype(np.uint8)))


def _median(counts: NDArray[np.float32]) -> int:
    """The level in the middle, of so many pixels of each level."""
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
