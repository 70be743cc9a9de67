"""A camera that has run for some days, simulated by observations alone."""

from __future__ import annotations

import numpy as np

from edgecls.drift.camera_drift import CameraDrift
from edgecls.drift.settings import DriftSettings
from edgecls.drift.slots import Look, Seen
from edgecls.event import Event, Moment

NOON_S = 1_763_812_800.0
DAYS = 3


def simulated(camera: str, *, days: float = DAYS, blurred_from_h: float = 60.0) -> CameraDrift:
    """Return the drift of a camera that has run for some days, whose lens was dirty from an hour on."""
    rng = np.random.default_rng(1)
    drift = CameraDrift(DriftSettings(), Event("drift", camera, "", "", 0.0, Moment(0, 0.0)))
    for minute in range(0, round(days * 24 * 60), 5):
        at_s = NOON_S + 60 * minute
        light = 4 + 2 * np.sin(2 * np.pi * minute / 1440)
        is_blurred = minute >= 60 * blurred_from_h
        drift.step(Moment(minute, 60.0 * minute, at_s))
        for _ in range(2):
            drift.look(Look(light + rng.normal(0, 0.1), max(0.0, (0.3 if is_blurred else 0.6) + rng.normal(0, 0.01)), 0.95))
        for _ in range(4):
            drift.seen(
                Seen(
                    "motion",
                    str(rng.choice(["car", "van"], p=[0.7, 0.3])),
                    float(np.clip(rng.normal(0.7 if is_blurred else 0.9, 0.04), 0, 1)),
                )
            )
    return drift
