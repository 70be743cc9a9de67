"""The vital signs of a run: does its loop move, and does each part deliver?

    vitals = run.vitals
    vitals.is_moving()                       # False: the process is stuck and should be started again
    vitals.readiness().faults                # what keeps it from delivering everything: a camera, an output, the disk

The two questions have different answers. A run whose camera is unplugged is alive, and starting it again would not help, but it
is not ready.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from edgecls.frame import END, GONE
from edgecls.text.redaction import public_text
from edgecls.text.strict_json import in_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edgecls.frame import Result, StateChange

Part = Literal["run", "camera", "output", "disk", "model"]
Stage = Literal["starting", "running", "over"]

STUCK_S = 30.0
"""A loop that neither delivers nor answers for this long is stuck. A batch of many cameras takes a second or two."""
STARTING_S = 900.0
"""How long a run may take to start: TensorRT builds its engines for minutes."""
ANSWER_S = 2.0
"""How long to wait for the answer of a loop that has not moved lately."""
SHOWN_S = 5.0
"""A loop that has moved this lately need not be asked."""


class Fault(NamedTuple):
    """Something that does not deliver: a camera or an output with its name, the disk with its folder, the run itself."""

    part: Part
    name: str
    why: str

    def record(self) -> dict[str, str]:
        """Return plain values. Addresses are reduced to scheme, host and port."""
        return {"part": self.part, "name": in_utf8(public_text(self.name)), "why": in_utf8(public_text(self.why))}


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a run delivers results of all cameras to all outputs.

    Attributes:
        faults: Why not; empty if it does.
        notes: What a person may want to know, while everything is delivered: a camera whose pictures are covered, a new model
            that was refused.
        model: The first 16 hexadecimal digits of the SHA-256 of the model file in use; "" if unknown.
    """

    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()
    model: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def record(self, *, names: bool = True) -> dict[str, Any]:
        """Return plain values for JSON. Without `names` the faults say only which kind of part they concern."""

        def shown(faults: Iterable[Fault]) -> list[dict[str, str]]:
            return [fault.record() if names else {"part": fault.part} for fault in faults]

        found: dict[str, Any] = {"status": "ready" if self.is_ready else "not ready", "faults": shown(self.faults)}
        return {**found, "notes": shown(self.notes), "model": self.model}


@dataclass(slots=True)
class _CameraState:
    change: StateChange | None = None
    has_result: bool = False
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """What a run knows besides its cameras. Each may be asked for from any thread.

    Attributes:
        cameras: Returns the names of the cameras of the configuration as it is now.
        faults: Returns what else keeps the run from delivering.
        notes: Returns what else may be worth knowing.
        model: Returns what identifies the model in use.
    """

    cameras: Callable[[], Iterable[str]] | None = None
    faults: Callable[[], Iterable[Fault]] = tuple
    notes: Callable[[], Iterable[Fault]] = tuple
    model: Callable[[], str] = str


