"""Write results as lines of JSON, for pipes and files.

    {"camera": "gate", "frame": 12, "time_s": 0.48, "age_ms": 3.1, "label": "stop", "score": 0.998,
     "top": [["stop", 0.998], ["yield", 0.001], ...]}

`label`, `score` and `top` belong to the first region; without regions they are null and []. A model with several labels a
picture adds "labels", all that are shown with their scores: [["car", 0.91], ["person", 0.72]]; `label` is then the best one, or
"none". A frame of a live source adds
"at_s", in seconds since 1970 (UTC); a frame of a recording adds "file", the video or picture. Unless the only region is the
whole frame, "size" is its width and height in pixels, and "detections" lists each region with its box. For an unfit camera,
"unfit" names the fault, since when and until when it was seen. Such a frame has no labels, unless "classified" is true:

    "unfit": {"fault": "black", "since": {"frame": 90, "time_s": 3.6, "at_s": null}, "last": {"frame": 140, ...}}

A state change of a camera is a line of its own, in order with the camera's frames:

    {"camera": "gate", "state": "lost", "why": "rtsp://gate: no more frames after 12; ...", "at_s": 1763823787.123}

An event has a line when it begins and another one when it ends. Until then, `end` and `duration_s` are null. Fields that do not
apply to its kind are left out:

    {"event": "4c9d0e...", "kind": "crossing", "camera": "gate", "region": "entry", "label": "vehicle", "score": 0.9812,
     "track_id": 3, "direction": "left", "start": {"frame": 61, "time_s": 4.88, "at_s": 1763823787.123}, "end": {...},
     "duration_s": 0.0, "model": "street",
     "view": {"frame": 61, "time_s": 4.88, "box": [310, 122, 402, 190], "size": [768, 432]}}

Where a shadow model saw the frame, each region also has "shadow" and "shadow_score", what that model says of it.

`view` is the frame and box that show the object best so far; for a crossing or a presence, those in which it began.

Spools on disk hold the same records. `to_event` and `to_state` read them back.
"""

from __future__ import annotations

import math
from functools import lru_cache
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from edgecls.errors import DataError
from edgecls.event import Event, Moment, View
from edgecls.events.observation import SCORE_DIGITS, TIME_DIGITS, UNKNOWN_SIZE, Observation, is_whole_frame, rounded_moment
from edgecls.frame import WHOLE_FRAME, Box, Detection, Prediction, StateChange, Unfit
from edgecls.labels.validation import check_frame, check_state
from edgecls.text.redaction import public_text
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.frame import Result

LEFT_OUT = "left_out"
"""The field that only lines of a thinned log have."""
_LOWEST_PLAIN, _HIGHEST_PLAIN = 1e-3, 1 - 10.0**-SCORE_DIGITS
"""Lower scores may be written with an exponent, higher ones become 1.0."""
_PLAIN = f"%.{SCORE_DIGITS}f"


def observed(record: dict[str, Any]) -> Observation:
    """Return the observation in the record of a frame. Raises KeyError, TypeError or ValueError if it is not such a record."""
    moment = Moment(int(record["frame"]), float(record["time_s"]), record.get("at_s"), record.get("file", ""))
    width, height = record.get("size", UNKNOWN_SIZE)
    found = record.get("detections")
    if found is None:
        found = [{**record, "region": WHOLE_FRAME, "box": (0, 0, width, height)}]
    detections = tuple(
        [Detection(Box(*one["box"]), _prediction(one), one["region"], one.get("box_score"), _shadow(one)) for one in found]
    )
    return Observation(record["camera"], moment, (height, width), detections, _unfit(record.get("unfit")))


def read_line(line: str, where: str) -> Observation | StateChange | None:
    """Return the observation or the state change in a line, or None for a line of another kind, such as an event.

    Raises DataError, whose message begins with `where`, if the line was not written by a run.
    """
    try:
        record = loads(line)
        if LEFT_OUT in record:
            raise DataError(
                f"{where}: this log is thinned (its sink has when or every_s), but events and shares need every frame; "
                "record with jsonl:FILE alone. The events of the run itself are already in the log"
            )
        if "frame" in record:
            check_frame(record)
            return observed(record)
        if "state" not in record:
            return None
        check_state(record)
        return to_state(record)
    except DataError:
        raise
    except JSONDecodeError as error:
        why = error.msg.removesuffix(" at")
        raise DataError(f"{where}: not a line of edgecls run: it is no JSON ({why}, character {error.pos})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a line of edgecls run ({type(error).__name__}: {error})") from error


def to_line(result: Result) -> str:
    """Return a result as one line of JSON, without the line break. Characters that UTF-8 cannot encode, as in a file name that
    is not Unicode, are escaped as in JSON.

    The line is formatted here because `json.dumps` takes twice as long.
    """
    frame, detections = result.frame, result.detections
    predictions = [_prediction_json(d.prediction) + _shadow_json(d.shadow) for d in detections]
    first = predictions[0] if predictions else '"label": null, "score": null, "top": []'
    parts = [
        f'{{"camera": {_quoted(frame.camera)}, "frame": {frame.index}, "time_s": {_json(round(frame.time_s, TIME_DIGITS))}, '
        f'"age_ms": {_json(round(result.timing.age_ms, 1))}, {first}'
    ]
    if frame.at_s is not None:
        parts.append(f'"at_s": {_json(round(frame.at_s, TIME_DIGITS))}')
    if frame.file:
        parts.append(f'"file": {dumps(frame.file)}')
    if not is_whole_frame(result):
        height, width = frame.size_hw
        regions = [
            f'{{"region": {_quoted(d.region)}, "box": {list(d.box)}, {prediction}{_box_score(d)}}}'
            for d, prediction in zip(detections, predictions, strict=True)
        ]
        parts.append(f'"size": [{width}, {height}], "detections": [{", ".join(regions)}]')
    if result.left_out:
        parts.append(f'"regions_left_out": {result.left_out}')
    if result.unfit is not None:
        parts.append(f'"unfit": {dumps(_unfit_record(result.unfit))}')
    return ", ".join(parts) + "}"


