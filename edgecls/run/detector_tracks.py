"""What is usual for tracks when a detector finds the objects, instead of motion.

A detector looks at few frames, and what it finds is an object, never a part of one: as many frames as confirm a track are
enough to report it. But it misses objects for a while that are small or half hidden, so a track waits longer for its next box.
"""

from __future__ import annotations

from typing import Any

from edgecls.events.tracker import TrackSettings

SETTLE, LOST_S = 4, 2.0


def detector_track() -> TrackSettings:
    """Return the settings of tracks that are usual with a detector."""
    return TrackSettings(settle=SETTLE, lost_s=LOST_S)


def with_detector_tracks(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a configuration in which cameras with a detector have what is usual for their tracks.

    What the table says itself stays. Whatever has the wrong type stays too, for the message of those who check it.
    """
    cameras = table.get("camera")
    return {**table, "camera": [_with_track(camera) for camera in cameras]} if isinstance(cameras, list) else table


def _with_track(camera: Any) -> Any:
    if not isinstance(camera, dict) or "detector" not in camera:
        return camera
    said = camera.get("track", {})
    if not isinstance(said, dict):
        return camera
    frames = said.get("frames")
    settle = max(SETTLE, frames) if isinstance(frames, int) else SETTLE
    return {**camera, "track": {"settle": settle, "lost_s": LOST_S, **said}}
