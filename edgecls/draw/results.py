"""Draw a result on a copy of its frame: zones and lines, the paths of objects, and each region's box with its label.

Lines are drawn first and texts last, so that no line crosses a text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from edgecls.draw.plates import Plates
from edgecls.draw.spots import overlaps
from edgecls.frame import MOTION, Box, Detection, Prediction
from edgecls.model.confidence import UNKNOWN
from edgecls.overlay import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.draw.plates import Color
    from edgecls.draw.steady import Steady
    from edgecls.frame import Picture, Result
    from edgecls.overlay import Area, Overlay, OverlayLine, Point, TrackView

SURE, UNSURE, NEW, STAMP, FAULT = (60, 140, 20), (30, 90, 220), (150, 40, 140), (40, 40, 40), (20, 20, 190)
"""Blue-green-red: a certain label, an uncertain one, "unknown", camera and time, a fault of the camera."""
ZONE, OBJECTS, LINE, IGNORED = (200, 120, 0), (0, 150, 220), (60, 60, 230), (90, 90, 90)
"""Blue-green-red: a zone that shows a state, a zone watched for objects, a line, an ignored area."""
COLORS = {"state": ZONE, "objects": OBJECTS, "ignored": IGNORED}
EDGE = (25, 25, 25)
"""The outline of thin lines, which makes them visible on bright ground too."""
UNSURE_BELOW = 0.5
SMALL = 300
"""In pictures with fewer rows, drawn lines have the least width: thicker ones would hide too much."""
ARROW = 0.06
"""The length of the arrows to both sides of a line, as a fraction of the picture's height."""


def draw(result: Result, steady: Steady | None = None) -> Picture:
    """Return a copy of the frame with the result drawn on it.

    Args:
        result: The result to draw. Its frame is not changed.
        steady: Keeps labels of a video in place from frame to frame. Use one object per camera.

    Returns:
        (H, W, 3) uint8, blue-green-red.
    """
    picture = result.frame.bgr().copy()
    plates = Plates(picture, steady=steady, time_s=result.frame.time_s)
    overlay = result.overlay
    marks = overlay.marks if overlay and len(overlay.marks) == len(result.detections) else (None,) * len(result.detections)
    carried = [_carried(track, picture) for track in overlay.carried] if overlay else []
    shown = sorted([*map(_Shown, result.detections, marks), *carried], key=_importance)
    if overlay:
        draw_outlines(picture, overlay)
    named = {area.name for area in overlay.areas} if overlay else set()
    for one in reversed(shown):  # the most important on top
        if one.detection.region not in named:
            _draw_box(picture, one, overlay)
    end = plates.fixed(f"{result.frame.camera}  {result.frame.time_s:.2f} s", 0, picture.shape[0], STAMP)
    if len(shown) > 1:
        plates.keep_free(_hidden(len(shown)), end, picture.shape[0])
    if result.unfit is not None:
        plates.fixed(f"camera unfit: {result.unfit.fault}", picture.shape[1], 0, FAULT)
    if overlay:  # before the detections, so that totals keep their place from frame to frame
        name_outlines(picture, plates, overlay, without={one.detection.region for one in shown})
    _name_regions(picture, plates, shown, overlay)
    _name_objects(plates, shown, overlay)
    if plates.left_out:
        plates.fixed(_hidden(plates.left_out), end, picture.shape[0], STAMP)
    plates.finish()
    return picture


def draw_outlines(picture: Picture, overlay: Overlay) -> None:
    """Draw areas and lines, without their names, on the picture in place."""
    thick = line_px(picture)
    for area in overlay.areas:
        cv2.polylines(picture, [pixels(picture, area.corners)], isClosed=True, color=COLORS[area.look], thickness=thick)
    for line in overlay.lines:
        _draw_line(picture, line, thick)


