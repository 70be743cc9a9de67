"""cameras.toml: the cameras, their zones, lines and rules, and the sinks.

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

${NAME} in a text is replaced with that environment variable, which is the place for passwords; they may contain any character
(see `edgecls.settings.variables`). Relative paths are relative to the current folder, as on the command line.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError
from edgecls.events.rules import NO_COUNTS_OR_SECONDS, CountingLine, Rules, Zone
from edgecls.events.states import StateSettings
from edgecls.events.tracker import TrackSettings
from edgecls.health.settings import HealthSettings
from edgecls.model.golden import OnMismatch  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.regions.geometry import (
    MOST_IGNORED,
    Polygon,
)
from edgecls.regions.motion import Motion, MotionSettings
from edgecls.regions.regions import Regions, combine, when_moving, whole_frame, zones
from edgecls.settings import NO_SETTING, build, check, check_limits, limited, read_toml_with_lines
from edgecls.settings.build import check_count
from edgecls.settings.toml_lines import Where
from edgecls.settings.variables import fill, names_in, unfilled
from edgecls.sink import SinkSettings, check_meeting, check_places, check_use, parse_sink
from edgecls.source import files_among
from edgecls.source.open import LARGEST_NUMBER
from edgecls.source.source import ReadingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CAMERAS = 256
"""The largest number of cameras in a file, and of sinks."""
When = Literal["always", "motion"]


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. `source` is a camera number, a device, a file, a folder or a URL.

    Zones with look = "state" are classified; without them the whole frame is. With lines, zones of objects or a table `motion`,
    moving objects are classified and tracked, except in the areas `ignore`. With `when` = "motion" nothing is classified while
    nothing moves. For the other fields see `ReadingSettings`, `StateSettings` (of the whole frame), `TrackSettings`,
    `MotionSettings`, `HealthSettings` and `Rules`.
    """

    name: str
    source: str | int
    when: When = "always"
    zone: tuple[Zone, ...] = ()
    line: tuple[CountingLine, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    count_every_s: float = limited(0.0, at_least=0, expected=NO_COUNTS_OR_SECONDS)
    state: StateSettings = field(default_factory=StateSettings)
    track: TrackSettings = field(default_factory=TrackSettings)
    motion: MotionSettings | None = None
    health: HealthSettings = field(default_factory=HealthSettings)
    reading: ReadingSettings = field(default_factory=ReadingSettings)

    def __post_init__(self) -> None:
        """Validate the name, the rules and their combination."""
        self.check_name()
        is_good = isinstance(self.source, str) or 0 <= self.source <= LARGEST_NUMBER
        check("source", self.source, is_good, f"a number of a camera from 0 to {LARGEST_NUMBER}, or a text")
        check_limits(self)
        check_count("areas to ignore", len(self.ignore), MOST_IGNORED)
        _ = self.rules
        is_shown = any(zone.look == "state" for zone in self.zone)
        if self.state != StateSettings() and (is_shown or self.follows):
            place = "for a zone use [camera.zone.state]" if is_shown else "for moving objects use [camera.track]"
            raise ConfigError(f"state has no effect, because the whole frame is not classified; {place}")
        if self.track != TrackSettings() and not self.follows:
            raise ConfigError(
                "track has no effect, because nothing is tracked: there is no line, zone of objects or [camera.motion]"
            )

    def check_name(self) -> None:
        """Raise ConfigError for a name that cannot be part of file names and MQTT topics."""
        good = bool(re.fullmatch(r"[\w-]+", self.name))
        fit = re.sub(r"[^\w-]+", "-", self.name).strip("-") or "gate"
        check(
            "name", self.name, good, f"letters, digits, _ and - only, such as {fit!r}, because file names and topics contain it"
        )

    @property
    def rules(self) -> Rules:
        """The rules for events."""
        return Rules(self.zone, self.line, self.state, self.track, self.count_every_s, not self.health.off)

    def regions(self) -> Regions:
        """Return the function that selects the regions of a frame. It learns the background, so call this once per camera."""
        shown = {zone.name: zone.area.bounds for zone in self.zone if zone.look == "state"}
        rectangles = {name: (left, top, right - left, bottom - top) for name, (left, top, right, bottom) in shown.items()}
        still = zones(rectangles) if rectangles or self.follows else whole_frame
        if not (self.follows or self.when == "motion"):
            return still
        motion = Motion(self.motion or MotionSettings(), outside=self.ignore)
        return when_moving(still, motion, follow=self.follows) if self.when == "motion" else combine(still, motion)

    @property
    def follows(self) -> bool:
        """Whether moving objects are classified and tracked."""
        return self.motion is not None or bool(self.line) or bool(self.rules.object_zones)


@dataclass(frozen=True, slots=True)
class Config:
    """The content of a cameras.toml: the `model`, each `camera`, and the sinks.

    `sinks` are specifications as on the command line; each `sink` is a table of settings. `device` is "auto" or a device,
    without which the run stops. `threads` is the number of CPU threads per inference (default: 1 for small inputs, else all
    cores). `on_mismatch` says what to do if the model gives other answers on this machine than where it was exported. With
    `quiet` nothing is written to stdout.

    `where` locates settings such as `camera[0].source` in error messages.
    """

    model: str
    camera: tuple[Camera, ...]
    sinks: tuple[str, ...] = ()
    sink: tuple[SinkSettings, ...] = ()
    device: str = "auto"
    threads: int | None = limited(None, at_least=1)
    on_mismatch: OnMismatch = "stop"
    quiet: bool = False
    where: Where = field(default_factory=Where, compare=False, repr=False, metadata=NO_SETTING)

    @property
    def outputs(self) -> tuple[SinkSettings, ...]:
        """The settings of all sinks. Raises ConfigError for an invalid specification."""
        return (*map(parse_sink, self.sinks), *self.sink)

    @property
    def model_name(self) -> str:
        """The name of the model in events: its file name without the suffix."""
        return Path(self.model).stem

    def __post_init__(self) -> None:
        """Validate the number and the names of the cameras."""
        if not self.camera:
            raise ConfigError("there is no [[camera]]; expected one or more")
        for what in ("camera", "sinks", "sink"):
            check_count(f"[[{what}]]" if what != "sinks" else what, len(getattr(self, what)), MOST_CAMERAS)
        names = [camera.name for camera in self.camera]
        before: set[str] = set()
        for i, name in enumerate(names):
            if name in before:
                raise ConfigError(f"camera[{i}].name: duplicate camera name {name!r}; give each camera its own name")
            before.add(name)
        check_limits(self)


def check_labels(config: Config, known: Sequence[str]) -> None:
    """Raise ConfigError if a setting names a label that is not in `known`, the labels of the model."""
    for i, camera in enumerate(config.camera):
        wrong = camera.rules.wrong_label(known, config.model)
        if wrong is not None:
            setting, fault = wrong
            raise config.where.error(f"camera[{i}].{setting}", f": {fault}")


def sink_setting(config: Config, index: int) -> str:
    """Return the path of the setting that one of the `outputs` comes from."""
    count = len(config.sinks)
    return f"sinks[{index}]" if index < count else f"sink[{index - count}]"


def read_config(path: str | Path, environment: dict[str, str] | None = None) -> Config:
    """Read a cameras.toml.

        config = read_config("cameras.toml")
        print([camera.name for camera in config.camera])

    Args:
        path: The file.
        environment: Variables that replace ${NAME}; None for those of the process.

    Returns:
        The configuration.

    Raises:
        ConfigError: With the file, the line, what is wrong and what is expected.
    """
    table, where = read_toml_with_lines(path)
    variables = dict(os.environ) if environment is None else environment
    used: dict[str, str] = {}
    filled = _filled(table, variables, where, used)
    try:
        config = replace(build(Config, filled, where), where=where)
        _check_sinks(config, path)
    except ConfigError as error:
        raise ConfigError(unfilled(str(error), used)) from error
    return config


def check_uses(config: Config, path: str | Path | None = None) -> None:
    """Raise ConfigError for sinks that conflict with the sources or with each other.

    A sink must not overwrite a file that is read, including the configuration `path`, or write several cameras to one video.
    Two sinks must not write the same file.
    """
    reads = [*([] if path is None else [path]), config.model, *files_among(camera.source for camera in config.camera)]
    names = [camera.name for camera in config.camera]
    for i, out in enumerate(config.outputs):
        try:
            check_use(out, reads=reads, cameras=names)
        except ConfigError as error:
            raise config.where.fault(sink_setting(config, i), str(error)) from error
    try:
        check_meeting(config.outputs, cameras=names)
    except ConfigError as error:
        raise config.where.fault("sinks", str(error)) from error


def _check_sinks(config: Config, path: str | Path) -> None:
    """Raise ConfigError, with the line, for an invalid specification and for sinks that conflict."""
    for i, text in enumerate(config.sinks):
        try:
            parse_sink(text)
        except ConfigError as error:
            raise config.where.fault(f"sinks[{i}]", str(error)) from error
    try:
        check_places(config.outputs)
    except ConfigError as error:
        raise config.where.fault("sinks", str(error)) from error
    check_uses(config, path)


def _filled(value: Any, variables: dict[str, str], where: Where, used: dict[str, str], path: str = "") -> Any:
    """Replace environment variables in all texts, and add those that occur to `used`."""
    if isinstance(value, dict):
        return {key: _filled(v, variables, where, used, f"{path}.{key}" if path else key) for key, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, variables, where, used, f"{path}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in names_in(value):
        if name not in variables:
            raise where.error(path, f"needs the environment variable {name or '${}'}, which is not set")
        used[name] = variables[name]
    return fill(value, variables)
