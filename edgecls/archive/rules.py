"""The rules of an archive: from a cameras.toml or the same for all cameras, for workers and for archive.json."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.archive.manifest import Manifest
from edgecls.archive.recordings import cameras_of
from edgecls.archive.task import Job, fingerprint_of_file, fingerprint_of_rules, plain_camera
from edgecls.errors import ConfigError, ModelError
from edgecls.model.cpu import usable_cores
from edgecls.run.config import Config, read_config
from edgecls.run.options import from_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edgecls.archive.recordings import Recording
    from edgecls.regions.motion import MotionSettings
    from edgecls.source import ReadingSettings

EVERY = "*"
"""The name of the camera whose rules are for all, which no camera of a cameras.toml can have."""


def plain_config(
    model: str | Path, *, zones: Mapping[str, Sequence[float]] | None = None,
    lines: Mapping[str, Sequence[float]] | None = None, motion: MotionSettings | None = None,
    health: bool = False, reading: ReadingSettings | None = None,
) -> Config:  # fmt: skip
    """Return the same rules for all cameras, as those of `edgecls run` without a configuration. See `from_options`."""
    found = from_options(model, ["all=recordings"], zones=zones, lines=lines, motion=motion, health=health, reading=reading)
    return replace(found, camera=(replace(found.camera[0], name=EVERY),))


def make_job(
    model: str | Path, config: Config | str | Path | None, out: Path, cameras: Mapping[str, Recording], workers: int
) -> Job:  # fmt: skip
    """Return what all tasks share.

    Args:
        model: The .onnx file.
        config: The rules, by the names of the cameras or of `plain_config`. None: the whole frame is classified.
        out: The folder of the archive.
        cameras: A recording of each camera, by its name.
        workers: How many workers there are.

    Raises:
        ConfigError: A camera has no rules, or the configuration is invalid.
        ModelError: The model cannot be read.
    """
    if config is None:
        config = plain_config(model)
    read = config if isinstance(config, Config) else read_config(config)
    by_name = read.camera[0].name != EVERY
    used = tuple(map(plain_camera, read.camera))
    threads = 1 if workers >= usable_cores() and read.threads is None else read.threads
    read = replace(read, model=str(model), camera=used, sinks=(), sink=(), web=None, shadow=None, threads=threads)
    decoding = max(1, usable_cores() // workers)
    job = Job(read, str(out), fingerprint_of_file(model, ModelError), by_name=by_name, threads=decoding)
    for name, recording in cameras.items():
        try:
            job.rules_of(name)
        except ConfigError as error:
            raise ConfigError(
                f"{error}; set the camera of all recordings with `camera`, or say with `names` where it stands in their names "
                f"(a recording of {name!r}: {recording.address})"
            ) from error
    return job


def manifest_of(job: Job, recordings: Sequence[Recording]) -> Manifest:
    """Return what the labels of these recordings are made by."""
    rules = {}
    for name in cameras_of(recordings):
        camera = job.rules_of(name)
        detector = "" if camera.detector is None else fingerprint_of_file(camera.detector.model, ModelError)
        rules[name] = fingerprint_of_rules(camera, detector)
    return Manifest(job.config.model_name, job.model, rules)
