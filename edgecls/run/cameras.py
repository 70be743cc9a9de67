"""Opening of the cameras of a configuration, including what its sinks and model require of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from edgecls.errors import EdgeclsError
from edgecls.log import Say, log_warning
from edgecls.run.config import sink_setting
from edgecls.run.web import KEEP_S
from edgecls.sink import SINKS, check_sinks, keep_s
from edgecls.source import check_there, open_each, open_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.model.classifier import Classifier
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config
    from edgecls.source import Merged, ReadingSettings


class Demand(NamedTuple):
    """Requirements of sinks, page and model that apply to every camera.

    `keep_s` is the number of seconds of packets to keep for clips, `page_s` for live pictures, which can do without.
    `needed_hw` is the (height, width) that the model needs of a whole frame; None if something, such as a
    shadow model, may need full resolution.
    """

    keep_s: float = 0.0
    page_s: float = 0.0
    needed_hw: tuple[int, int] | None = None


def demand_of(config: Config, classifier: Classifier | None = None) -> Demand:
    """Return what the sinks of a configuration, and the model if it is given, require of every camera."""
    is_drawn = any(SINKS[out.kind].draws for out in config.outputs)
    spec = None if classifier is None or is_drawn or config.shadow is not None else classifier.card.input
    page_s = 0.0 if config.web is None else KEEP_S
    return Demand(keep_s(config.outputs), page_s, None if spec is None else (spec.height, spec.width))


def open_cameras(config: Config, *, classifier: Classifier | None = None, say: Say = log_warning) -> Merged:
    """Open the cameras of a configuration.

        config = read_config("cameras.toml")
        with open_cameras(config) as frames:
            for frame in frames:
                ...

    Args:
        config: The configuration.
        classifier: The model. If given, motion JPEG is decoded at reduced size where only the whole frame is classified.
        say: Called with a one-line message for problems that do not end the run.

    Returns:
        All cameras as one source, as from `open_source`. It keeps the packets that the sinks of the configuration need.

    Raises:
        SourceError: A file or folder cannot be opened.
    """
    return open_named(places(config.camera, demand_of(config, classifier)), say=say)


def check_start(config: Config, *, say: Say = log_warning) -> list[str]:
    """Check what would keep a run from starting, except for its model, by taking the same steps.

    Opens files and folders. Cameras and streams are not opened, because a run waits for them, but the device of a camera must
    exist.

    Returns:
        One line per error.
    """
    where, errors = config.where, []
    for i, (name, place) in enumerate(places(config.camera, demand_of(config)).items()):
        try:
            check_there(place[0])
            for source in open_each({name: place}, say=say):
                source.close()
        except (EdgeclsError, OSError) as error:
            errors.append(str(where.fault(f"camera[{i}].source", str(error))))
    found = check_sinks(config.outputs, say=say)
    return errors + [str(where.fault(sink_setting(config, i).partition(".")[0], fault)) for i, fault in found]


def places(cameras: Iterable[Camera], demand: Demand) -> dict[str, tuple[int | str, ReadingSettings]]:
    """Return the source of each camera and how to read it, by the name of the camera."""
    return {camera.name: read_as(camera, demand) for camera in cameras}


def read_as(camera: Camera, demand: Demand) -> tuple[int | str, ReadingSettings]:
    """Return the source of a camera and how to read it."""
    is_whole = not (camera.zone or camera.follows or camera.when == "motion")
    page_s = 0.0 if camera.reading.decoder == "opencv" else demand.page_s  # OpenCV has no packets
    reading = replace(camera.private_reading, keep_s=max(camera.reading.keep_s, demand.keep_s, page_s))
    return camera.source, replace(reading, needed_hw=reading.needed_hw or demand.needed_hw) if is_whole else reading
