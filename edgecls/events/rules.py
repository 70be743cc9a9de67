"""What to watch for at one camera: its zones, its counting lines, and when something there becomes an event."""

from __future__ import annotations

import difflib
import functools
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError
from edgecls.events.states import StateSettings
from edgecls.events.tracker import TrackSettings
from edgecls.frame import LEFT, MOTION, REMOVED, WHOLE_FRAME
from edgecls.model.confidence import UNKNOWN
from edgecls.regions.geometry import MOST_LINES, MOST_ZONES, Line, Polygon
from edgecls.regions.left import LeftSettings  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.settings import check, check_limits, limited
from edgecls.settings.build import check_count
from edgecls.settings.toml_lines import Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


NO_COUNTS_OR_SECONDS = "0 (no counts) or more seconds"
"""What `count_every_s` is."""
MOST_NAMED = 50
"""How many labels a message lists at most."""

Look = Literal["state", "objects"]


@dataclass(frozen=True, slots=True)
class Zone:
    """A named part of the frame to watch.

    Attributes:
        name: Unique among the camera's zones and lines.
        area: Its corners, in fractions of the frame.
        look: "state" classifies the zone as a whole; "objects" reports moving objects inside it.
        state: When a label becomes a state of the zone. Only with `look` "state".
        every_s: Classify the zone only every so many seconds; 0: in every frame. Only with `look` "state".
        dwell_s: How long an object must stay before it is reported, in seconds. Only with `look` "objects".
    """

    name: str
    area: Polygon
    look: Look = "state"
    state: StateSettings = field(default_factory=StateSettings)
    every_s: float = limited(0.0, at_least=0, unit="seconds")
    dwell_s: float = limited(0.0, at_least=0, unit="seconds")

    def __post_init__(self) -> None:
        """Validate the name and the settings that go with `look`."""
        _check_name("zone", self.name)
        check_limits(self, prefix=f'zone "{self.name}": ')
        if self.look == "state" and self.dwell_s:
            raise ConfigError(f'zone "{self.name}": dwell_s applies to objects; for the state of a zone set state.dwell_s')
        if self.look == "objects" and self.every_s:
            raise ConfigError(f'zone "{self.name}": every_s has no effect on a zone with look = "objects"; set reading.fps')
        if self.look == "objects" and self.state != StateSettings():
            raise ConfigError(f'zone "{self.name}": state has no effect on a zone with look = "objects"; set dwell_s')


