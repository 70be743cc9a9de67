"""Draw why something was counted or not: what moves, the boxes, the tracks with their votes, and each crossing.

The picture is gray and dimmed, so that each colour means one thing: light blue is what moves, white are the boxes of this
frame, tracks have the colours of their labels, lines are red, and what was counted just now is yellow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

from edgecls import image
from edgecls.draw.plates import Plates
from edgecls.draw.results import FAULT, IGNORED, STAMP, ZONE, draw_outlines, label_color, line_px, name_outlines, pixels
from edgecls.draw.steady import Steady
from edgecls.frame import MOTION, Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Detection, Picture, Result
    from edgecls.overlay import Overlay, TrackView

FOREGROUND, RAW, COUNTED, COUNTED_PLATE = (230, 190, 60), (235, 235, 235), (0, 230, 255), (0, 120, 150)
"""Blue-green-red: what moves, a box of this frame, what was counted just now, and its text."""
DIMMED, TINT = 0.6, 0.6
"""The brightness of the picture, and the share of the colour where something moves."""
TINTED = (np.arange(256)[:, None] * (1 - TINT) + np.multiply(FOREGROUND, TINT)).astype(np.uint8)[None]
"""The colour of each gray level where something moves, as a table for OpenCV."""
FLASH_S = 0.6
"""How long a crossing is shown, in seconds of media time."""
MOST_VOTES = 3
UNWATCHED = {
    "warm-up": "warm-up: the background is learned, so nothing is looked for",
    "everything moves": "everything moves, or the light has changed: nothing is looked for until this is over",
}


class _Flash(NamedTuple):
    line: str
    direction: str
    track_id: int | None
    since_s: float


class Explainer:
    """Draws the results of one camera. Pass them in order."""

    def __init__(self) -> None:
        """Start without crossings."""
        self._steady = Steady()
        self._flashes: list[_Flash] = []

    def draw(self, result: Result) -> Picture:
        """Draw a result, whose overlay has the tracks (`edgecls.overlay.Overlay`).

        Returns:
            (H, W, 3) uint8, blue-green-red, as large as the frame.
        """
        picture = _ground(result)
        overlay, now_s = result.overlay, result.frame.time_s
        plates = Plates(picture, steady=self._steady, time_s=now_s)
        moving = [one for one in result.detections if one.region == MOTION]
        if overlay is not None:
            self._note(overlay, now_s)
            draw_outlines(picture, overlay)
            self._flash(picture, overlay)
        for one in moving:
            _rectangle(picture, one.box, RAW, 1)
        tracks = overlay.tracks if overlay is not None else ()
        counted = {flash.track_id: flash for flash in self._flashes}
        for track in tracks:
            _draw_track(picture, track, is_counted=track.track_id in counted)
        _name_frame(plates, result, picture.shape[:2])
        if overlay is not None:
            name_outlines(picture, plates, overlay, without={one.region for one in result.detections})
        _name_regions(plates, result.detections)
        boxes = {track.track_id: Box(*track.box) for track in tracks}
        for track in tracks:
            texts = _track_texts(track, now_s)
            end = counted.get(track.track_id)
            color = _color(track)
            after = () if end is None else ((f"counted: {end.line}, {end.direction}", COUNTED_PLATE),)
            others = [box for other, box in boxes.items() if other != track.track_id]
            wordings = [((text, color), *after) for text in texts]
            plates.beside(wordings, boxes[track.track_id], others=others, key=track.track_id)
        plates.finish()
        return picture

    def _note(self, overlay: Overlay, now_s: float) -> None:
        self._flashes = [flash for flash in self._flashes if 0 <= now_s - flash.since_s < FLASH_S]
        self._flashes += [_Flash(*crossing, now_s) for crossing in overlay.crossings]

    def _flash(self, picture: Picture, overlay: Overlay) -> None:
        """Draw the lines that were crossed just now."""
        names = {flash.line for flash in self._flashes}
        for line in overlay.lines:
            if line.name in names:
                start, end = pixels(picture, (line.start, line.end)).tolist()
                cv2.line(picture, start, end, COUNTED, 3 * line_px(picture), cv2.LINE_AA)


def _ground(result: Result) -> Picture:
    """Return the dimmed gray picture, with a tint where something moves."""
    frame = result.frame
    picture = cast("Picture", cv2.merge([cv2.convertScaleAbs(frame.luma(), alpha=DIMMED)] * 3))
    if frame.foreground is not None and not frame.unwatched:
        cv2.copyTo(cv2.LUT(picture, TINTED), image.enlarged(frame.foreground, frame.size_hw), picture)
    return picture


def _rectangle(picture: Picture, box: Box, color: tuple[int, int, int], thick: int) -> None:
    cv2.rectangle(picture, (box.left, box.top), (box.right - 1, box.bottom - 1), color, thick)


def _color(track: TrackView) -> tuple[int, int, int]:
    return IGNORED if track.is_ignored else label_color(track.label, track.score)


def _draw_track(picture: Picture, track: TrackView, *, is_counted: bool) -> None:
    """Draw the path and the filtered box."""
    thick, color = line_px(picture), COUNTED if is_counted else _color(track)
    if len(track.path) > 1:
        path = [pixels(picture, track.path)]
        cv2.polylines(picture, path, isClosed=False, color=color, thickness=thick, lineType=cv2.LINE_AA)
    _rectangle(picture, Box(*track.box), color, thick * (3 if is_counted else 1))


def _track_texts(track: TrackView, now_s: float) -> list[str]:
    """Return the texts of a track, the longest first."""
    name, age = f"#{track.track_id}", f"{max(0.0, now_s - track.first_s):.1f} s"
    votes = [f"{label} {score:.1f}" for label, score in track.votes[:MOST_VOTES]]
    notes = []
    if track.seen < track.settle:
        notes.append(f"{track.seen} of {track.settle} frames")
    if track.is_ignored:
        notes.append("ignored")
    if now_s > track.last_s:
        notes.append(f"not seen for {now_s - track.last_s:.1f} s")
    note = f" ({', '.join(notes)})" if notes else ""
    return [f"{name} {age} {' / '.join(votes)}{note}", f"{name} {' / '.join(votes[:1])}{note}", name]


def _name_frame(plates: Plates, result: Result, size_hw: tuple[int, ...]) -> None:
    """Write camera and time, and at the top why the frame was not looked at."""
    frame, unfit = result.frame, result.unfit
    left_out = f"  {frame.left_out} boxes left out" if frame.left_out else ""
    plates.fixed(f"{frame.camera}  {frame.time_s:.2f} s{left_out}", 0, size_hw[0], STAMP)
    if unfit is not None:
        plates.fixed(f"camera unfit: {unfit.fault}" + ("" if unfit.classified else ", not looked at"), 0, 0, FAULT)
    elif frame.unwatched:
        plates.fixed(UNWATCHED[frame.unwatched], 0, 0, FAULT)


def _name_regions(plates: Plates, detections: Iterable[Detection]) -> None:
    """Write what zones and the whole frame show."""
    for one in detections:
        said = one.prediction.text
        if plates.is_whole(one.box):
            plates.at(said, 0, plates.height, label_color(one.prediction.label, one.prediction.score))
        elif one.region != MOTION:
            plates.beside([((f"{one.region}: {said}", ZONE),)], one.box, key=one.region)
