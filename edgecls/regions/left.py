"""Find what was left behind and what was removed: places that have changed for good.

The background of `Motion` absorbs what stands still and forgets what has left, so this compares frames with a background of its
own, which only follows the light. A place that differs from it, and has looked the same for `after_s`, shows something that was
left if the edges across its outline are in the frame, or the place of something removed if they are in the background (as for
ghosts, Cucchiara et al. 2003). Somebody who passes in front of it for up to `AWAY_S` does not interrupt that time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgecls.frame import LEFT, REMOVED, Box, Region
from edgecls.image.opencv import cv2
from edgecls.regions.background import FEWEST_PIXELS, FOLLOW_S, LONGEST_STEP_S, Background
from edgecls.regions.components import components
from edgecls.regions.geometry import Polygon  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.regions.lighting import is_lit, is_shaded
from edgecls.regions.outline import edges_across
from edgecls.settings import check_limits, limited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Frame, Picture

Change = Literal["left", "removed"]

STEP_S = 0.25
"""Frames are compared this often."""
MARGIN, SAME = 20, 12
"""A pixel differs from the background if it is this many levels outside the range of its neighborhood; it has not changed while
it stays within this many levels."""
SMOOTH = 0.2
"""How far a step corrects the average of what has not changed."""
AWAY_S = 3.0
COMPLETE = 0.9
"""A place is reported when this share of its pixels has looked the same for long enough."""
LARGEST = 0.5
"""If a larger share of the frame has changed, it is another light or another scene."""
FAINTEST_EDGE = 12.0
"""An object has an outline with edges of at least this many levels. Softer ones are of light."""
BACK = 0.6
"""What was left is gone, and what was removed is back, when this share of its place looks like the background."""
REPLACED = 0.6
"""When less than the rest of it looks as it did, it is hidden, or something else has taken its place."""
BORDER = 3
"""Pixels around a place that show what it stands out from."""
GAP = 1 / 60
"""Parts of one object are at most this far apart, as a share of the width."""


@dataclass(frozen=True, slots=True)
class LeftSettings:
    """Which objects that were left behind or removed are reported.

    Attributes:
        after_s: Something is reported when it has been there, or has been gone, for this many seconds.
        smallest: Its smallest box, as a share of the frame's area.
        area: Only what has its center in one of these areas counts. Empty: the whole frame.
        labels: Only objects with these labels are reported as left. Empty: all.
        kinds: Whether to report what was "left", what was "removed", or both.
    """

    after_s: float = limited(30.0, at_least=1, at_most=3600, unit="seconds")
    smallest: float = limited(0.001, at_least=0, below=1)
    area: tuple[Polygon, ...] = ()
    labels: tuple[str, ...] = ()
    kinds: tuple[Change, ...] = ("left", "removed")

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)


@dataclass(slots=True, eq=False)
class _Item:
    """What was left or removed: its region, its place in the small picture, and for how long it has looked otherwise."""

    region: Region
    here: tuple[slice, slice]
    mask: NDArray[np.bool_]
    levels: Picture
    back_s: float = 0.0
    other_s: float = 0.0


@dataclass(slots=True)
class _Scene:
    """The background without what was left, and what it was before the light changed last, (H, W) float32. Then for each pixel
    what it looks like, at first and on average, and for how long; and the same of what it has shown for less than `AWAY_S`.
    """

    background: NDArray[np.float32]
    former: NDArray[np.float32]
    levels: Picture
    mean: NDArray[np.float32]
    same_s: NDArray[np.float32]
    new: Picture
    new_s: NDArray[np.float32]
    items: list[_Item] = field(default_factory=list)


class LeftObjects:
    """Finds what was left or removed at one camera, as regions called "left object" and "removed object".

    Example:
        motion = Motion(MotionSettings())
        left = LeftObjects(lambda: motion.background, LeftSettings(after_s=20))
        pipeline = edgecls.Pipeline(classifier, regions=combine(motion, left))
    """

    def __init__(self, of: Callable[[], Background], rule: LeftSettings, *, outside: Sequence[Polygon] = ()) -> None:
        """Start without a background.

        Args:
            of: Returns the background of the camera, which has processed each frame before this does.
            rule: What is reported.
            outside: What has its center in one of these areas does not count.
        """
        self._of, self._rule, self._outside = of, rule, outside
        self._scene: _Scene | None = None
        self._learned = -1
        self._last_s = -math.inf

    def __call__(self, frame: Frame) -> list[Region]:
        """Return what is left or missing in this frame, with boxes in pixels of the frame."""
        background = self._of()
        if frame.foreground is not None and not frame.unwatched:
            if self._scene is None or self._learned != background.learned:
                self._learned, self._last_s = background.learned, frame.time_s
                self._scene = _begin(background.picture)
            passed_s = min(frame.time_s - self._last_s, LONGEST_STEP_S)
            if passed_s >= STEP_S or passed_s < 0:
                self._last_s = frame.time_s
                self._step(self._scene, background.exposed, max(0.0, passed_s), frame.size_hw)
        items = [] if self._scene is None else self._scene.items
        return [item.region for item in items if not item.back_s]

    def _step(self, scene: _Scene, levels: Picture, passed_s: float, size_hw: tuple[int, int]) -> None:
        background = np.rint(scene.background).astype(np.uint8)
        square = np.ones((3, 3), np.uint8)
        low = cv2.subtract(cv2.erode(background, square), np.full_like(background, MARGIN))
        high = cv2.add(cv2.dilate(background, square), np.full_like(background, MARGIN))
        _count(scene, levels, passed_s)
        is_usual = cv2.inRange(levels, low, high) > 0
        for item in [item for item in scene.items if self._is_over(item, levels, is_usual, passed_s)]:
            scene.items.remove(item)
            for known in (scene.levels, scene.new):
                known[item.here][item.mask] = levels[item.here][item.mask]
            scene.mean[item.here][item.mask] = levels[item.here][item.mask]
            scene.same_s[item.here][item.mask] = 0.0
        free = is_usual & (cv2.inRange(scene.levels, low, high) > 0)
        for item in scene.items:
            free[item.here][item.mask] = False
        share = 1.0 - math.exp(-passed_s / FOLLOW_S)
        cv2.accumulateWeighted(levels, scene.background, share, free.astype(np.uint8))
        changed = (cv2.inRange(scene.levels, low, high) == 0) & (scene.same_s >= self._rule.after_s / 2)
        for item in scene.items:
            changed[item.here][item.mask] = False
        if (changed & (scene.same_s >= self._rule.after_s)).any():
            self._find(scene, background, changed, size_hw)

    def _is_over(self, item: _Item, levels: Picture, is_usual: NDArray[np.bool_], passed_s: float) -> bool:
        """Whether something left is gone, something removed is back, or something else has taken its place."""
        is_same = cv2.absdiff(levels[item.here], item.levels) <= MARGIN
        is_back = is_usual[item.here][item.mask].mean() > BACK
        item.back_s = item.back_s + max(passed_s, STEP_S) if is_back else 0.0
        is_other = not is_back and is_same[item.mask].mean() < 1 - REPLACED
        item.other_s = item.other_s + passed_s if is_other else 0.0
        return item.back_s >= AWAY_S or item.other_s >= max(AWAY_S, self._rule.after_s)

    def _find(self, scene: _Scene, background: Picture, changed: NDArray[np.bool_], size_hw: tuple[int, int]) -> None:
        """Add the places that have changed for long enough."""
        high, wide = changed.shape
        gap = max(3, round(wide * GAP)) | 1
        labels, stats = components(cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8)))
        for i, (left, top, width, height, _) in enumerate(stats[1:], 1):
            here = slice(top, top + height), slice(left, left + width)
            mask = (labels[here] == i) & changed[here]
            if (scene.same_s[here][mask] >= self._rule.after_s).mean() < COMPLETE:
                continue
            is_large = width * height >= self._rule.smallest * wide * high and int(mask.sum()) >= FEWEST_PIXELS
            kind = self._kind(scene, background, here, labels == i) if is_large else None
            if kind is None:
                _adopt(scene, here)
                continue
            x, y = size_hw[1] / wide, size_hw[0] / high
            box = Box(int(left * x), int(top * y), round((left + width) * x), round((top + height) * y))
            scene.items.append(_Item(Region(kind, box), here, mask, scene.levels[here].copy()))

    def _kind(self, scene: _Scene, background: Picture, here: tuple[slice, slice], mask: NDArray[np.bool_]) -> str | None:
        """Return whether a place shows something left, or misses something; None if neither is reported."""
        rows, columns = (slice(max(0, part.start - BORDER), part.stop + BORDER) for part in here)
        around = rows, columns
        area = np.rint(scene.mean[around]).astype(np.uint8), background[around], mask[around]
        now, before = edges_across(area[2].astype(np.uint8), area[:2])
        if mask[here].mean() * mask[here].size > LARGEST * mask.size or max(now, before) < FAINTEST_EDGE:
            return None
        is_former = float((cv2.absdiff(scene.mean[around], scene.former[around])[area[2]] <= MARGIN).mean()) > BACK
        if is_former or is_lit(*area) or is_shaded(*area):
            return None
        high, wide = mask.shape
        middle = (here[1].start + here[1].stop) / 2 / wide, (here[0].start + here[0].stop) / 2 / high
        inside = not self._rule.area or any(area.holds(middle) for area in self._rule.area)
        kind: Change = "left" if now >= before else "removed"
        if not inside or any(area.holds(middle) for area in self._outside) or kind not in self._rule.kinds:
            return None
        return LEFT if kind == "left" else REMOVED


def _adopt(scene: _Scene, here: tuple[slice, slice]) -> None:
    """Make background of what an area and its border look like, but of no item."""
    rows, columns = (slice(max(0, part.start - BORDER), part.stop + BORDER) for part in here)
    free = np.ones(scene.levels.shape, bool)
    for item in scene.items:
        free[item.here][item.mask] = False
    inside = free[rows, columns]
    scene.former[rows, columns][inside] = scene.background[rows, columns][inside]
    scene.background[rows, columns][inside] = scene.mean[rows, columns][inside]


def _begin(picture: Picture) -> _Scene:
    nothing = np.zeros(picture.shape, np.float32)
    levels = picture.astype(np.float32)
    return _Scene(levels, levels.copy(), picture.copy(), levels.copy(), nothing, picture.copy(), nothing.copy())


def _count(scene: _Scene, levels: Picture, passed_s: float) -> None:
    """Count for how long each pixel has looked the same."""
    is_same = cv2.absdiff(levels, scene.levels) <= SAME
    scene.mean = np.where(is_same, scene.mean + SMOOTH * (levels - scene.mean), scene.mean).astype(np.float32)
    is_new = ~is_same & (cv2.absdiff(levels, scene.new) <= SAME)
    scene.same_s = np.where(is_same, scene.same_s + passed_s, scene.same_s).astype(np.float32)
    scene.new_s = np.where(is_new, scene.new_s + passed_s, 0.0).astype(np.float32)
    scene.new = np.where(is_same | is_new, scene.new, levels)
    is_settled = scene.new_s > AWAY_S
    scene.levels = np.where(is_settled, scene.new, scene.levels)
    scene.mean = np.where(is_settled, scene.new, scene.mean).astype(np.float32)
    scene.same_s = np.where(is_settled, scene.new_s, scene.same_s).astype(np.float32)
    scene.new_s[is_settled] = 0.0
