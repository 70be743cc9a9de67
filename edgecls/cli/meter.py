"""The status of a run: frames per second, latency and skipped frames of each camera."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edgecls import metrics
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Result

WINDOW_FRAMES = 100
SILENT_S = 10.0


class Meter:
    """Counts results. Rates are computed from the intervals between the last 100 frames."""

    def __init__(self) -> None:
        """Start with no results."""
        self.frames: dict[str, int] = {}
        self.left_out = 0
        self._recent: dict[str, deque[tuple[float, float]]] = {}  # (time of the count, age_ms)

    def add(self, result: Result, now_s: float) -> None:
        """Count a result. `now_s` comes from any monotonic clock."""
        camera = result.frame.camera
        self.frames[camera] = self.frames.get(camera, 0) + 1
        self.left_out += result.left_out
        self._recent.setdefault(camera, deque(maxlen=WINDOW_FRAMES)).append((now_s, result.timing.age_ms))

    def fps(self, camera: str) -> float:
        """Return the results per second of a camera; 0 before the second result."""
        recent = self._recent.get(camera, deque())
        span_s = recent[-1][0] - recent[0][0] if len(recent) > 1 else 0.0
        return (len(recent) - 1) / span_s if span_s > 0 else 0.0

    def age_ms(self, camera: str) -> float:
        """Return the median age of a camera's results; NaN before the first result."""
        return metrics.percentile([age for _, age in self._recent.get(camera, ())], 50)

    def line(self, cameras: Iterable[str], now_s: float, skipped: int) -> str:
        """Return the status line for these cameras."""
        parts = [f"{name} {self._state(name, now_s)}" for name in cameras]
        left_out = f", {self.left_out} regions left out" if self.left_out else ""
        return " | ".join((f"{counted(sum(self.frames.values()), 'frame')}, {skipped} skipped{left_out}", *parts))

    def _state(self, camera: str, now_s: float) -> str:
        recent = self._recent.get(camera)
        if not recent:
            return "nothing yet"
        silent_s = now_s - recent[-1][0]
        if silent_s >= SILENT_S:
            return f"nothing for {silent_s:.0f} s"
        return f"{self.fps(camera):.1f} fps, {self.age_ms(camera):.0f} ms old"
