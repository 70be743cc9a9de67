"""A result as one line of JSON, for pipes and files.

    {"camera": "gate", "frame": 12, "time_s": 0.48, "age_ms": 3.1, "label": "stop", "score": 0.998,
     "top": [["stop", 0.998], ["yield", 0.001], ...]}

`label`, `score` and `top` are those of the first region, null and [] where there is none. Frames of a folder add
"file"; a frame with more than the whole of it adds "detections", one for each region with its box in pixels.

A change of a camera's state is a line too, between those of its frames:

    {"camera": "gate", "state": "lost", "why": "rtsp://***@gate/1: no more frames after 12; ...", "at_s": 1763823787.123}

So is an event, when it begins and again when it has ended; `end` and `duration_s` are null as long as it goes on, and what does
not belong to its kind is left out:

    {"event": "4c9d0e...", "kind": "crossing", "camera": "gate", "region": "entry", "label": "vehicle", "score": 0.9812,
     "track_id": 3, "direction": "left", "start": {"frame": 61, "time_s": 4.88, "at_s": null}, "end": {...}, "duration_s": 0.0,
     "model": "street"}

What waits on a disk before it is delivered is such a record too, and `to_event` and `to_state` read it back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgecls.event import Event, Moment
from edgecls.frame import WHOLE_FRAME, StateChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.frame import Prediction, Result


def to_record(result: Result) -> dict[str, Any]:
    """Return what a line says, as plain values. Scores keep 7 digits, so that lines can be compared to 1e-6."""
    frame, detections = result.frame, result.detections
    first = _said(detections[0].prediction) if detections else {"label": None, "score": None, "top": []}
    record: dict[str, Any] = {
        "camera": frame.camera,
        "frame": frame.index,
        "time_s": round(frame.time_s, 3),
        "age_ms": round(result.timing.age_ms, 1),
        **first,
    }
    if frame.file:
        record["file"] = frame.file
    if [d.region for d in detections] != [WHOLE_FRAME]:
        record["detections"] = [{"region": d.region, "box": list(d.box), **_said(d.prediction)} for d in detections]
    return record


def to_line(result: Result) -> str:
    """Return one line of JSON, without the line break. What UTF-8 cannot hold, as in the name of a file that is not
    Unicode, stands as JSON's own escape.
    """
    return as_line(to_record(result))


def state_line(change: StateChange) -> str:
    """Return a change of state as one line of JSON, without the line break."""
    return as_line(state_record(change))


def state_record(change: StateChange) -> dict[str, Any]:
    """Return what the line of a change of state says, as plain values."""
    return {"camera": change.camera, "state": change.state, "why": change.why, "at_s": round(change.at_s, 3)}


def to_state(record: Mapping[str, Any]) -> StateChange:
    """Return the change of state that a record tells of."""
    return StateChange(record["camera"], record["state"], record["why"], record["at_s"])


def event_record(event: Event) -> dict[str, Any]:
    """Return what the line of an event says, as plain values."""
    record: dict[str, Any] = {
        "event": event.id,
        "kind": event.kind,
        "camera": event.camera,
        "region": event.region,
        "label": event.label,
        "score": round(event.score, 7),
        "start": _moment(event.start),
        "end": None if event.end is None else _moment(event.end),
        "duration_s": None if event.duration_s is None else round(event.duration_s, 3),
        "model": event.model,
    }
    extra = {"track_id": event.track_id, "direction": event.direction, "counts": dict(event.counts)}
    return {**record, **{name: value for name, value in extra.items() if value not in (None, "", {})}}


def event_line(event: Event) -> str:
    """Return one line of JSON, without the line break."""
    return as_line(event_record(event))


def to_event(record: Mapping[str, Any]) -> Event:
    """Return the event that a record tells of: the same id, times to a millisecond, the score to 7 digits."""
    return Event(
        kind=record["kind"],
        camera=record["camera"],
        region=record["region"],
        label=record["label"],
        score=record["score"],
        start=Moment(**record["start"]),
        end=None if record["end"] is None else Moment(**record["end"]),
        track_id=record.get("track_id"),
        direction=record.get("direction", ""),
        counts=record.get("counts", {}),
        model=record["model"],
    )


def _moment(moment: Moment) -> dict[str, Any]:
    at_s = None if moment.at_s is None else round(moment.at_s, 3)
    return {"frame": moment.frame, "time_s": round(moment.time_s, 3), "at_s": at_s}


def as_line(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON, without the line break."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


def _said(prediction: Prediction) -> dict[str, Any]:
    top = [[label, round(score, 7)] for label, score in prediction.top]
    return {"label": prediction.label, "score": round(prediction.score, 7), "top": top}
