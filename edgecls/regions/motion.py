"""Find moving objects as boxes to classify and track: what differs from the background, without what is only another light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from edgecls import image
from edgecls.frame import MOTION, Box, Region
from edgecls.image.opencv import cv2
from edgecls.regions.background import FEWEST_PIXELS, Background
from edgecls.regions.components import components
from edgecls.regions.regions import grown
from edgecls.settings import check, check_limits, limited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Frame, Picture
    from edgecls.regions.geometry import Polygon

GAP_ABOVE, GAP_BESIDE = 1 / 40, 1 / 100
"""How far parts of one object may be apart vertically and horizontally, as shares of the width. Horizontally less, because two
people walking side by side are two objects.
"""
THINNEST = 2
"""A narrower box, in pixels of the small picture, is an edge that has moved, not an object."""
MOST_REGIONS = 1000
KEPT = 4.0
"""Boxes classified in the previous frame count as this many times larger. Otherwise their tracks would be lost."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What counts as motion.

    Attributes:
        method: How the background is learned. "median" is the only method; "mog2" and "knn", the methods of version 0.2.0,
            are accepted and mean the same.
        width: Frames are analysed at this width, in pixels (32 to 4096).
        smallest: The smallest box, as a share of the frame's area.
        largest: The largest box, as a share of the frame's area.
        history_s: An object that stands still for this long becomes background.
        warm_up_s: During the first `warm_up_s` seconds the background is learned, and no motion is reported.
        around: Each moving region is classified twice, tightly and with this share of its longer side added on all sides,
            because some training sets are cropped tightly and others are not. 0: tightly only.
        max_regions: At most this many boxes per frame are classified, so that a crowded camera does not slow down others.
            Large boxes come first; those classified in the previous frame come before new ones up to four times as large.
            The rest are counted in `edgecls.Result.left_out`.
    """

    method: Literal["median", "mog2", "knn"] = "median"
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
        self._background = Background(warm_up_s=rule.warm_up_s, absorb_s=rule.history_s)
        self._before: list[list[int]] = []  # the boxes of the frame before: left, top, width, height in the small picture

    def __call__(self, frame: Frame) -> list[Region]:
        """Return the moving regions of this frame, with boxes in pixels of the frame, from left to right."""
        small = image.overview(frame, self._rule.width)
        if frame.size_hw != self._size_hw:
            self._background = Background(warm_up_s=self._rule.warm_up_s, absorb_s=self._rule.history_s)
            self._size_hw = frame.size_hw
        foreground = self._background.foreground(small, frame.time_s)
        frame.unwatched = self._background.unwatched
        if foreground is None:
            frame.foreground = np.zeros(small.shape, bool)
            return []
        frame.foreground = foreground > 0
        boxes, objects, frame.left_out = self._boxes(foreground)
        self._background.update(objects, foreground, frame.time_s)
        high, wide = foreground.shape
        x, y = frame.size_hw[1] / wide, frame.size_hw[0] / high
        regions = []
        for left, top, width, height in boxes:
            box = Box(int(left * x), int(top * y), round((left + width) * x), round((top + height) * y))
            regions.append(Region(MOTION, box, grown(box, self._rule.around, frame.size_hw) if self._rule.around else None))
        return sorted(regions)

    @property
    def background(self) -> Background:
        """The background as of the last frame."""
        return self._background

    def _boxes(self, foreground: Picture) -> tuple[list[list[int]], Picture, int]:
        """Find the boxes of objects in the foreground.

        Returns:
            The chosen boxes as left, top, width, height; (H, W) uint8, not 0 where objects are; the number of boxes left out.
        """
        rule = self._rule
        high, wide = foreground.shape
        if not cv2.hasNonZero(foreground):
            self._before = []
            return [], foreground, 0
        gap = [max(3, round(wide * share)) | 1 for share in (GAP_ABOVE, GAP_BESIDE)]
        joined = cv2.morphologyEx(foreground, cv2.MORPH_CLOSE, np.ones(gap, np.uint8))
        labels, stats = components(joined)
        parts = {
            i: [left, top, width, height]
            for i, (left, top, width, height, _) in enumerate(stats[1:], 1)
            if width * height >= rule.smallest * wide * high and min(width, height) >= THINNEST
        }
        order = list(parts)
        if len(parts) > rule.max_regions:
            order = [list(parts)[n] for n in _best_first(list(parts.values()), self._before)]
        objects = np.zeros_like(foreground)
        boxes: list[list[int]] = []
        seen = 0
        for i in order:
            if len(boxes) == rule.max_regions:
                break
            seen += 1
            left, top, width, height = parts[i]
            here = slice(top, top + height), slice(left, left + width)
            mask = labels[here] == i
            if self._background.clear_pixels(here, mask) < FEWEST_PIXELS or self._background.is_lit(here, mask):
                continue
            objects[here][mask] = 255
            in_size = width * height <= rule.largest * wide * high
            if in_size and self._wanted(((left + width / 2) / wide, (top + height / 2) / high)):
                boxes.append(parts[i])
        self._before = boxes
        return _outermost(boxes), objects, len(parts) - seen

    def _wanted(self, point: tuple[float, float]) -> bool:
        inside = not self._within or any(area.holds(point) for area in self._within)
        return inside and not any(area.holds(point) for area in self._outside)


def _best_first(boxes: list[list[int]], before: list[list[int]]) -> list[int]:
    """Return the order of boxes (left, top, width, height) by size, largest first. Those that overlap one of `before` count
    as larger.
    """
    now, then = (np.asarray(some, np.float64).reshape(-1, 4) for some in (boxes, before))
    low = np.maximum(now[:, None, :2], then[None, :, :2])
    high = np.minimum(now[:, None, :2] + now[:, None, 2:], then[None, :, :2] + then[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    area = now[:, 2:].prod(axis=1)
    smaller = np.minimum(area[:, None], then[:, 2:].prod(axis=1)[None, :])
    is_kept = (common > smaller / 2).any(axis=1)
    return cast("list[int]", np.argsort(-area * np.where(is_kept, KEPT, 1.0), kind="stable").tolist())


def _outermost(boxes: list[list[int]]) -> list[list[int]]:
    """Return the boxes that are not inside another one: what moves behind the window of a van is part of the van."""
    if len(boxes) < 2:
        return boxes
    sides = np.asarray(boxes)
    low, high = sides[:, :2], sides[:, :2] + sides[:, 2:]
    within = (low[None] <= low[:, None]).all(axis=2) & (high[:, None] <= high[None]).all(axis=2)
    np.fill_diagonal(within, val=False)
    return [box for box, inner in zip(boxes, within.any(axis=1).tolist(), strict=True) if not inner]
