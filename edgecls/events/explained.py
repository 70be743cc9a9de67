"""What a debug video draws over a camera's frame besides what every annotated picture shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.overlay import Crossed, Overlay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.event import Event
    from edgecls.events.detector import Events


def explained(events: Events, camera: str, new: Iterable[Event]) -> Overlay:
    """Return the overlay of a camera's last frame with all tracks, and with the crossings among the `new` events."""
    crossings = tuple(Crossed(one.region, one.direction, one.track_id) for one in new if one.kind == "crossing")
    return replace(events.overlay(camera), tracks=events.tracks(camera), crossings=crossings)