class Vitals:
    """Knows whether the loop of a run moves, and which cameras deliver. May be asked from any thread."""

    def __init__(self, checks: Checks | None = None) -> None:
        """Begin with a run that is starting."""
        self._checks = checks or Checks()
        self._cameras: dict[str, _CameraState] = {}
        self._ask: Callable[[Callable[[], None]], None] | None = None
        self._stage: Stage = "starting"
        self._since = self._moved = time.monotonic()
        self._lock = threading.Lock()
        self._asked: threading.Event | None = None  # set by the answer of the loop

    @property
    def stage(self) -> Stage:
        """Whether the run is starting, running or over."""
        return self._stage

    @property
    def is_settled(self) -> bool:
        """Whether a camera has given a result, or each is known to be lost or has ended."""
        states = self._present()
        settled = ("lost", "stalled", "ended")
        return any(one.has_result for _, one in states) or (
            bool(states) and all(one.change is not None and one.change.state in settled for _, one in states)
        )

    def running(self, ask: Callable[[Callable[[], None]], None] | None = None) -> None:
        """Note that the loop is about to begin. `ask` calls a function in the loop, even while no camera sends anything."""
        with self._lock:
            self._ask, self._asked = ask, None  # a loop before it does not answer any more
        self._stage, self._moved = "running", time.monotonic()

    def over(self) -> None:
        """Note that the loop has ended, as planned. Whoever has asked it just before is answered here."""
        self._stage = "over"
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is not None:
            asked.set()

    def saw(self, result: Result) -> None:
        """Note a result that was delivered. Called in the loop."""
        self._moved = time.monotonic()
        camera = self._camera(result.frame.camera)
        camera.has_result, camera.unfit = True, "" if result.unfit is None else result.unfit.fault

    def changed(self, change: StateChange) -> None:
        """Note a change of a camera's state."""
        camera = self._camera(change.camera)
        camera.change = change
        if change.state != "live":
            camera.unfit = ""
        if change.state in ("connecting", "ended"):
            camera.has_result = False

    def ask(self) -> threading.Event:
        """Ask the loop for a sign of life, unless it was asked before and has not answered. The event is set when it does."""
        with self._lock:
            if self._asked is not None:
                return self._asked
            answered = self._asked = threading.Event()

        def answer() -> None:
            self._moved, self._asked = time.monotonic(), None
            answered.set()

        if self._ask is None or self._stage == "over":
            answer()
        else:
            self._ask(answer)
        return answered

    def is_moving(self, wait_s: float | None = None) -> bool:
        """Return whether the loop moves: it has delivered lately, or it answers within `wait_s` seconds (ANSWER_S).

        A loop that is busy with one step for less than STUCK_S seconds moves, too.
        """
        now = time.monotonic()
        if self._stage == "over" or now - self._moved < SHOWN_S:
            return True
        if self._stage == "starting":
            return now - self._since < STARTING_S
        return self.ask().wait(ANSWER_S if wait_s is None else wait_s) or time.monotonic() - self._moved < STUCK_S

    def liveness(self) -> dict[str, Any]:
        """Return whether the loop moves, as plain values for JSON."""
        if self.is_moving():
            return {"status": "ok"}
        still_s = round(time.monotonic() - (self._since if self._stage == "starting" else self._moved))
        what = "it has been starting" if self._stage == "starting" else "its loop has not moved"
        return {"status": "stuck", "why": f"{what} for {still_s} s"}

    def readiness(self) -> Readiness:
        """Return whether everything is delivered, and what is not."""
        states = self._present()
        faults = [fault for name, one in states if (fault := _fault_of(name, one)) is not None]
        if self._stage == "over":
            faults = [Fault("run", "", "the run has ended")]
        elif self._stage == "starting":
            faults = [Fault("run", "", "it is starting"), *faults]
        elif not self.is_moving():
            faults = [Fault("run", "", "its loop does not move"), *faults]
        notes = [Fault("camera", name, f"its pictures are {one.unfit}") for name, one in states if one.unfit]
        return Readiness(
            (*faults, *self._checks.faults()), (*notes, *self._checks.notes()), self._checks.model()
        )  # fmt: skip

    def status(self) -> str:
        """Return in one line how many cameras deliver, and what is wrong."""
        states, found = self._present(), self.readiness()
        bad = {fault.name for fault in found.faults if fault.part == "camera"}
        whole = f"{sum(name not in bad for name, _ in states)} of {len(states)} cameras deliver"
        return "; ".join([whole, *(f"{one.name or one.part}: {one.why}" for one in (*found.faults, *found.notes))])

    def _camera(self, name: str) -> _CameraState:
        found = self._cameras.get(name)
        if found is None:
            found = _CameraState()
            self._cameras = {**self._cameras, name: found}  # replaced, as other threads look through it
        return found

    def _present(self) -> list[tuple[str, _CameraState]]:
        """Return the state of each camera of the configuration, and forget the others."""
        states = self._cameras
        if self._checks.cameras is None:
            return [(name, one) for name, one in states.items() if one.change is None or one.change.why != GONE]
        return [(name, states.get(name) or _CameraState()) for name in self._checks.cameras()]


def _fault_of(name: str, camera: _CameraState) -> Fault | None:
    """Return why a camera does not deliver; None if it does, or if its file has come to its end."""
    change = camera.change
    if change is None or change.state == "connecting":
        return None if camera.has_result else Fault("camera", name, "connecting: there is no result yet")
    if change.state == "ended":
        return None if change.why in (END, GONE) else Fault("camera", name, change.why or "it has ended")
    if change.state in ("lost", "stalled"):
        return Fault("camera", name, f"{change.state}: {change.why}" if change.why else change.state)
    return None