def to_thinned_line(result: Result, left_out: int) -> str:
    """Return the line of a result in a thinned log, with the number of frames left out since the previous line."""
    return f'{to_line(result)[:-1]}, "{LEFT_OUT}": {left_out}}}'


def state_line(change: StateChange) -> str:
    """Return a change of state as one line of JSON, without the line break."""
    return as_line(state_record(change))


def state_record(change: StateChange) -> dict[str, Any]:
    """Return the record of a change of state, as plain values. Addresses are reduced to scheme, host and port."""
    return {"camera": change.camera, "state": change.state, "why": public_text(change.why), "at_s": round(change.at_s, 3)}


def to_state(record: Mapping[str, Any]) -> StateChange:
    """Return the change of state in a record."""
    return StateChange(record["camera"], record["state"], record["why"], record["at_s"])


def event_record(event: Event) -> dict[str, Any]:
    """Return the record of an event, as plain values."""
    record: dict[str, Any] = {
        "event": event.id,
        "kind": event.kind,
        "camera": event.camera,
        "region": event.region,
        "label": event.label,
        "score": round(event.score, SCORE_DIGITS),
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
    """Return an event as one line of JSON, without the line break."""
    return as_line(event_record(event))


def to_event(record: Mapping[str, Any]) -> Event:
    """Return the event in a record: with the same id, times to a millisecond and a score of 7 digits."""
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
    frame, time_s, at_s, file = rounded_moment(moment)
    record = {"frame": frame, "time_s": time_s, "at_s": at_s}
    return {**record, "file": file} if file else record


def _view_record(view: View) -> dict[str, Any]:
    height, width = view.size_hw
    return {"frame": view.frame, "time_s": round(view.time_s, 3), "box": list(view.box), "size": [width, height]}


def _view(record: Mapping[str, Any] | None) -> View | None:
    """Return the view in a record."""
    if record is None:
        return None
    width, height = record["size"]
    return View(record["frame"], record["time_s"], Box(*record["box"]), (height, width))


def as_line(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON, without the line break."""
    return dumps(record)


def _unfit_record(unfit: Unfit) -> dict[str, Any]:
    record = {"fault": unfit.fault, "since": _moment(unfit.since), "last": _moment(unfit.last)}
    return {**record, "classified": True} if unfit.classified else record


def _unfit(record: Mapping[str, Any] | None) -> Unfit | None:
    """Return the fault in a record."""
    if record is None:
        return None
    since, last = (Moment(**record[name]) for name in ("since", "last"))
    return Unfit(record["fault"], since, last, record.get("classified", False))


def _prediction_json(prediction: Prediction) -> str:
    text = f'"label": {_quoted(prediction.label)}, "score": {_score_json(prediction.score)}, "top": {_ranked(prediction.top)}'
    return text if prediction.labels is None else f'{text}, "labels": {_ranked(prediction.labels)}'


def _shadow_json(shadow: Prediction | None) -> str:
    if shadow is None:
        return ""
    return f', "shadow": {_quoted(", ".join(shadow.names))}, "shadow_score": {_score_json(shadow.score)}'


def _shadow(record: dict[str, Any]) -> Prediction | None:
    """Return what a shadow model said, in a record: its labels and the score of the best."""
    if "shadow" not in record:
        return None
    label, score = record["shadow"], float(record["shadow_score"])
    return Prediction(label, score, -1, ((label, score),))


def _ranked(labels: tuple[tuple[str, float], ...]) -> str:
    return f"[{', '.join([f'[{_quoted(label)}, {_score_json(score)}]' for label, score in labels])}]"


def _prediction(record: dict[str, Any]) -> Prediction:
    """Return the prediction in a record. The class index is not recorded."""
    top = tuple([(label, score) for label, score in record["top"]])
    labels = tuple([(label, score) for label, score in record["labels"]]) if "labels" in record else None
    return Prediction(record["label"], float(record["score"]), -1, top, labels)


def _box_score(detection: Detection) -> str:
    return "" if detection.box_score is None else f', "box_score": {_score_json(detection.box_score)}'


def _score_json(score: float) -> str:
    """Return `repr(round(score, SCORE_DIGITS))`, in a third of its time."""
    if _LOWEST_PLAIN < score < _HIGHEST_PLAIN:
        return (_PLAIN % score).rstrip("0")
    return _json(round(score, SCORE_DIGITS))


def _json(number: float) -> str:
    return repr(number) if type(number) is float and math.isfinite(number) else dumps(number)


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """Return a name as JSON. Cached, because a run has few names of cameras, regions and labels."""
    return dumps(text)
