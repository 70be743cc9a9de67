"""The detectors of a configuration: each file is loaded once, however many cameras use it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.detect.detector import Detector
from edgecls.detect.naming import labels_of
from edgecls.detect.objects import names_of
from edgecls.errors import ConfigError, DeviceError, EdgeclsError
from edgecls.run.config import check_labels
from edgecls.run.model import labels_in

if TYPE_CHECKING:
    from edgecls.log import Say
    from edgecls.model.classifier import Classifier
    from edgecls.regions.regions import Regions
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config

Key = tuple[object, ...]
"""What identifies a loaded detector."""


class Detectors:
    """Loads detectors, and keeps those that a configuration uses."""

    def __init__(self, say: Say) -> None:
        """Start without detectors. `say` is called with a one-line message for problems that do not end the run."""
        self._say = say
        self._loaded: dict[Key, Detector] = {}
        self._used: dict[str, Key] = {}

    @classmethod
    def load(cls, config: Config, say: Say) -> Detectors:
        """Load the detectors of all cameras of a configuration.

        Raises:
            ModelError: A file is not an adopted detector.
            DeviceError: The device of the configuration is not available.
        """
        detectors = cls(say)
        detectors.use(config)
        return detectors

    @property
    def in_use(self) -> dict[str, Detector]:
        """The detector of each camera that has one. Any thread may ask."""
        used, loaded = dict(self._used), dict(self._loaded)
        return {camera: loaded[key] for camera, key in used.items() if key in loaded}

    def of(self, config: Config, camera: Camera) -> Detector | None:
        """Return the detector of a camera, loaded now unless it was before. None if the camera has none."""
        if camera.detector is None:
            return None
        key = _key(config, camera.detector.model)
        if key not in self._loaded:
            self._loaded[key] = self._load_one(config, camera.detector.model)
        return self._loaded[key]

    def regions(self, config: Config, camera: Camera) -> Regions:
        """Return the function that selects the regions of a camera's frames, see `Camera.regions`."""
        try:
            return camera.regions(self.of(config, camera))
        except ConfigError as error:
            raise _located(config, camera, error) from error

    def is_other(self, config: Config, camera: Camera) -> bool:
        """Whether a camera has another detector in this configuration, or its file or device has changed."""
        key = None if camera.detector is None else _key(config, camera.detector.model)
        return key != self._used.get(camera.name)

    def use(self, config: Config) -> None:
        """Load the detectors of a configuration, and forget those that it does not use."""
        for camera in config.camera:
            self.of(config, camera)
        self._used = {c.name: _key(config, c.detector.model) for c in config.camera if c.detector is not None}
        self._loaded = {key: detector for key, detector in self._loaded.items() if key in self._used.values()}

    def check_labels(self, config: Config, classifier: Classifier | None) -> None:
        """Raise ConfigError if the settings of a camera name a class or a label that neither its detector nor the model has, or
        need one label for each object of a model that gives several.
        """
        labels = labels_in(classifier)
        if classifier is not None and classifier.card.multi_label:
            _check_several_labels(config)
        known: dict[str, set[str]] = {}
        for camera in config.camera:
            detector = self.of(config, camera)
            if detector is not None and camera.detector is not None:
                try:
                    names = names_of(camera.detector, detector)
                except ConfigError as error:
                    raise _located(config, camera, error) from error
                has_states = any(zone.look == "state" for zone in camera.zone)
                own = labels_of(camera.detector, set(names) - {""}, labels)
                known[camera.name] = own | set(labels) if has_states else own
        check_labels(config, labels, known)

    def _load_one(self, config: Config, path: str) -> Detector:
        image.keep_opencv_to_one_thread()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            detector = Detector.load(path, device=config.device, threads=config.threads, on_mismatch=config.on_mismatch)
        for warning in warned:
            self._say(f"warning: {warning.message}")
        if config.device == "auto":
            self._say(f"{path}: device {detector.device} ({detector.why})")
        return detector


def check_detectors(config: Config, say: Say) -> tuple[Detectors | None, list[str]]:
    """Load the detectors of a configuration to check it. Returns them, or None and one line per error."""
    detectors, errors = Detectors(say), []
    for i, camera in enumerate(config.camera):
        try:
            detectors.of(config, camera)
        except (EdgeclsError, OSError) as error:
            setting = "device" if isinstance(error, DeviceError) else f"camera[{i}].detector.model"
            errors.append(str(config.where.error(setting, f": {error}")))
    return (None if errors else detectors), errors


def _check_several_labels(config: Config) -> None:
    """Raise ConfigError if a camera follows objects that a model with several labels a picture would have to name."""
    for i, camera in enumerate(config.camera):
        if camera.follows and (camera.detector is None or camera.detector.names != "detector"):
            setting = next((name for name in ("line", "motion", "left", "detector") if getattr(camera, name)), "zone")
            raise config.where.error(
                f"camera[{i}].{setting}",
                f": {config.model} gives several labels for a picture, and an object that is followed needs one; watch zones "
                'with look = "state", or name the objects by a detector (names = "detector")',
            )


def _located(config: Config, camera: Camera, error: ConfigError) -> ConfigError:
    """Return an error of a camera's detector with its line."""
    i = [one.name for one in config.camera].index(camera.name)
    setting, _, fault = str(error).partition(": ")
    return config.where.error(f"camera[{i}].detector.{setting}", f": {fault}")


def _key(config: Config, path: str) -> Key:
    """Return what identifies a detector, including size and time of its file, which may have been replaced."""
    try:
        stat = Path(path).stat()
    except OSError:  # loading it reports the error
        return path, config.device, config.threads, config.on_mismatch
    return path, config.device, config.threads, config.on_mismatch, stat.st_mtime_ns, stat.st_size
