"""What the page is told, as plain values for JSON. Names and labels are texts; the page never treats them as HTML.

Boxes and corners are in fractions of the frame (0 to 1). Times are those of the player: media time plus `fragments.LEAD_S`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgecls.frame import MOTION, WHOLE_FRAME
from edgecls.text.redaction import public_text
from edgecls.video.fragments import LEAD_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Result
    from edgecls.overlay import Mark, TrackView
    from edgecls.web.live.view_sink import CameraView

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


def overlay_record(result: Result) -> dict[str, Any]:
    """Return what was found in a frame: each box with its label, score, region and track."""
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
        "time": round(result.frame.time_s + LEAD_S, 6),
        "boxes": found,
        "fault": "" if result.unfit is None else result.unfit.fault,
    }


def camera_record(view: CameraView, now: float) -> dict[str, Any]:
    """Return the state of a camera at `now` (time.monotonic)."""
    size_hw = view.results[-1][1].frame.size_hw if view.results else None
    return {
        "name": view.name,
        "state": view.state,
        "why": public_text(view.why),
        "fault": view.fault,
        "fps": round(view.fps(now), 1),
        "age_ms": None if view.age_ms is None else round(view.age_ms, 1),
        "size": None if size_hw is None else [size_hw[1], size_hw[0]],
    }


def now_record(cameras: Sequence[CameraView], *, skipped: int, events: int, reasons: dict[str, str]) -> dict[str, Any]:
    """Return the states of all cameras. `reasons` tell why a camera is not shown as video."""
    now = time.monotonic()
    return {
        "kind": "cameras",
        "at_s": round(time.time(), 3),
        "skipped": skipped,
        "events": events,
        "cameras": [{**camera_record(view, now), "reason": reasons.get(view.name, "")} for view in cameras],
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
