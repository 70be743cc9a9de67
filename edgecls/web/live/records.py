"""What the page is told, as plain values for JSON. Names and labels are texts; the page never treats them as HTML.

Boxes and corners are in fractions of the frame (0 to 1). Times are those of the player: media time plus `fragments.LEAD_S`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.frame import MOTION, WHOLE_FRAME
from edgecls.video.fragments import LEAD_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Result
    from edgecls.overlay import Mark, TrackView

DIGITS = 4
"""Of a fraction of the frame."""


def scene_record(result: Result) -> dict[str, Any]:
    """Return zones, ignored areas and lines with their notes, which change now and then."""
    overlay = result.overlay
    areas = () if overlay is None else overlay.areas
    lines = () if overlay is None else overlay.lines
    return {
        "kind": "scene",
        "camera": result.frame.camera,
        "areas": [{"name": a.name, "look": a.look, "note": a.note, "corners": _points(a.corners)} for a in areas],
        "lines": [
            {
                "name": line.name, "ends": _points((line.start, line.end)),
                "sides": [[line.left, line.left_note], [line.right, line.right_note]],
            }
            for line in lines
        ],
    }  # fmt: skip


def overlay_record(result: Result, *, lead_s: float = LEAD_S) -> dict[str, Any]:
    """Return what was found in a frame: each box with its label, score, region and track. `lead_s` is added to its time."""
    overlay = result.overlay
    height, width = result.frame.size_hw
    marks: Sequence[Mark | None] = () if overlay is None else overlay.marks
    found = []
    for i, one in enumerate(result.detections):
        mark = marks[i] if i < len(marks) else None
        label, score = (", ".join(one.prediction.names), one.prediction.score) if mark is None else (mark.label, mark.score)
        left, top, right, bottom = one.box
        box = [left / width, top / height, right / width, bottom / height]
        found.append(_box_record(box, label, score, one.region, mark))
    for track in () if overlay is None else overlay.carried:
        left, top, right, bottom = track.box
        box = [left / width, top / height, right / width, bottom / height]
        found.append(_box_record(box, track.label, track.score, MOTION, track))
    return {
        "kind": "overlay",
        "camera": result.frame.camera,
        "time": round(result.frame.time_s + lead_s, 6),
        "boxes": found,
        "fault": "" if result.unfit is None else result.unfit.fault,
    }


def _box_record(box: list[float], label: str, score: float, region: str, mark: Mark | TrackView | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "box": [round(number, DIGITS) for number in box], "label": label, "score": round(score, 3), "region": region,
        "whole": region == WHOLE_FRAME,
    }  # fmt: skip
    if mark is not None:
        record |= {"track": mark.track_id, "ignored": mark.is_ignored, "path": _points(mark.path)}
    return record


def _points(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(x, DIGITS), round(y, DIGITS)] for x, y in points]
