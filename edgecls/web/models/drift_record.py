"""The drift of each camera as plain values for JSON: its state, what helps, and the distances of the last days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecls.drift.history import DriftState, Hour
    from edgecls.run.run import Run

HELPS = {
    "place": "The camera sees another scene: turn it back, or correct its zones and lines.",
    "lens": "Its pictures are less sharp: clean the lens, focus it.",
    "light": "It is darker or brighter than ever at this time of day: look at lamps, exposure and the filter for infrared.",
    "new objects": (
        "Scores are lower, more is unknown, or pictures are farther from those of the training: collect and label them, and "
        "learn again."
    ),
    "label mix": "Known labels occur in other shares: traffic has changed, or the model errs in a new way. Look at it.",
}
"""What helps against each cause."""
OFF = "Drift is switched off for this camera."
WAITING = "No picture of this camera has been compared yet."
DIGITS = 4


def drift_records(run: Run | None) -> list[dict[str, Any]]:
    """Return what is known of the drift of each camera of a run. Any thread may call this."""
    if run is None:
        return []
    states = {state.camera: state for state in run.drift}
    return [_record(camera.name, states.get(camera.name), is_off=camera.drift.off) for camera in run.config.camera]


def _record(camera: str, state: DriftState | None, *, is_off: bool) -> dict[str, Any]:
    """Return the record of one camera; `state` is None while no picture of it has come."""
    event = None if state is None else state.event
    left_h = 0.0 if state is None else max(0.0, state.learn_h - state.learned_h)
    text = OFF if is_off else WAITING if state is None else ""
    return {
        "camera": camera,
        "state": "off" if is_off else "waiting" if state is None else _state_of(state),
        "why": text,
        "left_h": round(left_h, 2),
        "learn_h": None if state is None else state.learn_h,
        "cause": "" if event is None else event.label,
        "helps": "" if event is None else HELPS.get(event.label, ""),
        "size": None if event is None else round(event.score, DIGITS),
        "region": "" if event is None else event.region,
        "since_s": None if event is None else event.start.at_s,
        "distances": [] if state is None else _distances(state.hours),
    }


def _state_of(state: DriftState) -> str:
    return "drift" if state.event is not None else "learning" if state.is_learning else "usual"


def _distances(hours: tuple[Hour, ...]) -> list[dict[str, Any]]:
    """Return what was compared, each with its hours: when it began, the distance and the limit."""
    found: dict[tuple[str, str], list[list[float]]] = {}
    for hour in hours:
        for key, change in hour.changes.items():
            found.setdefault(key, []).append([hour.start_s, round(change.distance, DIGITS), round(change.limit, DIGITS)])
    return [{"region": region, "what": what, "hours": rows} for (region, what), rows in sorted(found.items())]
