"""Find moving objects by background subtraction, as boxes to classify and track.

OpenCV's background subtractors learn each pixel independently. That suits leaves and lamps, but not a camera whose automatic
exposure changes all pixels at once when a bright car arrives. Each frame is therefore first matched to the exposure of the
learned background, with the tone curve that most pixels agree on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from edgecls import image
from edgecls.frame import MOTION, Box, Region
from edgecls.image.opencv import cv2
from edgecls.settings import check, check_limits, limited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Frame, Picture, Unwatched
    from edgecls.regions.geometry import Polygon

FOREGROUND = 255
BACKGROUND_SHARE = 0.7
"""What a pixel shows for this share of the time is background. An object that stops joins it after a third of the history."""
DISTANCE = {"mog2": 25.0, "knn": 400.0}
"""The squared distance above which a pixel is foreground: in variances for MOG2, in squared levels for KNN."""
CURVE_POINTS = 16
FEWEST_PIXELS = 50
"""The fewest pixels in a range of levels for its median to be used."""
SAME = 3
"""If no medians differ by more levels than this, the exposure is the same."""
GAP_ABOVE, GAP_BESIDE = 1 / 40, 1 / 100
"""How far parts of one object may be apart vertically and horizontally, as shares of the width. Horizontally less, because two
people walking side by side are two objects.
"""
PLAIN, ALIKE = 3.0, 0.75
"""An area with at most this standard deviation of levels has no texture; with more than this correlation, two show the same."""
AROUND = 2
"""Pixels added around a box to compare it with the background: the box alone may contain only half of a road marking."""
MOST_REGIONS = 1000
KEPT = 4.0
"""Boxes classified in the previous frame count as this many times larger. Otherwise their tracks would be lost."""
EVERYTHING = 0.6
"""If more than this share of the frame seems to move, the light or the camera has changed: the background is learned again."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What counts as motion.

    Attributes:
        method: OpenCV's background subtractor: "mog2" or "knn".
        width: Frames are analysed at this width, in pixels (32 to 4096).
        smallest: The smallest box, as a share of the frame's area.
        largest: The largest box, as a share of the frame's area.
        history_s: The background is what most of the last `history_s` seconds looked like.
        warm_up_s: During the first `warm_up_s` seconds the background is learned, and no motion is reported.
        around: Each moving region is classified twice, tightly and with this share of its longer side added on all sides,
            because some training sets are cropped tightly and others are not. 0: tightly only.
        max_regions: At most this many boxes per frame are classified, so that a crowded camera does not slow down others.
            Large boxes come first; those classified in the previous frame come before new ones up to four times as large.
            The rest are counted in `edgecls.Result.left_out`.
    """

    method: Literal["mog2", "knn"] = "mog2"
    width: int = limited(320, at_least=32, at_most=4096, unit="pixels")
    smallest: float = limited(0.001, at_least=0, below=1)
    largest: float = limited(0.9, above=0, at_most=1, expected="a share of the frame, up to 1")
    history_s: float = limited(60.0, at_least=1, unit="seconds")
    warm_up_s: float = limited(2.0, at_least=0, unit="seconds")
    around: float = limited(0.2, at_least=0, at_most=2, unit="times the longer side")
    max_regions: int = limited(32, at_least=1, at_most=MOST_REGIONS)

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)
        check("smallest", self.smallest, self.smallest < self.largest, f"from 0 to below largest ({self.largest:g})")
        check("warm_up_s", self.warm_up_s, self.warm_up_s < self.history_s, "0 or more seconds, below history_s")


class Motion:
    """Finds the moving regions of one camera, each called "motion". Pass it the camera's frames in order.

    Example:
        pipeline = edgecls.Pipeline(classifier, regions=edgecls.Motion(edgecls.MotionSettings(smallest=0.005)))
    """

    def __init__(self, rule: MotionSettings, *, within: Sequence[Polygon] = (), outside: Sequence[Polygon] = ()) -> None:
        """Start without a background.

        Args:
            rule: What counts as motion.
            within: Only boxes whose center is in one of these areas count. Empty: the whole frame.
            outside: Boxes whose center is in one of these areas do not count.
        """
        self._rule = rule
        self._within, self._outside = within, outside
        self._size_hw: tuple[int, int] | None = None
        self._learner: Any = None
        self._background: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._began_s = self._last_s = 0.0
        self._learns: Unwatched = "warm-up"  # why the background is learned
        self._before: list[list[int]] = []  # the boxes of the frame before: left, top, width, height in the small picture

    def __call__(self, frame: Frame) -> list[Region]:
        """Return the moving regions of this frame, with boxes in pixels of the frame, from left to right."""
        small = image.overview(frame, self._rule.width)
        if self._learner is None or small.shape != self._background.shape or frame.size_hw != self._size_hw:
            self._start(frame, small, "warm-up")
        exposed = as_exposed(small, self._background.astype(np.uint8))
        rate = self._rate(frame.time_s)
        moving = self._learner.apply(exposed, learningRate=rate) == FOREGROUND
        warm = frame.time_s - self._began_s >= self._rule.warm_up_s
        frame.foreground, frame.unwatched = moving, "" if warm else self._learns
        if warm and moving.mean() > EVERYTHING:
            self._start(frame, small, "everything moves")
            frame.unwatched = self._learns
            self._learner.apply(small, learningRate=1.0)
            return []
        cv2.accumulateWeighted(exposed, self._background, rate, (~moving).astype(np.uint8))
        self._last_s = frame.time_s
        if not warm:
            return []
        regions, frame.left_out = self._regions(small, moving, frame.size_hw)
        return regions

    def _start(self, frame: Frame, small: Picture, why: Unwatched) -> None:
        make = {"mog2": cv2.createBackgroundSubtractorMOG2, "knn": cv2.createBackgroundSubtractorKNN}[self._rule.method]
        self._learner = cast("Any", make)(500, DISTANCE[self._rule.method], True)
        if self._rule.method == "mog2":
            self._learner.setBackgroundRatio(BACKGROUND_SHARE)
        self._background = small.astype(np.float32)
        self._size_hw = frame.size_hw
        self._began_s = self._last_s = frame.time_s
        self._learns = why

    def _rate(self, time_s: float) -> float:
        """Return the weight of this frame in the background: at first that of each earlier frame, later by its duration."""
        watched_s, step_s = time_s - self._began_s, time_s - self._last_s
        return min(1.0, step_s / max(step_s, min(watched_s, self._rule.history_s), 1e-3)) if watched_s else 1.0

    def _regions(
        self, small: Picture, moving: NDArray[np.bool_], size_hw: tuple[int, int]
    ) -> tuple[list[Region], int]:  # fmt: skip
        """Return the moving regions, and the number of boxes left out."""
        rule = self._rule
        high, wide = moving.shape
        gap = [max(3, round(wide * share)) | 1 for share in (GAP_ABOVE, GAP_BESIDE)]
        clean = cv2.medianBlur(moving.astype(np.uint8), 3)
        clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones(gap, np.uint8))
        found = cv2.connectedComponentsWithStats(clean)[2][1:]
        boxes = []
        for left, top, width, height, _pixels in found.tolist():
            in_size = rule.smallest <= width * height / (wide * high) <= rule.largest
            if in_size and self._wanted(((left + width / 2) / wide, (top + height / 2) / high)):
                boxes.append([left, top, width, height])
        chosen, left_out = self._choose(small, boxes)
        x, y = size_hw[1] / wide, size_hw[0] / high
        regions = []
        for left, top, width, height in chosen:
            box = Box(int(left * x), int(top * y), round((left + width) * x), round((top + height) * y))
            regions.append(Region(MOTION, box, _grown(box, rule.around, size_hw) if rule.around else None))
        return sorted(regions), left_out

    def _choose(self, small: Picture, boxes: list[list[int]]) -> tuple[list[list[int]], int]:
        """Choose the best boxes that are not just a change of light and not inside another box.

        Returns:
            The boxes, and the number of boxes left out.
        """
        order = boxes if len(boxes) <= self._rule.max_regions else _best_first(boxes, self._before)
        chosen: list[list[int]] = []
        seen = 0
        for box in order:
            if len(chosen) == self._rule.max_regions:
                break
            seen += 1
            left, top, width, height = box
            here = tuple(slice(max(0, at - AROUND), at + long + AROUND) for at, long in ((top, height), (left, width)))
            if not _only_lit(small[here], self._background[here]):
                chosen.append(box)
        self._before = chosen
        return _outermost(chosen), len(boxes) - seen

    def _wanted(self, point: tuple[float, float]) -> bool:
        inside = not self._within or any(area.holds(point) for area in self._within)
        return inside and not any(area.holds(point) for area in self._outside)


def _grown(box: Box, around: float, size_hw: tuple[int, int]) -> Box:
    """Return a box enlarged on all sides by a share of its longer side, clipped to the frame."""
    left, top, right, bottom = box
    more = round(around * max(right - left, bottom - top))
    return Box(max(0, left - more), max(0, top - more), min(size_hw[1], right + more), min(size_hw[0], bottom + more))


def _best_first(boxes: list[list[int]], before: list[list[int]]) -> list[list[int]]:
    """Sort boxes (left, top, width, height) by size, largest first. Those that overlap one of `before` count as larger."""
    now, then = (np.asarray(some, np.float64).reshape(-1, 4) for some in (boxes, before))
    low = np.maximum(now[:, None, :2], then[None, :, :2])
    high = np.minimum(now[:, None, :2] + now[:, None, 2:], then[None, :, :2] + then[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    area = now[:, 2:].prod(axis=1)
    smaller = np.minimum(area[:, None], then[:, 2:].prod(axis=1)[None, :])
    is_kept = (common > smaller / 2).any(axis=1)
    return [boxes[i] for i in np.argsort(-area * np.where(is_kept, KEPT, 1.0), kind="stable").tolist()]


def _outermost(boxes: list[list[int]]) -> list[list[int]]:
    """Return the boxes that are not inside another one: what moves behind the window of a van is part of the van."""
    if len(boxes) < 2:
        return boxes
    sides = np.asarray(boxes)
    low, high = sides[:, :2], sides[:, :2] + sides[:, 2:]
    within = (low[None] <= low[:, None]).all(axis=2) & (high[:, None] <= high[None]).all(axis=2)
    np.fill_diagonal(within, val=False)
    return [box for box, inner in zip(boxes, within.any(axis=1).tolist(), strict=True) if not inner]


def _only_lit(picture: Picture, background: NDArray[np.float32]) -> bool:
    """Whether an area looks like the background in another light or shifted by a pixel: their levels correlate. For an area
    without texture the answer is always False.
    """
    inner = background[1:-1, 1:-1]
    if min(inner.shape) < 3 or float(inner.std()) <= PLAIN:
        return False
    return float(cv2.matchTemplate(picture.astype(np.float32), inner, cv2.TM_CCOEFF_NORMED).max()) > ALIKE


def as_exposed(picture: Picture, like: Picture) -> Picture:
    """Match the exposure of a picture to that of another one of the same scene.

    Pixels are grouped by their level in `like`. The median of each group in `picture` gives one point of the tone curve. An
    object in only one of the pictures does not shift a median unless it covers half of the pixels of a group.

    Args:
        picture: (H, W) uint8.
        like: (H, W) uint8.

    Returns:
        `picture` with the exposure of `like`: (H, W) uint8.
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
    """Return the median level of a histogram."""
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
