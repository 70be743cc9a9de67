"""Validate the values of a recorded line, so that errors are reported with the line that contains them.

A recording may have been cut, joined, edited or damaged. Media time must be a number of seconds, not NaN and not 10^300; a
score must be from 0 to 1; boxes consist of whole pixels. After this check, no later code can fail because of a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_S = 1e10
"""The longest media time in seconds: more than three hundred years is not plausible."""
LATEST_AT_S = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970. Python has no later dates."""
MOST_PX = 1 << 24
SLACK = 1e-6
"""Tolerance for rounded scores."""


def check_frame(record: Mapping[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError if the record of a frame has an invalid value."""
    _check(record, "camera", _is_text, "a text")
    _check_moment(record)
    if "size" in record:
        _check(record, "size", lambda size: _is_box(size, 2) and min(size) > 0, "a size in pixels")
    detections = record.get("detections")
    _check({"detections": None, **record}, "detections", lambda v: v is None or isinstance(v, list), "a list of regions")
    for found in [record] if detections is None else detections:
        _check_prediction(found)
        _check_shadow(found)
        if detections is not None:
            _check(found, "region", _is_text, "a text")
            _check(found, "box", lambda box: _is_box(box, 4), "a box of whole pixels")
            _check({"box_score": None, **found}, "box_score", lambda v: v is None or _is_score(v), "a score from 0 to 1")
    unfit = record.get("unfit")
    if unfit is not None:
        _check(unfit, "fault", _is_text, "a text")
        for name in ("since", "last"):
            _check_moment(unfit[name])
        if unfit["since"]["time_s"] > unfit["last"]["time_s"]:
            raise ValueError("unfit: it was last seen before it began")


def check_state(record: Mapping[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError if the record of a state change has an invalid value."""
    for name in ("camera", "state", "why"):
        _check(record, name, _is_text, "a text")
    _check(record, "at_s", _is_date, "a time in seconds since 1970")


def _check_moment(record: Mapping[str, Any]) -> None:
    _check(record, "frame", lambda v: type(v) is int and 0 <= v < 1 << 63, "the number of a frame")
    _check(record, "time_s", lambda v: _is_within(v, -LONGEST_S, LONGEST_S), "a time in seconds")
    _check({"at_s": None, **record}, "at_s", lambda v: v is None or _is_date(v), "a time in seconds since 1970")
    _check({"file": "", **record}, "file", _is_text, "a text")


def _check_prediction(record: Mapping[str, Any]) -> None:
    _check(record, "label", _is_text, "a text")
    _check(record, "score", _is_score, "a score from 0 to 1")
    for name in ("top", "labels") if "labels" in record else ("top",):
        _check(record, name, lambda v: isinstance(v, list), "a list of labels")
        for label, score in record[name]:
            if not (_is_text(label) and _is_score(score)):
                raise ValueError(f"{name}: expected a label and a score from 0 to 1, found {str((label, score))[:80]}")


def _check_shadow(record: Mapping[str, Any]) -> None:
    if "shadow" in record:
        _check(record, "shadow", _is_text, "a text")
        _check({"shadow_score": None, **record}, "shadow_score", _is_score, "a score from 0 to 1")


def _check(record: Mapping[str, Any], name: str, good: Callable[[Any], bool], expected: str) -> None:
    if not good(record[name]):
        raise ValueError(f"{name}: expected {expected}, found {ascii(record[name])[:80]}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_within(value: object, low: float, high: float) -> bool:
    """Whether the value is a number in this range. NaN is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_date(value: object) -> bool:
    return _is_within(value, 0.0, LATEST_AT_S)


def _is_score(value: object) -> bool:
    return _is_within(value, -SLACK, 1 + SLACK)


def _is_box(value: object, numbers: int) -> bool:
    """Whether the value is a list of this many whole numbers in the range of pixels."""
    is_list = isinstance(value, list) and len(value) == numbers
    return is_list and all(type(v) is int and -MOST_PX <= v <= MOST_PX for v in value)  # type: ignore[attr-defined]
