"""Configurations from options instead of a cameras.toml. All cameras have the same zones, lines and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.events.rules import CountingLine, Zone
from edgecls.events.tracker import TrackSettings
from edgecls.health import HealthSettings
from edgecls.regions.geometry import Line, Polygon
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.run.detector_tracks import detector_track
from edgecls.sink import JsonlSettings
from edgecls.source import ReadingSettings, name_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edgecls.detect.settings import DetectorSettings
    from edgecls.regions.motion import MotionSettings
    from edgecls.sink import SinkSettings


@dataclass(frozen=True, slots=True)
class OptionCamera(Camera):
    """A camera that may be named after its file or host, so its name may contain any characters."""

    def check_name(self) -> None:
        """Accept every name."""


def from_options(
    model: str | Path,
    sources: Sequence[int | str | Path],
    *,
    zones: Mapping[str, Sequence[float]] | Sequence[Zone] | None = None,
    lines: Mapping[str, Sequence[float]] | Sequence[CountingLine] | None = None,
    motion: MotionSettings | None = None,
    detector: DetectorSettings | None = None,
    reading: ReadingSettings | None = None,
    health: bool = False,
    sinks: Sequence[str] = (),
    sink: Sequence[SinkSettings] = (),
) -> Config:
    """Build a configuration from the options of a command line or the arguments of a program.

    Args:
        model: The .onnx file.
        sources: Camera numbers or devices, files, folders and URLs, each with an optional name: "gate=0".
        zones: Parts of the frame to classify, by name: (x, y, width, height) as fractions of the frame, 0 to 1; or zones.
        lines: Lines at which objects are counted, by name: (x1, y1, x2, y2) as fractions of the frame, 0 to 1; or lines.
        motion: Classify and track moving objects. Lines imply this.
        detector: Find the objects to track with a detector instead. They are reported after 4 of its frames.
        reading: How to read every source; None for the defaults.
        health: Watch the pictures for faults.
        sinks: Where results and events go, as specifications such as "jsonl:out.jsonl".
        sink: Where they go, as settings.

    Returns:
        The configuration.

    Raises:
        ConfigError: There is no source, or a zone or line is outside the frame.
    """
    if not sources:
        raise ConfigError("expected at least one camera, file, folder or URL, found none")
    zone, line = tuple(_zones(zones or ())), tuple(_lines(lines or ()))
    rule = HealthSettings(off=not health)
    cameras = tuple(
        OptionCamera(
            name,
            where,
            zone=zone,
            line=line,
            motion=motion,
            detector=detector,
            track=TrackSettings() if detector is None else detector_track(),
            reading=reading or ReadingSettings(),
            substream="" if reading is None else reading.substream,
            health=rule,
        )
        for name, where in name_each(sources).items()
    )
    return Config(str(model), cameras, tuple(sinks), tuple(sink))


def with_plain_logs(config: Config) -> Config:
    """Return the configuration of options with logs of frames alone, unless there are zones, lines or motion.

    Without those a `jsonl` log, stdout among them, has no lines of events, because programs rely on exactly one line per frame.
    Other sinks still get the events of the whole frame.
    """
    if any(camera.zone or camera.follows for camera in config.camera):
        return config
    outs = (replace(out, events=False) if isinstance(out, JsonlSettings) else out for out in config.outputs)
    return replace(config, sinks=(), sink=tuple(outs))


def _zones(zones: Mapping[str, Sequence[float]] | Sequence[Zone]) -> Iterable[Zone]:
    if not isinstance(zones, Mapping):
        return zones
    return (Zone(name, _area(name, numbers)) for name, numbers in zones.items())


def _lines(lines: Mapping[str, Sequence[float]] | Sequence[CountingLine]) -> Iterable[CountingLine]:
    if not isinstance(lines, Mapping):
        return lines
    return (CountingLine(name, _line(name, numbers)) for name, numbers in lines.items())


def _area(name: str, numbers: Sequence[float]) -> Polygon:
    try:
        x, y, width, height = numbers
        return Polygon.rectangle(x, y, width, height)
    except ConfigError as error:
        raise ConfigError(f"zone {name}: {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"zone {name}: expected x,y,w,h as fractions of the frame (0 to 1) that stay inside it, found {_text(numbers)}"
        ) from error


def _line(name: str, numbers: Sequence[float]) -> Line:
    try:
        x1, y1, x2, y2 = numbers
        return Line((x1, y1), (x2, y2))
    except ConfigError as error:
        raise ConfigError(f"line {name}: {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"line {name}: expected x1,y1,x2,y2, two points as fractions of the frame (0 to 1), found {_text(numbers)}"
        ) from error


def _text(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" if isinstance(number, int | float) else repr(number) for number in numbers)
