"""A result as one line of JSON, for pipes and files.

    {"camera": "gate", "frame": 12, "time_s": 0.48, "age_ms": 3.1, "label": "stop", "score": 0.998,
     "top": [["stop", 0.998], ["yield", 0.001], ...]}

`label`, `score` and `top` are those of the first region, null and [] where there is none. Frames of a live source add "at_s",
seconds since 1970 (UTC), those of a recording "file", the video or the picture; a frame with more than the whole of it
adds "size", its width and height in pixels, and "detections", one for each region with its box. A frame of a camera that is
not fit adds why, since when, and when that was last seen; it has no labels, unless "classified" says that it was looked at all
the same:

    "unfit": {"fault": "black", "since": {"frame": 90, "time_s": 3.6, "at_s": null}, "last": {"frame": 140, ...}}

A change of a camera's state is a line too, between those of its frames:

    {"camera": "gate", "state": "lost", "why": "rtsp://***@gate/1: no more frames after 12; ...", "at_s": 1763823787.123}

So is an event, when it begins and again when it has ended; `end` and `duration_s` are null as long as it goes on, and what does
not belong to its kind is left out:

    {"event": "4c9d0e...", "kind": "crossing", "camera": "gate", "region": "entry", "label": "vehicle", "score": 0.9812,
     "track_id": 3, "direction": "left", "start": {"frame": 61, "time_s": 4.88, "at_s": 1763823787.123}, "end": {...},
     "duration_s": 0.0, "model": "street",
     "view": {"frame": 61, "time_s": 4.88, "box": [310, 122, 402, 190], "size": [768, 432]}}

`view` is where an object is to be seen: the best frame of it so far, for a crossing or a presence the one in which that began.

What waits on a disk before it is delivered is such a record too, and `to_event` and `to_state` read it back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import DataError
from edgecls.event import Event, Moment, View
from edgecls.frame import WHOLE_FRAME, Box, Detection, Prediction, StateChange, Unfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.frame import Result

DIGITS = 7
"""Of a score, so that lines can be compared to 1e-6."""


class Observation(NamedTuple):
    """What a line says of a frame: all that events are made of, so a line and the frame itself give the same ones."""

    camera: str
    moment: Moment
    size_hw: tuple[int, int]
    detections: tuple[Detection, ...]
    unfit: Unfit | None = None


def observe(result: Result) -> Observation:
    """Return of a result what its line holds."""
    return observed(to_record(result))


def observed(record: dict[str, Any]) -> Observation:
    """Return what the record of a frame says. Raises KeyError, TypeError or ValueError for one that no frame gave."""
    width, height = record.get("size", (1, 1))
    moment = Moment(int(record["frame"]), float(record["time_s"]), record.get("at_s"), record.get("file", ""))
    found = record.get("detections")
    if found is None:
        found = [{**record, "region": WHOLE_FRAME, "box": (0, 0, width, height)}]
    detections = tuple(Detection(Box(*one["box"]), _heard(one), one["region"]) for one in found)
    return Observation(record["camera"], moment, (height, width), detections, _unfit(record.get("unfit")))


def read_line(line: str, where: str) -> Observation | StateChange | None:
    """Return what a line says of a frame, or of a change of a camera's state; None where it speaks of something else. Raises
    DataError, whose text begins with `where`, for what is no line of a run.
    """
    try:
        record = json.loads(line)
        if "frame" in record:
            return observed(record)
        return to_state(record) if "state" in record else None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a line of edgecls run ({type(error).__name__}: {error})") from error


def to_record(result: Result) -> dict[str, Any]:
    """Return what a line says, as plain values."""
    frame, detections = result.frame, result.detections
    first = _said(detections[0].prediction) if detections else {"label": None, "score": None, "top": []}
    record: dict[str, Any] = {
        "camera": frame.camera,
        "frame": frame.index,
        "time_s": round(frame.time_s, 3),
        "age_ms": round(result.timing.age_ms, 1),
        **first,
    }
    if frame.at_s is not None:
        record["at_s"] = round(frame.at_s, 3)
    if frame.file:
        record["file"] = frame.file
    if [d.region for d in detections] != [WHOLE_FRAME]:
        record["size"] = [frame.size_hw[1], frame.size_hw[0]]
        record["detections"] = [{"region": d.region, "box": list(d.box), **_said(d.prediction)} for d in detections]
    if result.unfit is not None:
        record["unfit"] = _unfit_record(result.unfit)
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
        "score": round(event.score, DIGITS),
        "start": _moment(event.start),
        "end": None if event.end is None else _moment(event.end),
        "duration_s": None if event.duration_s is None else round(event.duration_s, 3),
        "model": event.model,
    }
    extra: dict[str, Any] = {"track_id": event.track_id, "direction": event.direction, "counts": dict(event.counts)}
    if event.occupancy is not None:
        extra["occupancy"] = round(event.occupancy, 3)
    if event.view is not None:
        extra["view"] = _view_record(event.view)
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
        occupancy=record.get("occupancy"),
        model=record["model"],
        view=_view(record.get("view")),
    )


def _moment(moment: Moment) -> dict[str, Any]:
    at_s = None if moment.at_s is None else round(moment.at_s, 3)
    said = {"frame": moment.frame, "time_s": round(moment.time_s, 3), "at_s": at_s}
    return {**said, "file": moment.file} if moment.file else said


def _view_record(view: View) -> dict[str, Any]:
    height, width = view.size_hw
    return {"frame": view.frame, "time_s": round(view.time_s, 3), "box": list(view.box), "size": [width, height]}


def _view(record: Mapping[str, Any] | None) -> View | None:
    """The inverse of `_view_record`."""
    if record is None:
        return None
    width, height = record["size"]
    return View(record["frame"], record["time_s"], Box(*record["box"]), (height, width))


def as_line(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON, without the line break."""
    return in_utf8(json.dumps(record, ensure_ascii=False))


def in_utf8(text: str) -> str:
    """Escape what UTF-8 cannot hold, as in a name that is not Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _unfit_record(unfit: Unfit) -> dict[str, Any]:
    record = {"fault": unfit.fault, "since": _moment(unfit.since), "last": _moment(unfit.last)}
    return {**record, "classified": True} if unfit.classified else record


def _unfit(record: Mapping[str, Any] | None) -> Unfit | None:
    """The inverse of `_unfit_record`."""
    if record is None:
        return None
    since, last = (Moment(**record[name]) for name in ("since", "last"))
    return Unfit(record["fault"], since, last, record.get("classified", False))


def _said(prediction: Prediction) -> dict[str, Any]:
    top = [[label, round(score, DIGITS)] for label, score in prediction.top]
    return {"label": prediction.label, "score": round(prediction.score, DIGITS), "top": top}


def _heard(said: dict[str, Any]) -> Prediction:
    """The inverse of `_said`, but for the class index."""
    return Prediction(said["label"], float(said["score"]), -1, tuple((label, score) for label, score in said["top"]))
