"""Check whether cameras suit motion: they must stand still, and their videos must be longer than the warm-up.

A camera that turns shifts its whole picture by the same distance. So twelve parts of two pictures, a fifth of a second apart,
are compared by phase correlation (Kuglin and Hines 1975). Objects shift some parts only, even a belt that fills a third of the
picture. On 14 clips of fixed cameras at most 12 % of the pairs seemed shifted, and none on most; on four clips panned by 3 to
30 % of their width per second 84 to 100 %. A check takes 1 to 2 ms on one core of an AMD EPYC; each camera has one per second.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.image.opencv import cv2
from edgecls.text.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.frame import Frame, Picture, Unfit
    from edgecls.log import Say

WIDTH = 320
"""Pictures are compared at this width, in pixels."""
ROWS, COLUMNS = 3, 4
SMALLEST_PART = 16
"""Smaller parts, in pixels, show too little."""
UNRELATED = 0.1
"""A part that correlates with the other picture less than this tells nothing: it is plain, or shows something else."""
SHIFTED, TOGETHER, MOST, STILL = 1.0, 2.0, 0.6, 0.5
"""A picture has moved if `MOST` of its parts are shifted by `SHIFTED` pixels or more, within `TOGETHER` pixels of their median,
and not more than `STILL` of them stand still.
"""
EVERY_S, APART_S, LONGEST_STEP_S = 1.0, 0.2, 2.0
PAIRS = 30
"""How many pairs are remembered. The camera turns if half of them, or more, are shifted."""


class MotionChecks:
    """Checks the cameras of a run, and reports each that does not suit motion once."""

    def __init__(self, say: Say) -> None:
        """Start without cameras. `say` is called with one line per camera."""
        self._say = say
        self._cameras: dict[str, _Camera] = {}
        self._unfit: dict[str, Counter[str]] = {}

    def step(self, frame: Frame, unfit: Unfit | None = None) -> None:
        """Process the next frame of any camera, after `Motion`, and its fault if it has one. Frames whose motion nobody asked
        for are ignored.
        """
        if unfit is not None:
            self._unfit.setdefault(frame.camera, Counter())[unfit.fault] += 1
        if frame.foreground is None:
            return
        camera = self._cameras.get(frame.camera)
        if camera is None:
            camera = self._cameras[frame.camera] = _Camera(frame)
        if camera.step(frame):
            self._say(
                f"camera {frame.camera}: its whole picture moves most of the time, as when a camera turns or shakes, so motion "
                "cannot find objects; fix the camera at one position (a preset), or use what needs no motion: zones that show "
                "a state, or a detector"
            )

    def close(self) -> None:
        """Finish: report videos that were too short to look for motion."""
        for name, camera in self._cameras.items():
            faults = self._unfit.get(name, Counter())
            if camera.is_too_short and faults:
                ((fault, count),) = faults.most_common(1)
                share = f"{count} of {counted(camera.frames + faults.total(), 'picture')}"
                self._say(
                    f"camera {name}: {share} cannot be trusted ({fault}), so motion did not learn the background, and no "
                    "object was looked for"
                )
            elif camera.is_too_short:
                self._say(
                    f"camera {name}: it ended after {counted(camera.frames, 'frame')} ({camera.seconds:.1f} s), while motion "
                    "still learned the background, so no object was looked for; use a longer video, or a smaller `warm_up_s`"
                )
        self._cameras.clear()


class _Camera:
    """The checks of one camera."""

    def __init__(self, frame: Frame) -> None:
        self.frames = 0
        self._is_file = bool(frame.file)
        self._first_s = self._last_s = self._taken_s = frame.time_s
        self._taken: Picture | None = None
        self._moved: deque[bool] = deque(maxlen=PAIRS)
        self._watched = self._is_reported = False

    @property
    def is_too_short(self) -> bool:
        """Whether it is a file that ended before its background was learned."""
        return self._is_file and not self._watched

    @property
    def seconds(self) -> float:
        """The media time from the first to the last frame."""
        return self._last_s - self._first_s

    def step(self, frame: Frame) -> bool:
        """Process a frame. Returns True once: when the camera has turned for half of the last 30 seconds."""
        self.frames += 1
        self._last_s = frame.time_s
        self._watched = self._watched or not frame.unwatched or frame.unwatched == "everything moves"
        if self._is_reported or frame.single:
            return False
        passed_s = frame.time_s - self._taken_s
        if self._taken is not None and passed_s >= APART_S:
            if passed_s <= LONGEST_STEP_S:
                self._moved.append(
                    frame.unwatched == "everything moves" or has_moved(self._taken, image.overview(frame, WIDTH))
                )
            self._taken = None
            self._is_reported = sum(self._moved) >= PAIRS / 2
        elif self._taken is None and (passed_s >= EVERY_S or passed_s <= 0):
            self._taken, self._taken_s = image.overview(frame, WIDTH), frame.time_s
        return self._is_reported


def has_moved(before: Picture, after: Picture) -> bool:
    """Return whether a whole picture has moved, as when the camera turns. Both are (H, W) uint8."""
    if before.shape != after.shape or min(before.shape[0] // ROWS, before.shape[1] // COLUMNS) < SMALLEST_PART:
        return False
    shifts = _part_shifts(before, after)
    if (np.hypot(*shifts.T) < SHIFTED).sum() > STILL * ROWS * COLUMNS:
        return False
    if _move_as_one(shifts):
        return True
    (right, down), _ = _shift(before, after)  # larger than a part can show
    right, down = round(right), round(down)
    rest = _part_shifts(_overlap(before, right, down), _overlap(after, -right, -down))
    return _move_as_one(rest + np.array((right, down)))


def _part_shifts(before: Picture, after: Picture) -> NDArray[np.float64]:
    """Return how far the parts of a picture have moved to the right and down: (N, 2) pixels, without those that cannot tell."""
    high, wide = before.shape[0] // ROWS, before.shape[1] // COLUMNS
    shifts = []
    for row, column in np.ndindex(ROWS, COLUMNS) if min(high, wide) >= SMALLEST_PART else ():
        here = slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide)
        shift, response = _shift(before[here], after[here])
        if response > UNRELATED:
            shifts.append(shift)
    return np.reshape(shifts, (-1, 2))


def _move_as_one(shifts: NDArray[np.float64]) -> bool:
    """Whether most parts have moved, and by the same distance."""
    if len(shifts) < MOST * ROWS * COLUMNS:
        return False
    middle = np.median(shifts, axis=0)
    alike = (np.hypot(*(shifts - middle).T) < TOGETHER).sum()
    return bool(np.hypot(*middle) >= SHIFTED and alike >= MOST * ROWS * COLUMNS)


def _overlap(picture: Picture, right: int, down: int) -> Picture:
    """Return the part of a picture that is still in view after it was shifted."""
    height, width = picture.shape
    return picture[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]


def _shift(before: Picture, after: Picture) -> tuple[tuple[float, float], float]:
    """Return how far a picture has moved to the right and down, in pixels, and how alike they then are (0..1)."""
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F)
    (right, down), response = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    return (right, down), response