@dataclass(frozen=True, slots=True)
class CountingLine:
    """A line at which objects are counted.

    Attributes:
        name: Unique among the camera's zones and lines.
        line: Its start and end, in fractions of the frame.
        left: The name of the side on the left, looking from start to end.
        right: The name of the side on the right.
        labels: Count only objects with these labels. Empty: all.
    """

    name: str
    line: Line
    left: str = "left"
    right: str = "right"
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Validate the name, and that the two sides have different names."""
        _check_name("line", self.name)
        if self.left == self.right:
            raise ConfigError(f'line "{self.name}": left and right are both {self.left!r}; expected two names')


def _accept_gates(rules: type[Rules]) -> type[Rules]:
    """Let `Rules(gates=...)` work as in version 0.2.0."""
    init = rules.__init__

    @functools.wraps(init)
    def with_gates(self: Rules, *args: Any, **options: Any) -> None:
        if "gates" in options:
            warnings.warn("Rules(gates=...) is called Rules(lines=...) now", DeprecationWarning, stacklevel=2)
            options["lines"] = options.pop("gates")
        init(self, *args, **options)

    setattr(rules, "__init__", with_gates)  # noqa: B010 - mypy accepts no assignment to a method
    return rules


@_accept_gates
@dataclass(frozen=True, slots=True)
class Rules:
    """What to watch for at one camera.

    Example:
        bay = Zone("bay", Polygon.rectangle(0.6, 0.4, 0.3, 0.5), look="objects", dwell_s=60)
        stop = CountingLine("stop line", Line((0.1, 0.6), (0.9, 0.6)), left="out", right="in")
        events = Events(Rules(zones=(bay,), lines=(stop,), count_every_s=300))

    Attributes:
        zones: Parts of the frame to watch. At most 100.
        lines: Lines at which to count objects. At most 100.
        state: When a label becomes a state of the whole frame. Used if no zone has `look` "state".
        track: How moving objects are followed.
        count_every_s: The length of a counting interval, in seconds of media time. 0: no counts.
        health: Whether to report camera faults as events.
        left: Which objects that were left behind or removed are reported. None: none are.
    """

    zones: tuple[Zone, ...] = ()
    lines: tuple[CountingLine, ...] = ()
    state: StateSettings = field(default_factory=StateSettings)
    track: TrackSettings = field(default_factory=TrackSettings)
    count_every_s: float = limited(0.0, at_least=0, expected=NO_COUNTS_OR_SECONDS)
    health: bool = True
    left: LeftSettings | None = None

    def __post_init__(self) -> None:
        """Validate the number of zones and lines, and that each has its own name.

        Raises:
            ConfigError: There are too many, or two have the same name.
        """
        check_count("zones", len(self.zones), MOST_ZONES)
        check_count("lines", len(self.lines), MOST_LINES)
        names = [(f"zone[{i}]", zone.name) for i, zone in enumerate(self.zones)]
        names += [(f"line[{i}]", line.name) for i, line in enumerate(self.lines)]
        before: set[str] = set()
        for setting, name in names:
            if name in before:
                raise ConfigError(f"{setting}.name: duplicate name {name!r}; give each zone and line its own name")
            before.add(name)
        check_limits(self)

    @property
    def gates(self) -> tuple[CountingLine, ...]:
        """The name of `lines` in version 0.2.0."""
        warnings.warn("Rules.gates is called Rules.lines now", DeprecationWarning, stacklevel=2)
        return self.lines

    @property
    def object_zones(self) -> tuple[Zone, ...]:
        """The zones that are watched for objects."""
        return tuple(zone for zone in self.zones if zone.look == "objects")

    @property
    def labels_named(self) -> dict[str, tuple[str, ...]]:
        """The labels named by the rules, keyed by the setting's path in the TOML file. Defaults are left out."""
        named = {"state.labels": self.state.labels}
        named |= {f"zone[{i}].state.labels": zone.state.labels for i, zone in enumerate(self.zones)}
        named |= {f"line[{i}].labels": line.labels for i, line in enumerate(self.lines)}
        named |= {} if self.left is None else {"left.labels": self.left.labels}
        return named | ({"track.ignore": self.track.ignore} if self.track.ignore != TrackSettings().ignore else {})

    def check_labels(self, known: Iterable[str], model: str, camera: str = "") -> None:
        """Check that the model can return every label named by the rules.

        Args:
            known: All labels of the model.
            model: The model's name, for the message.
            camera: The camera's name, for the message.

        Raises:
            ConfigError: A rule names an unknown label, so its events would never occur.
        """
        wrong = self.wrong_label(known, model)
        if wrong is not None:
            names = {"zone": [{"name": one.name} for one in self.zones], "line": [{"name": one.name} for one in self.lines]}
            setting, fault = wrong
            raise Where(f'camera "{camera}"' if camera else "", table=names).error(setting, f": {fault}")

    def wrong_label(self, known: Iterable[str], model: str) -> tuple[str, str] | None:
        """Return the first setting with an unknown label and a message about it, or None if all labels are known."""
        labels = {*known, UNKNOWN}
        for setting, names in self.labels_named.items():
            wrong = next((name for name in names if name not in labels), None)
            if wrong is not None:
                near = difflib.get_close_matches(wrong, labels, 1)
                fix = f"did you mean {near[0]!r}?" if near else f"it has {_listed(sorted(labels - {UNKNOWN}))}"
                return setting, f"{model or 'the model'} has no label {wrong!r}; {fix}"
        return None


def check_labels(rules: Rules | Mapping[str, Rules], labels: Iterable[str], model: str = "") -> None:
    """Check that the model can return every label named by the rules.

    Args:
        rules: The rules for all cameras, or by camera name.
        labels: All labels of the model.
        model: The model's name, for the message.

    Raises:
        ConfigError: A rule names an unknown label. The message suggests the closest known one.
    """
    known = frozenset(labels)
    for camera, one in [("", rules)] if isinstance(rules, Rules) else rules.items():
        one.check_labels(known, model, camera)


def _listed(labels: list[str]) -> str:
    """Join labels for a message, leaving out the rest of a long list."""
    shown = ", ".join(labels[:MOST_NAMED])
    return f"{shown} and {len(labels) - MOST_NAMED:,} more" if len(labels) > MOST_NAMED else shown


def _check_name(kind: str, name: str) -> None:
    good = bool(name.strip()) and name not in (WHOLE_FRAME, MOTION, LEFT, REMOVED)
    used = f"{WHOLE_FRAME!r}, {MOTION!r}, {LEFT!r} and {REMOVED!r}"
    check(f"{kind}: name", name, good, f"a text other than {used}, which edgecls uses itself")
