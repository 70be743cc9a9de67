"""How a run goes: frames per second, age and skips of each camera, over the last seconds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edgecls import metrics

if TYPE_CHECKING:
    from edgecls.frame import Result

WINDOW_FRAMES = 100


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

    def line(self, skipped: int) -> str:
        """One line for a person."""
        cameras = [f"{name} {self.fps(name):.1f} fps, {self.age_ms(name):.0f} ms old" for name in self.frames]
        return f"{sum(self.frames.values())} frames, {skipped} skipped | " + " | ".join(cameras)
