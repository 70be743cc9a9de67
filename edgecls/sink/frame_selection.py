"""Selection of the frames that get a line in a log with fewer lines than frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edgecls.frame import Result


INTERVAL_TOLERANCE_S = 0.0005
"""How much less than `every_s` may lie between two selected frames, because frame times are rounded."""


class _Last(NamedTuple):
    time_s: float
    content: tuple[object, ...]


class FrameSelection:
    """Selects frames of each camera, beginning with the first.

    With `on_change` it selects frames whose labels differ from the last selected one, with `every_s` one frame per `every_s`
    seconds of media time, and with both, frames that meet either rule.
    """

    def __init__(self, *, on_change: bool, every_s: float) -> None:
        """Set the rules. Without any, every frame is selected."""
        self._on_change = on_change
        self._every_s = every_s
        self._last: dict[str, _Last] = {}
        self._left_out: dict[str, int] = {}

    @property
    def is_off(self) -> bool:
        """Whether every frame is selected."""
        return not (self._on_change or self._every_s)

    def select(self, result: Result) -> int | None:
        """Return the number of frames left out since the last selected one; None if this frame is left out too."""
        camera, content = result.frame.camera, _content(result)
        last = self._last.get(camera)
        if last is not None and not self._is_due(last, result.frame.time_s, content):
            self._left_out[camera] = self._left_out.get(camera, 0) + 1
            return None
        self._last[camera] = _Last(result.frame.time_s, content)
        return self._left_out.pop(camera, 0)

    def _is_due(self, last: _Last, time_s: float, content: tuple[object, ...]) -> bool:
        if self._on_change and content != last.content:
            return True
        passed_s = time_s - last.time_s
        return (
            bool(self._every_s) and not 0 <= passed_s < self._every_s - INTERVAL_TOLERANCE_S
        )  # time that jumps back is a new recording


def _content(result: Result) -> tuple[object, ...]:
    """Return what counts as a change: the labels of the regions and faults of the picture, but not scores or boxes."""
    labels = sorted((detection.region, *sorted(detection.prediction.names)) for detection in result.detections)
    return (result.unfit.fault if result.unfit else "", *labels)
