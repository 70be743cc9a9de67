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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.limits import MOST_THREADS
from edgecls.model.golden import OnMismatch  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.run.bundle_settings import BundleSettings  # noqa: TC001
from edgecls.run.bundled import Bundled, with_bundle
from edgecls.run.camera import Camera  # noqa: TC001
from edgecls.run.detector_tracks import with_detector_tracks
from edgecls.run.fleet_settings import FleetSettings  # noqa: TC001
from edgecls.run.shadow_settings import ShadowSettings  # noqa: TC001
from edgecls.run.web import WebSettings  # noqa: TC001
from edgecls.settings import NO_SETTING, build, check_limits, limited, read_toml_with_lines
from edgecls.settings.build import check_count
from edgecls.settings.toml_lines import Where
from edgecls.settings.variables import fill, names_in, unfilled
from edgecls.sink import SinkSettings, check_meeting, check_places, check_use, parse_sink
from edgecls.source import files_among

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


MOST_CAMERAS = 256
"""The largest number of cameras in a file, and of sinks."""


@dataclass(frozen=True, slots=True)
class Config:
    """The content of a cameras.toml: the `model`, each `camera`, and the sinks.

    `sinks` are specifications as on the command line; each `sink` is a table of settings. `device` is "auto" or a device,
    without which the run stops. `threads` is the number of CPU threads per inference (default: 1 for small inputs, else all
    cores). `on_mismatch` says what to do if the model gives other answers on this machine than where it was exported. With
    `quiet` nothing is written to stdout. With the table `web`, `edgecls run` serves a page of the run.
    With the table `shadow`, a second model sees the same crops, see `ShadowSettings`. With the table `fleet`, `edgecls run`
    reports to a broker and takes the bundles that are rolled out over it. With the table `bundle`, model and settings may come
    from a signed bundle, see `BundleSettings`; `bundled` then says which one this is.

    `model` may be left out if every camera has a detector with names = "detector" and no zone with a state.

    `where` locates settings such as `camera[0].source` in error messages.
    """

    model: str = ""
    camera: tuple[Camera, ...] = ()
    sinks: tuple[str, ...] = ()
    sink: tuple[SinkSettings, ...] = ()
    device: str = "auto"
    threads: int | None = limited(None, at_least=1, at_most=MOST_THREADS)
    on_mismatch: OnMismatch = "stop"
    quiet: bool = False
    web: WebSettings | None = None
    shadow: ShadowSettings | None = None
    fleet: FleetSettings | None = None
    bundle: BundleSettings | None = None
    bundled: Bundled | None = field(default=None, compare=False, metadata=NO_SETTING)
    where: Where = field(default_factory=Where, compare=False, repr=False, metadata=NO_SETTING)

    @property
    def outputs(self) -> tuple[SinkSettings, ...]:
        """The settings of all sinks. Raises ConfigError for an invalid specification."""
        return (*map(parse_sink, self.sinks), *self.sink)

    @property
    def model_name(self) -> str:
        """The name of the model in events: that of its bundle, or its file name without the suffix; or that of a detector."""
        if self.bundled is not None and self.bundled.slot is not None and self.model == str(self.bundled.slot.model):
            return self.bundled.model_name
        detectors = [camera.detector.model for camera in self.camera if camera.detector is not None]
        return Path(self.model or next(iter(detectors), "")).stem

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
        if not self.model:
            self._check_no_model()
            if self.shadow is not None:
                raise ConfigError("shadow has no effect, because there is no model to compare with; add model")
        check_limits(self)

    def _check_no_model(self) -> None:
        """Raise ConfigError if a camera needs a classifier."""
        for i, camera in enumerate(self.camera):
            if camera.detector is not None and not camera.is_named_by_detector:
                raise ConfigError(
                    f'camera[{i}].detector: without a model expected names = "detector" and no zone with look = "state"; add '
                    "model, the .onnx file of a classifier"
                )
            if camera.detector is None:
                raise ConfigError(
                    "there is no model; expected the .onnx file of a classifier, or at every camera a detector with names = "
                    '"detector"'
                )


def check_labels(config: Config, known: Sequence[str], at: Mapping[str, Collection[str]] | None = None) -> None:
    """Raise ConfigError if a setting names a label that cannot occur.

    Args:
        config: The configuration.
        known: The labels of the model.
        at: Other labels at some cameras, by name, such as those of a detector.
    """
    for i, camera in enumerate(config.camera):
        labels = (at or {}).get(camera.name, known)
        model = config.model if camera.detector is None else camera.detector.model
        wrong = camera.rules.wrong_label(labels, model)
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

    def made(whole: dict[str, Any], bundled: Bundled | None = None) -> Config:
        filled = with_detector_tracks(_filled(whole, variables, where, used))
        config = replace(build(Config, filled, where), where=where, bundled=bundled)
        _check_sinks(config, path)
        return config

    try:
        if "bundle" not in table:
            return made(table)
        found = _filled(table["bundle"], variables, where, used, "bundle")
        return with_bundle(table, build(Holder, {"bundle": found}, where).bundle, made)
    except ConfigError as error:
        raise ConfigError(unfilled(str(error), used)) from error


@dataclass(frozen=True, slots=True)
class Holder:
    """The table `bundle` of a cameras.toml, which is read before all others."""

    bundle: BundleSettings


def check_uses(config: Config, path: str | Path | None = None) -> None:
    """Raise ConfigError for sinks that conflict with the sources or with each other.

    A sink must not overwrite a file that is read, including the configuration `path`, or write several cameras to one video.
    Two sinks must not write the same file.
    """
    models = [
        config.model,
        *([config.shadow.model] if config.shadow else []),
        *(camera.detector.model for camera in config.camera if camera.detector is not None),
    ]
    sources = [camera.source for camera in config.camera] + [one.substream for one in config.camera if one.substream]
    reads = [*([] if path is None else [path]), *filter(None, models), *files_among(sources)]
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
