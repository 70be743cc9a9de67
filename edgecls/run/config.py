"""cameras.toml: the cameras, what is watched for at each of them, and where it goes.

    model = "street.onnx"
    sinks = ["sqlite:events.db", "mqtt://${MQTT_USER}:${MQTT_PASSWORD}@broker/traffic"]

    [[sink]]
    kind = "clip"
    path = "clips"
    quota = { most_gb = 20 }

    [[camera]]
    name = "north"
    source = "rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.0.0.7/1"

    [[camera.line]]
    name = "stop line"
    line = [[0.1, 0.6], [0.9, 0.6]]

A text may hold ${NAME}, which stands for that variable of the environment: passwords belong there. Relative paths are those of
the folder that the command runs in, as on the command line.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecls.confidence import UNKNOWN
from edgecls.errors import ConfigError
from edgecls.golden import OnMismatch  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.run.health.rule import HealthRule
from edgecls.run.motion import Motion, MotionRule
from edgecls.run.regions import Regions, gated, together, whole_frame, zones
from edgecls.run.rules import Gate, Rules, Zone
from edgecls.run.shapes import Polygon  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.run.sink import Out, check_places, check_use, parse_sink
from edgecls.run.source import files_among
from edgecls.run.source.contract import Reading
from edgecls.run.states import StateRule
from edgecls.run.track import TrackRule
from edgecls.settings import Where, build, check, read_toml_with_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

When = Literal["always", "motion"]
_VARIABLE = re.compile(r"\$\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. `source` is a number, a file, a folder or an address.

    With zones that are looked at for their state these are classified, without any the whole frame; with lines, with zones that
    are looked at for objects, or with a table `motion`, what moves is classified and followed, but not what moves in one of
    the areas `ignore`. `when` "motion" classifies nothing while nothing moves. The other settings are those of `Reading`,
    `StateRule` (of the whole frame), `TrackRule`, `MotionRule`, `HealthRule` and `Rules`.
    """

    name: str
    source: str | int
    when: When = "always"
    zone: tuple[Zone, ...] = ()
    line: tuple[Gate, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    count_every_s: float = 0.0
    state: StateRule = field(default_factory=StateRule)
    track: TrackRule = field(default_factory=TrackRule)
    motion: MotionRule | None = None
    health: HealthRule = field(default_factory=HealthRule)
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        """Refuse a name that no file or topic could have, and what `Rules` refuses."""
        good = bool(re.fullmatch(r"[\w-]+", self.name))
        check("name", self.name, good, "letters, digits, _ and - (it is part of file names and topics)")
        _ = self.rules
        is_shown = any(zone.look == "state" for zone in self.zone)
        if self.state != StateRule() and (is_shown or self.follows):
            place = "that of a zone is [camera.zone.state]" if is_shown else "of what moves there is [camera.track]"
            raise ConfigError(f"state is of the whole frame, which is not looked at here; {place}")
        if self.track != TrackRule() and not self.follows:
            raise ConfigError(
                "track has no effect, as nothing is followed: there is no line, zone of objects or [camera.motion]"
            )

    @property
    def labels_named(self) -> dict[str, tuple[str, ...]]:
        """The labels that its settings name, by the setting; the usual ones are not named."""
        named = {"state.labels": self.state.labels}
        named |= {f"zone {zone.name}: state.labels": zone.state.labels for zone in self.zone}
        named |= {f"line {gate.name}: labels": gate.labels for gate in self.line}
        return named | ({"track.ignore": self.track.ignore} if self.track.ignore != TrackRule().ignore else {})

    @property
    def rules(self) -> Rules:
        """What the events are made by."""
        return Rules(self.zone, self.line, self.state, self.track, self.count_every_s, not self.health.off)

    def looks(self) -> Regions:
        """Where to look in its frames. It keeps the background of what moves, so it is made once for each camera."""
        shown = {zone.name: zone.area.bounds for zone in self.zone if zone.look == "state"}
        rectangles = {name: (left, top, right - left, bottom - top) for name, (left, top, right, bottom) in shown.items()}
        still = zones(rectangles) if rectangles or self.follows else whole_frame
        if not (self.follows or self.when == "motion"):
            return still
        motion = Motion(self.motion or MotionRule(), outside=self.ignore)
        return gated(still, motion, follow=self.follows) if self.when == "motion" else together(still, motion)

    @property
    def follows(self) -> bool:
        """Whether what moves is classified and followed."""
        return self.motion is not None or bool(self.line) or bool(self.rules.entered)


@dataclass(frozen=True, slots=True)
class Config:
    """All of cameras.toml: the `model` and what it runs on, each `camera`, and where results and events go.

    `sinks` are texts as on the command line, each `sink` is a table with its settings. `device` is "auto", or what is used or
    the run stops; `threads` are those of one inference (left out: 1 for small pictures, else all cores); `on_mismatch` says
    what to do with a model that gives other answers here than where it was exported. With `quiet` no lines go to stdout.
    """

    model: str
    camera: tuple[Camera, ...]
    sinks: tuple[str, ...] = ()
    sink: tuple[Out, ...] = ()
    device: str = "auto"
    threads: int | None = None
    on_mismatch: OnMismatch = "stop"
    quiet: bool = False

    @property
    def outputs(self) -> tuple[Out, ...]:
        """All sinks as settings. Raises ConfigError for a text that is none."""
        return (*map(parse_sink, self.sinks), *self.sink)

    @property
    def model_name(self) -> str:
        """What events call the model: the file's name without its ending."""
        return Path(self.model).stem

    def __post_init__(self) -> None:
        """Refuse no camera, and two of one name."""
        if not self.camera:
            raise ConfigError("there is no [[camera]]; expected one or more")
        names = [camera.name for camera in self.camera]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise ConfigError(f"camera[{i}].name {name!r} is that of another camera too; expected each name once")
        check("threads", self.threads, self.threads is None or self.threads >= 1, "1 or more")


def check_labels(config: Config, known: Sequence[str]) -> None:
    """Raise ConfigError where a setting names a label that the model with the labels `known` never gives, so that its events
    would never come.
    """
    for camera in config.camera:
        for setting, labels in camera.labels_named.items():
            for label in labels:
                if label not in (*known, UNKNOWN):
                    near = difflib.get_close_matches(label, known, 1)
                    meant = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
                    raise ConfigError(f"camera {camera.name}: {setting}: {config.model} has no label {label!r}; {meant}")


def read_config(path: str | Path, environment: dict[str, str] | None = None) -> Config:
    """Read cameras.toml. `environment` gives the variables (None: those of the process).

    Raises ConfigError with the file, the line, what is wrong and what is expected.
    """
    table, place = read_toml_with_lines(path)
    variables = dict(os.environ) if environment is None else environment
    config = build(Config, _filled(table, variables, place), place)
    _check_sinks(config, path, place)
    return config


def check_uses(config: Config, path: str | Path, place: Where | None = None) -> None:
    """Raise ConfigError for a sink that would write to what is read, the configuration `path` too, or to one video of several
    cameras.
    """
    reads = [path, config.model, *files_among(camera.source for camera in config.camera)]
    names = [camera.name for camera in config.camera]
    settings = [f"{key}[{i}]" for key in ("sinks", "sink") for i in range(len(getattr(config, key)))]
    for setting, out in zip(settings, config.outputs, strict=True):
        try:
            check_use(out, reads=reads, cameras=names)
        except ConfigError as error:
            raise ConfigError(f"{place(setting)}: {error}" if place else str(error)) from error


def _check_sinks(config: Config, path: str | Path, place: Where) -> None:
    """Raise ConfigError for a text that is no sink, with its line, for one that would write to what is read, and for two that
    write to one place.
    """
    for i, text in enumerate(config.sinks):
        try:
            parse_sink(text)
        except ConfigError as error:
            raise ConfigError(f"{place(f'sinks[{i}]')}: {error}") from error
    try:
        check_places(config.outputs)
    except ConfigError as error:
        raise ConfigError(f"{place('sinks')}: {error}") from error
    check_uses(config, path, place)


def _filled(value: Any, variables: dict[str, str], place: Any, path: str = "") -> Any:
    """Put the variables of the environment into all texts."""
    if isinstance(value, dict):
        return {key: _filled(v, variables, place, f"{path}.{key}" if path else key) for key, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, variables, place, f"{path}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _VARIABLE.findall(value):
        if name not in variables:
            raise ConfigError(f"{place(path)}: {path} needs the variable {name or '${}'}, which is not set in the environment")
    return _VARIABLE.sub(lambda match: variables[match[1]], value)
