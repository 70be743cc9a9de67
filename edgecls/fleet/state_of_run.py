"""What a run reports of itself: versions, model, bundle, cameras, outputs, drift and the disk."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls._version import __version__
from edgecls.errors import BundleError
from edgecls.fleet.reported import one_line
from edgecls.text.redaction import public_text

if TYPE_CHECKING:
    from edgecls.fleet.observer import Observer
    from edgecls.fleet.updates import Bundles
    from edgecls.run.run import Run
    from edgecls.vitals.vitals import Fault

MB = 1e6
CHANGING = ("at_s", "disk")
"""What changes all the time, and is no reason for a message."""
CHANGING_OF_CAMERA = ("age_s", "fps")


class StateOfRun:
    """Describes a run again and again. Any thread may call it."""

    def __init__(self, run: Run, observer: Observer, *, device: str, every_s: float, bundles: Bundles | None) -> None:
        """Describe a run.

        Args:
            run: The run.
            observer: Sees its cameras.
            device: The name of this device.
            every_s: The longest time between two messages.
            bundles: Where its bundles are installed.
        """
        self._run = run
        self._observer = observer
        self._bundles = bundles
        self._fixed = {"device": device, "since_s": round(time.time(), 3), "every_s": every_s, "edgecls": __version__}

    def __call__(self) -> dict[str, Any]:
        """Return the state as plain values."""
        run, cameras, readiness = self._run, self._observer.records(), self._run.vitals.readiness()
        classifier, bundles = run.classifier, self._bundles
        bundle, damage = _bundle(bundles)
        return {
            **self._fixed,
            "at_s": round(time.time(), 3),
            "bundle": bundle,
            "kept": [] if bundles is None else list(bundles.kept),
            "model": None if classifier is None else {"name": run.config.model_name, "sha256": classifier.sha256},
            "model_state": public_text(run.models.last),
            "faults": [*map(_line, readiness.faults), *damage],
            "notes": [_line(note) for note in readiness.notes],
            "cameras": cameras,
            "sinks": [
                {"sink": public_text(name), **sink.backlog._asdict(), "trouble": public_text(sink.trouble)}
                for name, sink in run.named_sinks.items()
            ],
            "drift": [
                {"camera": one.camera, "cause": one.event.label, "size": round(one.event.score, 3)}
                for one in run.drift
                if one.event is not None
            ],
            "disk": _disk(Path() if bundles is None else Path(bundles.slots.folder)),
        }


def essence(record: dict[str, Any]) -> dict[str, Any]:
    """Return what is a reason to report before the next heartbeat."""
    found = {name: value for name, value in record.items() if name not in CHANGING}
    found["cameras"] = [
        {name: value for name, value in one.items() if name not in CHANGING_OF_CAMERA} for one in record["cameras"]
    ]
    found["sinks"] = [{"sink": one["sink"], "lost": one["lost"], "trouble": one["trouble"]} for one in record["sinks"]]
    return found


def _bundle(bundles: Bundles | None) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the bundle in use, and why that cannot be known."""
    try:
        state = None if bundles is None else bundles.state()
    except BundleError as error:
        return None, [one_line(f"bundle: {error}")]
    if state is None or not state.current:
        return None, []
    return {"id": state.current, "name": state.name, "version": int(state.current.partition("-")[0])}, []


def _line(fault: Fault) -> str:
    return one_line(public_text(": ".join(filter(None, (f"{fault.part} {fault.name}".strip(), fault.why)))))


def _disk(folder: Path) -> dict[str, Any] | None:
    there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), Path("/"))
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return None
    return {"free_mb": round(usage.free / MB), "total_mb": round(usage.total / MB)}
