"""How the cameras of a run are doing, seen as a sink that writes nothing."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecls.frame import END, GONE
from edgecls.sink.sink import Sink
from edgecls.text.redaction import public_text

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


@dataclass(slots=True)
class _Camera:
    state: str = "connecting"
    why: str = ""
    faults: dict[str, str] = field(default_factory=dict)  # by the id of the health event that lasts
    last: float | None = None  # time.monotonic of the last result
    frames: int = 0

    @property
    def fault(self) -> str:
        """What is wrong with it; "" if nothing is."""
        if self.state in ("stalled", "lost") or (self.state == "ended" and self.why not in (END, GONE)):
            return f"{self.state} ({public_text(self.why)})" if self.why else self.state
        return next(iter(self.faults.values()), "")


class Observer(Sink):
    """Remembers the state, the fault and the last result of each camera. Any thread may call `records`."""

    def __init__(self) -> None:
        """Start without cameras."""
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._counted_at = time.monotonic()

    def write(self, result: Result) -> None:
        """Note the time."""
        with self._lock:
            camera = self._camera(result.frame.camera)
            camera.last = time.monotonic()
            camera.frames += 1
            if camera.state == "connecting":  # a file has no changes of state
                camera.state = "live"

    def write_state(self, change: StateChange) -> None:
        """Note the state. A camera that was taken out of the configuration is forgotten."""
        with self._lock:
            if change.state == "ended" and change.why == GONE:
                self._cameras.pop(change.camera, None)
                return
            camera = self._camera(change.camera)
            camera.state, camera.why = change.state, change.why

    def write_event(self, event: Event) -> None:
        """Note a fault that begins or ends."""
        if event.kind != "health":
            return
        with self._lock:
            faults = self._camera(event.camera).faults
            if event.end is None:
                faults[event.id] = event.label
            else:
                faults.pop(event.id, None)

    def close(self) -> None:
        """Do nothing."""

    def records(self) -> list[dict[str, Any]]:
        """Return the cameras as plain values, with the frames a second since the last call."""
        now = time.monotonic()
        with self._lock:
            passed_s, self._counted_at = max(now - self._counted_at, 1e-3), now
            found = []
            for name, one in self._cameras.items():
                found.append({
                    "camera": name, "state": one.state, "why": public_text(one.why), "fault": one.fault or None,
                    "age_s": None if one.last is None else round(now - one.last, 1), "fps": round(one.frames / passed_s, 1),
                })  # fmt: skip
                one.frames = 0
            return found

    def _camera(self, name: str) -> _Camera:
        return self._cameras.setdefault(name, _Camera())
