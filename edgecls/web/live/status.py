"""The states of all cameras, which the page is told once a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgecls.text.redaction import public_text

if TYPE_CHECKING:
    from edgecls.web.live.view_sink import CameraView, ViewSink


def camera_record(view: CameraView, now: float) -> dict[str, Any]:
    """Return the state of a camera at `now` (time.monotonic)."""
    size_hw = view.results[-1][1].frame.size_hw if view.results else None
    return {
        "name": view.name,
        "state": view.state,
        "why": public_text(view.why),
        "fault": view.fault,
        "is_classified": view.is_classified,
        "fps": round(view.fps(now), 1),
        "age_ms": None if view.age_ms is None else round(view.age_ms, 1),
        "size": None if size_hw is None else [size_hw[1], size_hw[0]],
    }


def now_record(view: ViewSink, reasons: dict[str, str]) -> dict[str, Any]:
    """Return the states of all cameras. `reasons` tell why a camera is not shown as video."""
    now, recordings = time.monotonic(), view.recordings()

    def recording(name: str) -> dict[str, Any] | None:
        found = view.found.get(name)
        until_s = None if found is None else found.until_s
        return {"until_s": until_s, "has_ended": recordings[name].has_ended} if name in recordings else None

    def state(name: str) -> dict[str, str]:
        return {"state": "ended"} if name in recordings and recordings[name].has_ended else {}

    return {
        "kind": "cameras",
        "at_s": round(time.time(), 3),
        "skipped": view.skipped(),
        "events": view.event_count,
        "notices": view.notices(),
        "cameras": [
            {
                **camera_record(one, now),
                **state(one.name),
                "reason": reasons.get(one.name, ""),
                "recording": recording(one.name),
            }
            for one in list(view.cameras.values())
        ],
    }
