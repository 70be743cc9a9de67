"""Recordings of labels for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgecls.events.observation import Observation

FPS = 25


def lines(
    labels: Iterable[str], *, camera: str = "gate", live_from: float | None = None, score: float = 0.9, fps: float = FPS,
    first: int = 0,
) -> list[str]:  # fmt: skip
    """Return a line for each label of the whole frame, as `edgecls run` writes it."""
    return [json.dumps(_record(i, label, camera, score, fps, live_from)) for i, label in enumerate(labels, first)]


def seen(labels: Iterable[str], **options: Any) -> list[Observation]:
    """Return the observations in these lines."""
    from edgecls.labels.json_lines import read_line

    return [read_line(line, "here") for line in lines(labels, **options)]


def runs(*parts: tuple[str, float], fps: float = FPS) -> list[str]:
    """Repeat each label for this many seconds."""
    return [label for label, seconds in parts for _ in range(round(seconds * fps))]


def zoned(shown: dict[str, Sequence[str]], *, camera: str = "gate") -> list[str]:
    """Return lines of several zones, each with a label for each frame."""
    count = len(next(iter(shown.values())))
    return [
        json.dumps({
            **_record(i, "", camera, 0.9, FPS, None),
            "size": [100, 100],
            "detections": [
                {"region": name, "box": [0, 0, 9, 9], "label": labels[i], "score": 0.9, "top": [[labels[i], 0.9]]}
                for name, labels in shown.items()
            ],
        })
        for i in range(count)
    ]  # fmt: skip


def moving(path: Iterable[tuple[float, float] | None], label: str = "car", *, camera: str = "road") -> list[str]:
    """Return lines of an object of 10x10 pixels in a picture of 100x100, with its center on a path."""
    made = []
    for i, place in enumerate(path):
        box = [] if place is None else [round(place[0] - 5), round(place[1] - 5), round(place[0] + 5), round(place[1] + 5)]
        found = [{"region": "motion", "box": box, "label": label, "score": 0.9, "top": [[label, 0.9]]}] if box else []
        made.append(json.dumps({**_record(i, label, camera, 0.9, FPS, None), "size": [100, 100], "detections": found}))
    return made


def _record(index: int, label: str, camera: str, score: float, fps: float, live_from: float | None) -> dict[str, Any]:
    time_s = round(index / fps, 3)
    record = {"camera": camera, "frame": index, "time_s": time_s, "age_ms": 1.0, "label": label, "score": score}
    live = {} if live_from is None else {"at_s": round(live_from + time_s, 3)}
    return {**record, "top": [[label, score]], **live}
