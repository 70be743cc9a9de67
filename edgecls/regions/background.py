"""Learn what a fixed camera sees when nothing moves, and find the pixels that differ from it.

Mixtures of Gaussians for each pixel (OpenCV's MOG2, KNN) absorb whatever stands still for some seconds, are blinded by a first
frame that is black, and take everything darker than the background for a shadow where there is no color. This model knows more
about the scene than a pixel does:

- The background starts as the median of the first seconds. Frames unlike the others (black, white, flashed) are left out.
- A pixel is foreground if its level is outside the range of the background's 3x3 neighborhood, widened by the noise measured
  at that pixel. Sways and compression of up to a pixel change nothing, and the test is one comparison with two pictures.
- Only background is updated. What stands still stays foreground until `absorb_s` have passed, so objects do not dissolve.
- Foreground that does not change is either an object that stands still, or the place of one that has left (a ghost). A ghost
  is background at once. It shows in the edges across its outline, which are in the background and not in the frame (Cucchiara
  et al. 2003 tell ghosts by their lack of motion), or in the time: it has been seen for longer than the background there.
- If most of the frame changes at once and stays so, the camera has been moved or the light switched: it starts again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from edgecls.image.opencv import cv2
from edgecls.regions.components import components
from edgecls.regions.exposure import as_exposed
from edgecls.regions.lighting import is_lit
from edgecls.regions.outline import edges_across

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture, Unwatched

Window: TypeAlias = tuple[slice, slice]
"""Rows and columns of a picture."""

MARGIN, NOISE = 12.0, 4.0
"""A pixel is foreground if it is outside the background's range by MARGIN levels plus NOISE times its usual deviation."""
LARGEST_MARGIN = 60.0
CLEAR = 12
"""Levels beyond the margin at which a pixel is clearly foreground."""
UPDATE_S = 0.2
"""The background is updated at most every UPDATE_S seconds."""
LONGEST_STEP_S = 1.0
"""A longer break between two updates counts as this many seconds."""
FOLLOW_S = 15.0
"""Time constant with which the background follows the light."""
SAMPLES = 15
"""How many frames of the warm-up the median is taken from."""
UNCHANGED = 8
"""A pixel is unchanged while it differs by at most this many levels from when it last changed."""
STATIC_S = 1.0
"""Foreground that has not changed for this long stands still."""
LATE_S = 1.5
"""What stands still becomes background this much later than asked, so that what leaves just then is still one object."""
SETTLED_S = 3.0
"""A background that was seen for less than this may show an object that was there at the start."""
EVERYTHING = 0.5
"""If more than this share of the frame is foreground, nothing is learned or reported: see SHOCK_S."""
JUMP = 0.2
"""Foreground that grows by more than this share of the frame within one frame is a flash or a damaged frame, not an object."""
STILL = 0.7
"""If more than this share of the foreground stays the same for SHOCK_S, the light has changed."""
BLACK, WHITE = 4, 251
MORE_CLIPPED = 0.3
"""A frame whose share of black and white pixels exceeds that of the background by this much is over- or underexposed."""
SHOCK_S = 1.0
"""If most of the frame has been foreground for this long, the background is learned again."""
MORE, BY = 1.3, 6.0
"""One outline has clearly stronger edges than another if they are MORE times as strong plus BY levels."""
LARGEST_DEVIATION, LARGEST_START_DEVIATION = 40, 8
FEWEST_SAMPLES = 3
BLANK = 2.0
"""A frame whose levels have at most this standard deviation shows nothing."""
FEWEST_PIXELS = 8
"""Fewer pixels than this are no evidence."""
LATE_SHARE = 0.1
"""If the first samples are left out for more than this share of the time, it begins anew after them."""
UNLIKE, UNLIKE_BY = 2.5, 3.0
"""A frame that is this many times, and by this many levels, farther from the median than the others is left out."""
_SQUARE = np.ones((3, 3), np.uint8)


