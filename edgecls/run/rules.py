"""What is watched for at one camera: its zones, its lines, and when something there is worth an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Literal

from edgecls.errors import ConfigError
from edgecls.frame import WHOLE_FRAME
from edgecls.run.shapes import Line, Polygon  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.run.states import StateRule
from edgecls.run.track import TrackRule
from edgecls.settings import check

MOTION = "motion"
"""The name of the regions that move."""

Look = Literal["state", "objects"]


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the frame. `look` at what it shows as a whole ("state"), or at what moves in it ("objects"), which is told of
    when it has been there for `dwell_s`.
    """

    name: str
    area: Polygon
    look: Look = "state"
    state: StateRule = field(default_factory=StateRule)
    dwell_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a name that is taken, and times that are none."""
        _check_name("zone", self.name)
        check(f"zone {self.name}: dwell_s", self.dwell_s, 0 <= self.dwell_s < inf, "0 or more seconds")
        if self.look == "state" and self.dwell_s:
            raise ConfigError(f"zone {self.name}: dwell_s is of objects; for what the zone shows write state.dwell_s")
        if self.look == "objects" and self.state != StateRule():
            raise ConfigError(f"zone {self.name}: state has no effect on a zone of objects; those have dwell_s")


@dataclass(frozen=True, slots=True)
class Gate:
    """A line that objects are counted at. `left` and `right` are the names of its sides, as seen from its start; only objects
    of `labels` count (none named: all).
    """

    name: str
    line: Line
    left: str = "left"
    right: str = "right"
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse sides that cannot be told apart."""
        _check_name("line", self.name)
        if self.left == self.right:
            raise ConfigError(f"line {self.name}: both sides are called {self.left!r}; expected two names")


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is watched for at one camera. `state` is of the whole frame, where no zone is looked at; `count_every_s` the
    length of the intervals that are counted (0: none). With `health` its faults are told of.
    """

    zones: tuple[Zone, ...] = ()
    gates: tuple[Gate, ...] = ()
    state: StateRule = field(default_factory=StateRule)
    track: TrackRule = field(default_factory=TrackRule)
    count_every_s: float = 0.0
    health: bool = True

    @property
    def entered(self) -> tuple[Zone, ...]:
        """The zones that objects are looked for in."""
        return tuple(zone for zone in self.zones if zone.look == "objects")

    def __post_init__(self) -> None:
        """Refuse two of one name."""
        names = [zone.name for zone in self.zones] + [gate.name for gate in self.gates]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"there are {names.count(name)} zones or lines called {name!r}; expected each name once")
        check("count_every_s", self.count_every_s, 0 <= self.count_every_s < inf, "0 (no counts) or more seconds")


def _check_name(kind: str, name: str) -> None:
    if not name.strip() or name in (WHOLE_FRAME, MOTION):
        raise ConfigError(f"{kind} {name!r}: expected a name of its own; {WHOLE_FRAME!r} and {MOTION!r} are taken")
