"""The tables of an archive: which columns labels and events have, and how results become their rows.

labels   one row for each region of each frame; a frame without regions has one row whose `region` is null
events   one row for each event, when it has ended

Camera and day are names of folders, as in `labels/camera=door/day=2026-11-28/`, which readers of Parquet make columns of.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edgecls.event import Moment
from edgecls.events.observation import SCORE_DIGITS, TIME_DIGITS, UNKNOWN_SIZE, Observation, rounded_moment
from edgecls.frame import WHOLE_FRAME, Box, Detection, Prediction, Unfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecls.event import Event, View

VERSION = 1
"""The version of the tables. An archive of another version is not continued."""
LABELS, EVENTS = "labels", "events"
LABEL_COLUMNS = (
    *("recording", "frame", "time_s", "taken_at", "region", "label", "score", "top", "labels", "box", "box_score"),
    *("width", "height", "unfit", "left_out"),
)
EVENT_COLUMNS = (
    *("recording", "event", "kind", "region", "label", "score", "start_frame", "start_s", "start_at", "end_frame", "end_s"),
    *("end_at", "duration_s", "track_id", "direction", "counts", "occupancy", "model", "view_frame", "view_s", "view_box"),
    *("width", "height"),
)


def labels_schema(pa: Any) -> Any:
    """Return the schema of the labels. `pa` is the module pyarrow."""
    text = pa.dictionary(pa.int32(), pa.string())
    ranked = pa.list_(pa.struct([("label", pa.string()), ("score", pa.float64())]))
    moment = [("frame", pa.int64()), ("time_s", pa.float64())]
    unfit = [("fault", pa.string()), ("since", pa.struct(moment)), ("last", pa.struct(moment)), ("classified", pa.bool_())]
    types = (
        *(text, pa.int64(), pa.float64(), _time(pa), text, text, pa.float64(), ranked, ranked, _box(pa), pa.float64()),
        *(pa.int32(), pa.int32(), pa.struct(unfit), pa.int32()),
    )
    return pa.schema(list(zip(LABEL_COLUMNS, types, strict=True)))


def events_schema(pa: Any) -> Any:
    """Return the schema of the events. `pa` is the module pyarrow."""
    text, number, seconds, time = pa.dictionary(pa.int32(), pa.string()), pa.int64(), pa.float64(), _time(pa)
    counts = pa.map_(pa.string(), pa.int64())
    types = (
        *(text, pa.string(), text, text, text, seconds, number, seconds, time, number, seconds, time, seconds, number, text),
        *(counts, seconds, text, number, seconds, _box(pa), pa.int32(), pa.int32()),
    )
    return pa.schema(list(zip(EVENT_COLUMNS, types, strict=True)))


def as_text(name: str) -> str:
    """Return a path as text that Parquet can hold; bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def label_rows(seen: Observation, size_hw: tuple[int, int], left_out: int, began_us: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a frame, in the order of `LABEL_COLUMNS`.

    Args:
        seen: The frame, with its numbers rounded as in a line of labels.
        size_hw: Its height and width in pixels.
        left_out: How many boxes of what moves were not classified.
        began_us: When the recording began, in microseconds since 1970.
    """
    moment, unfit = seen.moment, None if seen.unfit is None else _unfit_record(seen.unfit)
    height, width = size_hw
    frame = (as_text(moment.file), moment.frame, moment.time_s, began_us + round(moment.time_s * 1e6))
    rest = (width, height, unfit, left_out)
    is_whole = seen.size_hw == UNKNOWN_SIZE and len(seen.detections) == 1
    for detection in seen.detections:
        said = detection.prediction
        box = None if is_whole else _box_record(detection.box)
        labels = None if said.labels is None else _ranked(said.labels)
        yield (*frame, detection.region, said.label, said.score, _ranked(said.top), labels, box, detection.box_score, *rest)
    if not seen.detections:
        yield (*frame, None, None, None, None, None, None, None, *rest)


def observations(camera: str, file: str, rows: Sequence[dict[str, Any]]) -> Iterator[Observation]:
    """Yield the frames in rows of labels, which are in order. The inverse of `label_rows`.

    Args:
        camera: The camera.
        file: The path of the recording.
        rows: Dictionaries by column.
    """
    start = 0
    for stop in range(1, len(rows) + 1):
        if stop < len(rows) and rows[stop]["frame"] == rows[start]["frame"]:
            continue
        yield _observation(camera, file, rows[start:stop])
        start = stop


def event_row(event: Event, began_us: int) -> tuple[Any, ...]:
    """Return the row of an event, in the order of `EVENT_COLUMNS`."""
    start, end = rounded_moment(event.start), None if event.end is None else rounded_moment(event.end)
    view = event.view
    return (
        as_text(start.file),
        event.id,
        event.kind,
        event.region,
        event.label,
        round(event.score, SCORE_DIGITS),
        *(start.frame, start.time_s, began_us + round(start.time_s * 1e6)),
        *((None, None, None) if end is None else (end.frame, end.time_s, began_us + round(end.time_s * 1e6))),
        None if event.duration_s is None else round(event.duration_s, TIME_DIGITS),
        event.track_id,
        event.direction or None,
        list(event.counts.items()) or None,
        None if event.occupancy is None else round(event.occupancy, TIME_DIGITS),
        event.model,
        *((None,) * 5 if view is None else _view_row(view)),
    )


def _view_row(view: View) -> tuple[Any, ...]:
    height, width = view.size_hw
    return view.frame, round(view.time_s, TIME_DIGITS), _box_record(view.box), width, height


def _time(pa: Any) -> Any:
    return pa.timestamp("us", tz="UTC")


def _box(pa: Any) -> Any:
    return pa.struct([(name, pa.int32()) for name in Box._fields])


def _box_record(box: Sequence[int]) -> dict[str, int]:
    return dict(zip(Box._fields, map(int, box), strict=True))


def _ranked(labels: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"label": label, "score": score} for label, score in labels]


def _unfit_record(unfit: Unfit) -> dict[str, Any]:
    since, last = ({"frame": moment.frame, "time_s": moment.time_s} for moment in (unfit.since, unfit.last))
    return {"fault": unfit.fault, "since": since, "last": last, "classified": unfit.classified}


def _observation(camera: str, file: str, rows: Sequence[dict[str, Any]]) -> Observation:
    first = rows[0]
    found = [row for row in rows if row["region"] is not None]
    is_whole = len(found) == 1 and found[0]["region"] == WHOLE_FRAME and found[0]["box"] is None
    size_hw = UNKNOWN_SIZE if is_whole else (first["height"], first["width"])
    detections = tuple(
        [
            Detection(
                Box(0, 0, *UNKNOWN_SIZE) if row["box"] is None else Box(**row["box"]),
                Prediction(row["label"], row["score"], -1, _pairs(row["top"]), row["labels"] and _pairs(row["labels"])),
                row["region"],
                row["box_score"],
            )
            for row in found
        ]
    )
    moment = Moment(first["frame"], first["time_s"], None, file)
    return Observation(camera, moment, size_hw, detections, None if first["unfit"] is None else _unfit(first["unfit"], file))


def _pairs(ranked: Sequence[dict[str, Any]]) -> tuple[tuple[str, float], ...]:
    return tuple([(one["label"], one["score"]) for one in ranked])


def _unfit(record: dict[str, Any], file: str) -> Unfit:
    since, last = (Moment(one["frame"], one["time_s"], None, file) for one in (record["since"], record["last"]))
    return Unfit(record["fault"], since, last, record["classified"])
