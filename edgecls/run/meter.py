"""How a run goes: frames per second, age and skips of each camera, over the last seconds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edgecls import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Result

WINDOW_FRAMES = 100
SILENT_S = 10.0


class Meter:
    """Counts results. A rate counts the intervals between frames, not the frames."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.frames: dict[str, int] = {}
        self._recent: dict[str, deque[tuple[float, float]]] = {}  # (when it was counted, age_ms)

    def add(self, result: Result, now_s: float) -> None:
        """Count a result; `now_s` is any clock that only goes forward."""
        camera = result.frame.camera
        self.frames[camera] = self.frames.get(camera, 0) + 1
        self._recent.setdefault(camera, deque(maxlen=WINDOW_FRAMES)).append((now_s, result.timing.age_ms))

    def fps(self, camera: str) -> float:
        """Results a second of one camera; 0 before there are two."""
        recent = self._recent.get(camera, deque())
        span_s = recent[-1][0] - recent[0][0] if len(recent) > 1 else 0.0
        return (len(recent) - 1) / span_s if span_s > 0 else 0.0

    def age_ms(self, camera: str) -> float:
        """The median age of the results of one camera; NaN before there is one."""
        return metrics.percentile([age for _, age in self._recent.get(camera, ())], 50)

    def line(self, cameras: Iterable[str], now_s: float, skipped: int) -> str:
        """One line for a person, of these cameras."""
        parts = [f"{name} {self._state(name, now_s)}" for name in cameras]
        return " | ".join((f"{sum(self.frames.values())} frames, {skipped} skipped", *parts))

    def _state(self, camera: str, now_s: float) -> str:
        recent = self._recent.get(camera)
        if not recent:
            return "nothing yet"
        silent_s = now_s - recent[-1][0]
        if silent_s >= SILENT_S:
            return f"nothing for {silent_s:.0f} s"
        return f"{self.fps(camera):.1f} fps, {self.age_ms(camera):.0f} ms old"
