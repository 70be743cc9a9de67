"""What a switch to another configuration changes: prepared in any thread, made between two batches of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.sink import place_of

if TYPE_CHECKING:
    from edgecls.model.card import ModelCard
    from edgecls.regions.regions import Regions
    from edgecls.run.cameras import Demand
    from edgecls.run.config import Config
    from edgecls.sink import Sink, SinkSettings
    from edgecls.source import Source


@dataclass(frozen=True, slots=True)
class Plan:
    """What `Site.prepare` has opened for another configuration, and how each camera and sink changes.

    Pass it to `Site.change`, or call `drop`.
    """

    config: Config
    demand: Demand
    sources: tuple[Source, ...]
    sinks: dict[SinkSettings, Sink]
    regions: dict[str, Regions]
    card: ModelCard | None = None
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    closed: tuple[SinkSettings, ...] = ()
    replaced: tuple[tuple[SinkSettings, SinkSettings], ...] = ()

    def __str__(self) -> str:
        """Describe the changes in one line."""
        parts = {
            "new": self.new,
            "gone": self.gone,
            "reopened": self.reopened,
            "other settings": self.changed,
            "sinks opened": tuple(map(place_of, self.sinks)),
            "sinks closed": tuple(map(place_of, self.closed)),
            "sinks changed": tuple(place_of(new) for _, new in self.replaced),
        }
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names) or "no changes"

    def drop(self) -> None:
        """Close everything that was opened."""
        for source in self.sources:
            source.close()
        for sink in self.sinks.values():
            sink.close()