class Background:
    """The background of one camera, at the size of the pictures that it is given.

    Example:
        background = Background(warm_up_s=2.0, absorb_s=60.0)
        for picture, time_s in pictures:
            foreground = background.foreground(picture, time_s)
            if foreground is not None:
                background.update(picture, foreground, time_s)
    """

    def __init__(self, *, warm_up_s: float, absorb_s: float) -> None:
        """Start without a background.

        Args:
            warm_up_s: Seconds from which the first background is made.
            absorb_s: What stands still for this many seconds becomes background.
        """
        self._warm_up_s, self._absorb_s = warm_up_s, absorb_s
        self._samples: list[Picture] = []
        self._sample_times: list[float] = []
        self._began_s = self._sampled_s = self._updated_s = 0.0
        self._share = self._clipped = 0.0
        self.learned = 0
        """How often the background was learned: again if the light was switched or the camera moved."""
        self._is_learning = True
        self.unwatched: Unwatched = "warm-up"
        """Why `foreground` returned None for the last picture; "" if it did not."""
        self.picture: Picture = np.zeros((0, 0), np.uint8)
        """The background: (H, W) uint8."""
        self.exposed: Picture = self.picture
        """The last picture, with the exposure of the background."""
        self._last: Picture = self.picture
        """What each pixel was when it last changed."""
        nothing = np.zeros((0, 0), np.float32)
        self._mean: NDArray[np.float32] = nothing
        self._deviation: NDArray[np.float32] = nothing
        self._unchanged_s: NDArray[np.float32] = nothing
        self._seen_s: NDArray[np.float32] = nothing
        """For how long each pixel has been seen to be background."""

    def foreground(self, picture: Picture, time_s: float) -> Picture | None:
        """Compare a picture with the background.

        Args:
            picture: (H, W) uint8.
            time_s: Its media time, in seconds.

        Returns:
            (H, W) uint8, 255 for foreground and 0 for background. None while the background is being learned.
        """
        if picture.shape != self.picture.shape:
            self._start(picture, time_s)
        self.unwatched = "warm-up" if self._is_learning else "everything moves"
        if self._is_learning:
            self._collect(picture, time_s, self._warm_up_s)
            return None
        self.exposed = as_exposed(picture, self.picture)
        outside = cv2.bitwise_not(cv2.inRange(self.exposed, self._low, self._high))
        found = cast("Picture", cv2.medianBlur(outside, 3))
        share = cv2.countNonZero(found) / found.size
        is_odd = share > min(EVERYTHING, self._share + JUMP) or _clipped(picture) > self._clipped + MORE_CLIPPED
        if is_odd and (share > EVERYTHING or self._is_still(picture, found, time_s)):
            self._collect(picture, time_s, SHOCK_S)
            return None
        self._samples, self._share, self.unwatched = [], share, ""
        return found

    def _is_still(self, picture: Picture, foreground: Picture, time_s: float) -> bool:
        """Whether a large change is not an object: it is less than SHOCK_S old, or has not moved since."""
        if not self._samples or time_s - self._began_s < SHOCK_S:
            return True
        off = cv2.absdiff(picture, self._samples[0])[foreground > 0]
        return off.size > 0 and float((off <= UNCHANGED).mean()) > STILL

    def clear_pixels(self, here: Window, mask: NDArray[np.bool_]) -> int:
        """Return how many pixels of the last picture in `mask` are clearly foreground."""
        levels = self.exposed[here]
        return int(np.count_nonzero(mask & ((levels < self._clear_low[here]) | (levels > self._clear_high[here]))))

    def is_lit(self, here: Window, mask: NDArray[np.bool_]) -> bool:
        """Whether the foreground `mask` in an area of the last picture is no object, but another light on the background."""
        around = _grown(here, 2, self.picture.shape)
        inside = np.zeros(self.picture[around].shape, bool)
        inside[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(here, around, strict=True))] = mask
        return is_lit(self.exposed[around], self.picture[around], inside)

    def update(self, busy: Picture, foreground: Picture, time_s: float) -> None:
        """Follow the light where the background is visible, and make background of what is no object.

        Args:
            busy: (H, W) uint8, not 0 where objects are. The rest of the foreground is noise, from which it learns how much
                each pixel usually differs.
            foreground: What `foreground` returned for the same picture.
            time_s: The media time of that picture, in seconds.
        """
        passed_s = min(time_s - self._updated_s, LONGEST_STEP_S)
        if 0 <= passed_s < UPDATE_S:
            return
        self._updated_s, passed_s = time_s, max(0.0, passed_s)
        has_changed = cv2.absdiff(self.exposed, self._last) > UNCHANGED
        cv2.copyTo(self.exposed, has_changed.view(np.uint8), self._last)
        self._unchanged_s += np.float32(passed_s)
        np.copyto(self._unchanged_s, 0, where=has_changed)
        self._seen_s += (foreground == 0) * np.float32(passed_s)
        self._take_in((foreground > 0) & (self._unchanged_s >= STATIC_S), busy > 0)
        free = cv2.bitwise_not(cv2.dilate(busy, _SQUARE))
        share = 1.0 - math.exp(-passed_s / FOLLOW_S)
        cv2.accumulateWeighted(self.exposed, self._mean, share, free)
        deviation = np.minimum(cv2.absdiff(self.exposed, self.picture), np.uint8(LARGEST_DEVIATION))
        cv2.accumulateWeighted(deviation, self._deviation, share, free)
        self._set_range()

    def _start(self, picture: Picture, time_s: float) -> None:
        self._is_learning = True
        self.picture = picture
        self._samples = []
        self._began_s = time_s

    def _collect(self, picture: Picture, time_s: float, enough_s: float) -> None:
        """Collect samples for `enough_s` seconds, then make a background of them. Blank frames are samples only if there are no
        others in that time.
        """
        if float(picture.std()) < BLANK and not self._samples and time_s - self._began_s < enough_s:
            return
        if not self._samples:
            self._began_s = time_s
            self._sample_times = []
        if len(self._samples) < FEWEST_SAMPLES or time_s - self._sampled_s >= enough_s / SAMPLES:
            self._samples.append(picture)
            self._sampled_s = time_s
            self._sample_times.append(time_s)
        if time_s - self._began_s >= enough_s and len(self._samples) >= FEWEST_SAMPLES:
            is_alike = _alike(np.stack(self._samples))
            first = int(np.argmax(is_alike))
            if self._sample_times[first] - self._began_s > LATE_SHARE * enough_s:  # another view came first
                self._samples, self._sample_times = self._samples[first:], self._sample_times[first:]
                self._began_s = self._sample_times[0]
                return
            self._learn(np.stack(self._samples)[is_alike], time_s, enough_s)

    def _learn(self, samples: NDArray[np.uint8], time_s: float, seen_s: float) -> None:
        """Make a background of samples, as if the last one had just been shown."""
        middle = np.median(samples, axis=0).astype(np.uint8)
        samples = np.stack([as_exposed(sample, middle) for sample in samples])
        self.picture = np.median(samples, axis=0).astype(np.uint8)
        off = np.where(samples > self.picture, samples - self.picture, self.picture - samples)
        self._mean = self.picture.astype(np.float32)
        self._deviation = np.full(middle.shape, np.clip(np.median(off), 1, LARGEST_START_DEVIATION), np.float32)
        self._last = samples[-1].copy()
        self._unchanged_s = np.zeros(middle.shape, np.float32)
        self._seen_s = ((off < MARGIN).mean(axis=0) * seen_s / 2).astype(np.float32)
        self._samples, self._updated_s, self._share, self._is_learning = [], time_s, 0.0, False
        self.learned += 1
        self._set_range()

    def _set_range(self) -> None:
        """Set the levels between which a pixel is background."""
        self.picture = (self._mean + np.float32(0.5)).astype(np.uint8)
        margin = np.minimum(NOISE * self._deviation + MARGIN, LARGEST_MARGIN).astype(np.uint8)
        self._low = cv2.subtract(cv2.erode(self.picture, _SQUARE), margin)
        self._high = cv2.add(cv2.dilate(self.picture, _SQUARE), margin)
        self._clipped = _clipped(self.picture)
        clear = np.full_like(margin, CLEAR)
        self._clear_low, self._clear_high = cv2.subtract(self._low, clear), cv2.add(self._high, clear)

    def _take_in(self, static: NDArray[np.bool_], busy: NDArray[np.bool_]) -> None:
        """Make background of static foreground that is no object: the place of one that has left, one that has stood for long,
        and noise.

        Args:
            static: (H, W) where the foreground has not changed for STATIC_S.
            busy: (H, W) where objects are. Their parts are kept, however small: an object becomes static piece by piece.
        """
        if not static.any():
            return
        closed = cv2.morphologyEx(static.astype(np.uint8), cv2.MORPH_CLOSE, _SQUARE)
        labels, stats = components(closed)
        in_object = np.bincount(labels[busy], minlength=len(stats)) > 0
        background = ~in_object & np.array([pixels < FEWEST_PIXELS for *_, pixels in stats])
        for i in range(1, len(stats)):
            left, top, width, height, pixels = stats[i]
            if pixels < FEWEST_PIXELS:
                continue
            here = slice(top, top + height), slice(left, left + width)
            mask = labels[here] == i
            unchanged_s = float(np.median(self._unchanged_s[here][mask]))
            is_noise = not in_object[i] and self._is_faint(here, mask)
            background[i] = is_noise or unchanged_s >= self._absorb_s + LATE_S or self._is_ghost(here, labels, i, unchanged_s)
        background[0] = False
        taken = background[labels]
        self._mean[taken] = self.exposed[taken]
        self._seen_s[taken] = self._unchanged_s[taken]

    def _is_faint(self, here: Window, mask: NDArray[np.bool_]) -> bool:
        return self.clear_pixels(here, mask) < FEWEST_PIXELS or self.is_lit(here, mask)

    def _is_ghost(self, here: Window, labels: NDArray[Any], label: int, unchanged_s: float) -> bool:
        """Whether static foreground is the place of an object that has left."""
        around = _grown(here, 2, labels.shape)
        mask = (labels[around] == label).astype(np.uint8)
        now, before = edges_across(mask, (self.exposed[around], self.picture[around]))
        seen_s = float(np.median(self._seen_s[around][mask > 0]))
        if before > MORE * now + BY:
            return True
        return unchanged_s > seen_s and (seen_s < SETTLED_S or now <= MORE * before + BY)


def _alike(samples: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which samples are like the others: not black, white, flashed or of another view."""
    middle = np.median(samples, axis=0)
    off = np.array([np.abs(sample - middle).mean() for sample in samples])
    return off <= max(UNLIKE * float(np.median(off)), float(np.median(off)) + UNLIKE_BY)


def _clipped(picture: Picture) -> float:
    """Return the share of a picture that is black or white."""
    return 1.0 - cv2.countNonZero(cv2.inRange(picture, BLACK, WHITE)) / picture.size


def _grown(here: Window, by: int, shape: Sequence[int]) -> Window:
    """Return a window with `by` more rows and columns on all sides, inside a picture of this shape."""
    rows, columns = (slice(max(0, part.start - by), min(size, part.stop + by)) for part, size in zip(here, shape, strict=False))
    return rows, columns
