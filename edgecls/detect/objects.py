"""Find the objects of one camera with a detector, as boxes to classify and track.

A detector takes tens of milliseconds, so it runs at a rate of its own, and the tracker carries its boxes over the frames
between. A box with a low score is kept only where an object is predicted that no better box continues (`low_scores.py`). So an
object that is partly hidden goes on, and noise begins nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.detector import whole
from edgecls.detect.low_scores import LowScores
from edgecls.detect.nms import suppress
from edgecls.detected import Detected
from edgecls.errors import ConfigError
from edgecls.frame import MOTION, Region
from edgecls.regions.regions import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.detect.boxes import Boxes
    from edgecls.detect.detector import Detector
    from edgecls.detect.settings import DetectorSettings
    from edgecls.frame import Frame
    from edgecls.regions.geometry import Polygon
    from edgecls.regions.regions import Regions

SAME_OBJECT = 0.6
"""Two boxes with one name that overlap by more than this are of one object. Ultralytics keeps both up to 0.7, so a cyclist is
often two persons; YOLOX and YOLOv5 only up to 0.45.
"""
ONE_OBJECT = 0.8
"""Two boxes with different names that overlap by more than this are of one object, such as a van that is found as a car and as
a truck. A motorcycle and its rider usually overlap less.
"""
EARLY_S = 1e-6
"""A frame this little before its time is on time: media times are sums of fractions."""


class Objects:
    """Finds the objects of one camera. Pass it the camera's frames in order.

    Each object is a region called "motion", like what moves: it is tracked, and counted at lines.

    Example:
        detector = edgecls.Detector.load("detector.onnx")
        settings = edgecls.DetectorSettings("detector.onnx", fps=10, names="detector")
        pipeline = edgecls.Pipeline(None, regions=edgecls.Objects(detector, settings))
    """

    def __init__(
        self, detector: Detector, settings: DetectorSettings, *, gate: Regions | None = None, lost_s: float = 2.0,
        outside: Sequence[Polygon] = (),
    ) -> None:  # fmt: skip
        """Start without objects.

        Args:
            detector: The loaded detector.
            settings: What counts, and how often to look.
            gate: Called with every frame; the detector rests on frames for which it returns no regions. None: it never does.
            lost_s: An object goes on with low scores until it has had no box for this long, in seconds. While the detector
                rests, it looks twice in this time after objects that were there, so that none that stands still is lost.
            outside: Boxes whose center is in one of these areas do not count.

        Raises:
            ConfigError: The settings name a class or an object that the detector does not have.
        """
        self._detector = detector
        self._settings = settings
        self._names = names_of(settings, detector)
        self._ids, self._wanted = _ids_of(self._names)
        self._gate = gate
        self._lost_s = lost_s
        self._outside = outside
        self._due_s = self._last_s = self._looked_s = self._found_s = -np.inf
        self._scores = LowScores(settings.score, lost_s)

    def __call__(self, frame: Frame) -> list[Region]:
        """Return the objects of a frame, from left to right. Empty between the frames that the detector sees."""
        is_open = self._gate is None or bool(self._gate(frame))
        frame.left_out = 0  # the gate has counted what moves
        if not (is_open or self._has_standing(frame.time_s)) or not self._is_due(frame):
            return []
        settings = self._settings
        found = self._detector.detect(frame, low=min(settings.low, settings.score), wanted=self._wanted)
        found = suppress(found._replace(class_ids=self._ids[found.class_ids]), SAME_OBJECT, len(found.scores))
        found = suppress(found, ONE_OBJECT, len(found.scores), across=True)
        found = self._inside(found, frame.size_hw)
        found = self._scores.lasting(found, frame.time_s)
        frame.left_out = max(0, len(found.scores) - settings.max_regions)
        found = found.best_first(settings.max_regions)
        self._looked_s = frame.time_s
        self._found_s = frame.time_s if len(found.scores) else self._found_s
        return self._regions(found, frame.size_hw)

    def _has_standing(self, now_s: float) -> bool:
        """Whether it is time to look after objects that were there, while nothing moves."""
        return now_s - self._found_s <= self._lost_s and now_s - self._looked_s >= self._lost_s / 2 - EARLY_S

    def _is_due(self, frame: Frame) -> bool:
        """Whether it is time for the detector. Pictures by themselves are all looked at."""
        now_s, step_s = frame.time_s, 1 / self._settings.fps
        if frame.single:
            self._scores.forget()
            return True
        if now_s < self._last_s:  # the stream has begun anew
            self._due_s, self._found_s = now_s, -np.inf
            self._scores.forget()
        self._last_s = now_s
        if now_s < self._due_s - EARLY_S:
            return False
        self._due_s = self._due_s + step_s if now_s - self._due_s < step_s else now_s + step_s
        return True

    def _inside(self, found: Boxes, size_hw: tuple[int, int]) -> Boxes:
        """Return the boxes that are not in an area to ignore."""
        if not self._outside or not len(found.scores):
            return found
        centers = (found.corners[:, :2] + found.corners[:, 2:]) / 2 / np.array([size_hw[1], size_hw[0]], np.float32)
        points = [(x, y) for x, y in centers.tolist()]
        return found.take(np.array([not any(area.holds(point) for area in self._outside) for point in points], bool))

    def _regions(self, found: Boxes, size_hw: tuple[int, int]) -> list[Region]:
        settings = self._settings
        regions = []
        rows = zip(whole(found.corners, size_hw), found.scores.tolist(), found.class_ids.tolist(), strict=True)
        for box, score, name_id in rows:
            name = self._name(name_id)
            is_refined = not settings.classify or name in settings.classify
            detected = Detected(name, score, settings.names if is_refined else "detector")
            has_two_views = settings.around and detected.names != "detector"
            regions.append(Region(MOTION, box, grown(box, settings.around, size_hw) if has_two_views else None, detected))
        return sorted(regions, key=lambda region: region.box)

    def _name(self, name_id: int) -> str:
        return self._names[name_id]


def names_of(settings: DetectorSettings, detector: Detector) -> tuple[str, ...]:
    """Return the name of each class of a detector, "" for those that do not count.

    Raises:
        ConfigError: The settings name a class or an object that the detector does not have.
    """
    classes = detector.card.classes
    if settings.classes is None:
        names = classes
    else:
        try:
            names = settings.classes.of(classes, settings.model)
        except ConfigError as error:
            raise ConfigError(f"classes: {error}") from error
    wrong = next((name for name in settings.classify if name not in names), None)
    if wrong is not None:
        known = ", ".join(sorted(set(names) - {""})[:12])
        raise ConfigError(f"classify: {settings.model} finds no {wrong!r}; it finds {known}")
    return names


def _ids_of(names: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Return for each class the first class with the same name, and the classes that count, None for all."""
    firsts = {name: i for i, name in reversed(list(enumerate(names)))}
    wanted = np.array([i for i, name in enumerate(names) if name], np.int64)
    return np.array([firsts[name] for name in names], np.int64), None if len(wanted) == len(names) else wanted
