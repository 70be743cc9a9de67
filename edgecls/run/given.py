"""The configuration that the arguments of `Run` give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.detect.settings import DetectorSettings, detector_settings
from edgecls.errors import ConfigError
from edgecls.regions.motion import MotionSettings
from edgecls.run.arguments import check_config
from edgecls.run.config import check_uses, read_config
from edgecls.run.options import from_options, with_plain_logs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecls.events.rules import CountingLine, Zone
    from edgecls.run.config import Config
    from edgecls.sink import SinkSettings


def read_given(config: Config | str | Path) -> Config:
    """Return a configuration, which is read if it is a path."""
    check_config(config)
    return read_config(config) if isinstance(config, str | Path) else config


def configured(
    config: Config | str | Path | None,
    model: str | Path | None,
    sources: Sequence[int | str | Path],
    *,
    zones: Mapping[str, Sequence[float]] | Sequence[Zone] | None,
    lines: Mapping[str, Sequence[float]] | Sequence[CountingLine] | None,
    motion: bool | MotionSettings,
    detector: str | Path | DetectorSettings | None = None,
    sinks: Sequence[str | SinkSettings],
) -> Config:
    """Build the configuration from the arguments of `Run`."""
    texts = tuple(sink for sink in sinks if isinstance(sink, str))
    outs = tuple(sink for sink in sinks if not isinstance(sink, str))
    if config is None:
        if (model is None and detector is None) or not sources:
            raise ConfigError("expected a config, or a model and sources")
        settings = (MotionSettings() if motion else None) if isinstance(motion, bool) else motion
        options = from_options(
            model or "", sources, zones=zones, lines=lines, motion=settings, detector=detector_settings(detector, model),
            sinks=texts, sink=outs,
        )  # fmt: skip
        found = with_plain_logs(options)
    elif sources or zones or lines or motion or detector:
        raise ConfigError(
            "sources, zones, lines, motion and detector cannot be combined with config; put them into cameras.toml"
        )
    else:
        found = read_given(config)
        found = replace(found, model=str(model or found.model), sinks=(*found.sinks, *texts), sink=(*found.sink, *outs))
    check_uses(found)
    return found