def name_outlines(picture: Picture, plates: Plates, overlay: Overlay, *, without: Iterable[str] = ()) -> None:
    """Write the names of areas and lines, except for areas in `without`, whose name is written at a detection."""
    for line in overlay.lines:
        start, _ = pixels(picture, (line.start, line.end)).tolist()
        plates.at(line.name, start[0], start[1] - plates.height - line_px(picture), LINE)
        for name, note, tip, is_up in _sides(picture, line):
            plates.at(f"{name} {note}".strip(), tip[0], tip[1] - plates.height if is_up else tip[1], LINE)
    for area in overlay.areas:
        if area.look != "ignored" and area.name not in without:
            text = f"{area.name}: {area.note}" if area.note else area.name
            plates.beside([((text, COLORS[area.look]),)], _around(picture, area), key=area.name)


def line_px(picture: Picture) -> int:
    """Return the width of lines on a picture of this size."""
    return max(1 if picture.shape[0] < SMALL else 2, int(picture.shape[0]) // 400)


def pixels(picture: Picture, points: Iterable[Point]) -> np.ndarray:
    """Convert points in fractions of the frame to pixels, (N, 2) int32 x and y."""
    height, width = picture.shape[:2]
    scaled = np.asarray(list(points), np.float64) * (width, height)
    return np.clip(np.round(scaled), 0, (width - 1, height - 1)).astype(np.int32)


class _Shown(NamedTuple):
    detection: Detection
    mark: Mark | None

    @property
    def is_object(self) -> bool:
        """Whether it is a moving object, not a zone or the whole frame."""
        return self.detection.region == MOTION

    @property
    def color(self) -> Color:
        """The colour of its label. The label of a track is steadier than that of one frame."""
        labelled = self.detection.prediction if self.mark is None else self.mark
        return label_color(labelled.label, labelled.score)

    def is_ignored(self, overlay: Overlay | None) -> bool:
        """Whether it is an object with an ignored label, such as the background."""
        if self.mark is not None:
            return self.mark.is_ignored
        return self.is_object and overlay is not None and self.detection.prediction.label in overlay.ignored_labels


def _carried(track: TrackView, picture: Picture) -> _Shown:
    """Return a track as if the frame had a detection of it, at its predicted box."""
    height, width = picture.shape[:2]
    left, right = sorted(min(max(side, 0), width) for side in track.box[::2])
    top, bottom = sorted(min(max(side, 0), height) for side in track.box[1::2])
    prediction = Prediction(track.label, track.score, -1, ())
    mark = Mark(track.track_id, track.label, track.score, track.path, track.is_ignored)
    return _Shown(Detection(Box(left, top, right, bottom), prediction, MOTION), mark)


def _hidden(labels: int) -> str:
    return f"{labels} label{'s' if labels > 1 else ''} hidden"


def _importance(shown: _Shown) -> tuple[bool, bool, int, int]:
    """Return a sort key: tracked objects first, then zones, then untracked objects. The oldest track comes first, which is the
    same one in each frame; otherwise, and among the boxes of one track, the largest.
    """
    (left, top, right, bottom), mark = shown.detection.box, shown.mark
    return mark is not None and mark.is_ignored, mark is None, mark.track_id if mark else 0, -(right - left) * (bottom - top)


def label_color(label: str, score: float) -> Color:
    """Return the colour of a label with this score (0..1): certain, uncertain or unknown."""
    if label == UNKNOWN:
        return NEW
    return SURE if score >= UNSURE_BELOW else UNSURE


def _draw_box(picture: Picture, shown: _Shown, overlay: Overlay | None) -> None:
    height, width = picture.shape[:2]
    box, mark = shown.detection.box, shown.mark
    if tuple(box) == (0, 0, width, height):
        return
    thick = line_px(picture)
    if mark is not None and len(mark.path) > 1 and not mark.is_ignored:
        path = [pixels(picture, mark.path)]
        cv2.polylines(picture, path, isClosed=False, color=EDGE, thickness=thick + 2, lineType=cv2.LINE_AA)
        cv2.polylines(picture, path, isClosed=False, color=shown.color, thickness=thick, lineType=cv2.LINE_AA)
    is_ignored = shown.is_ignored(overlay)
    color = IGNORED if is_ignored else shown.color if shown.is_object else ZONE
    is_thin = is_ignored or (shown.is_object and overlay is not None and mark is None)  # not tracked, or not yet
    cv2.rectangle(picture, (box.left, box.top), (box.right - 1, box.bottom - 1), color, 1 if is_thin else thick)


def _name_regions(picture: Picture, plates: Plates, shown: Iterable[_Shown], overlay: Overlay | None) -> None:
    """Label zones and the whole frame. The colour of a zone's name does not depend on its label."""
    areas = {area.name: area for area in overlay.areas} if overlay else {}
    for one in shown:
        if one.is_object:
            continue
        region, box = one.detection.region, one.detection.box
        text, label = one.detection.prediction.text, ", ".join(one.detection.prediction.names)
        if plates.is_whole(box):
            plates.at(text, 0, 0, one.color)
            continue
        area = areas.get(region)
        name = (region, ZONE if area is None else COLORS[area.look])
        wordings = [(name, (text, one.color)), (name, (label, one.color))]
        plates.beside(wordings, box if area is None else _around(picture, area), key=region)


def _name_objects(plates: Plates, shown: Iterable[_Shown], overlay: Overlay | None) -> None:
    """Label moving objects; of several boxes of one track, only the largest. If there is an overlay, objects without a track
    are labelled only if there is room, and not at all if they overlap a track.
    """
    objects = [one for one in shown if one.is_object and not one.is_ignored(overlay)]
    tracks = [(one.mark, one) for one in objects if one.mark is not None]
    untracked = [one for one in objects if one.mark is None]
    named: set[int] = set()
    for mark, one in tracks:
        if mark.track_id in named:
            continue
        named.add(mark.track_id)
        name = f"#{mark.track_id}"
        texts = (f"{name} {mark.label} {mark.score:.0%}", f"{name} {mark.label}", name)
        others = [other.detection.box for its, other in tracks if its.track_id != mark.track_id]
        plates.beside([((text, one.color),) for text in texts], one.detection.box, others=others, key=mark.track_id)
    tracked = [one.detection.box for _, one in tracks]
    for one in untracked:
        box, prediction = one.detection.box, one.detection.prediction
        if not overlaps(box, tracked):
            wordings = [((text, one.color),) for text in (prediction.text, ", ".join(prediction.names))]
            others = [*tracked, *(other.detection.box for other in untracked if other is not one)]
            plates.beside(wordings, box, others=others, is_minor=overlay is not None)


def _draw_line(picture: Picture, line: OverlayLine, thick: int) -> None:
    start, end = pixels(picture, (line.start, line.end))
    middle = np.round((start + end) / 2).astype(int).tolist()
    for color, extra in ((EDGE, 2), (LINE, 0)):
        cv2.line(picture, start.tolist(), end.tolist(), color, thick + extra, cv2.LINE_AA)
        cv2.circle(picture, start.tolist(), 2 * thick + 1 + extra // 2, color, -1, cv2.LINE_AA)
        for _, _, tip, _ in _sides(picture, line):
            cv2.arrowedLine(picture, middle, tip, color, thick + extra, cv2.LINE_AA, tipLength=0.3)


def _sides(picture: Picture, line: OverlayLine) -> list[tuple[str, str, list[int], bool]]:
    """Return for each side of a line its name, its note, the tip of its arrow, and whether the arrow points up."""
    start, end = pixels(picture, (line.start, line.end))
    along = (end - start) / max(1.0, math.dist(start, end))
    to_left = np.array([along[1], -along[0]]) * ARROW * picture.shape[0]
    sides = ((line.left, line.left_note, to_left), (line.right, line.right_note, -to_left))
    middle = (start + end) / 2
    return [(name, note, np.round(middle + way).astype(int).tolist(), bool(way[1] <= 0)) for name, note, way in sides]


def _around(picture: Picture, area: Area) -> Box:
    """Return a box of an area that begins at its highest corner, so that a name above the box's left end touches the area."""
    corners = pixels(picture, area.corners)
    left, top = min(corners.tolist(), key=lambda corner: (corner[1], corner[0]))
    right, bottom = corners.max(axis=0).tolist()
    return Box(left, top, max(right, left + 1), bottom)
