"""The models that a run has loaded at this moment: the model, its shadow and the detectors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecls.files import stamp_of
from edgecls.web.answers import NotThereError

if TYPE_CHECKING:
    from edgecls.detect.detector import Detector
    from edgecls.model.classifier import Classifier
    from edgecls.run.run import Run

Role = Literal["model", "shadow", "detector"]

UNKNOWN_MODEL = "the run does not use this model any more"
DELETED = "The file has been deleted since it was loaded. The run goes on, but it could not start again."
REPLACED = "Another file is in its place now. The run goes on with the one that it has loaded."


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """A loaded model, which keeps working whatever happens to its file.

    Attributes:
        id: Names it in addresses, so that none has a path.
        role: What the run uses it for.
        path: Its file as it is configured.
        loaded: The model itself.
        cameras: The cameras whose objects a detector finds; empty for the others, which see all cameras.
    """

    id: str
    role: Role
    path: str
    loaded: Classifier | Detector
    cameras: tuple[str, ...] = ()


def models_of(run: Run | None) -> list[ModelInUse]:
    """Return the models that a run uses, the one that classifies first. Any thread may call this."""
    if run is None:
        return []
    config, shadow = run.config, run.shadow
    found: list[tuple[Role, str, Classifier | Detector, tuple[str, ...]]] = []
    if run.classifier is not None:
        found.append(("model", config.model, run.classifier, ()))
    if shadow is not None:
        found.append(("shadow", shadow.settings.model, shadow.classifier, ()))
    paths = {camera.name: camera.detector.model for camera in config.camera if camera.detector is not None}
    cameras: dict[str, list[str]] = {}
    detectors = run.detectors
    for camera in detectors:
        if camera in paths:  # a reload may be changing both
            cameras.setdefault(paths[camera], []).append(camera)
    found += [("detector", path, detectors[names[0]], tuple(names)) for path, names in cameras.items()]
    return [ModelInUse(_id(role, path), role, path, loaded, names) for role, path, loaded, names in found]


def find_model(run: Run | None, name: str) -> ModelInUse:
    """Return the model with this id. Raises NotThereError."""
    found = next((one for one in models_of(run) if one.id == name), None)
    if found is None:
        raise NotThereError(UNKNOWN_MODEL)
    return found


class FileStates:
    """Compares loaded models with their files, which are read only once while they stay the same."""

    def __init__(self) -> None:
        """Start without files."""
        self._digests: dict[str, tuple[tuple[int, ...], str]] = {}

    def fault(self, model: ModelInUse) -> str:
        """Return how the file differs from the loaded model, in one sentence; "" if it does not."""
        try:
            stat = Path(model.path).stat()
            key = stamp_of(stat)
            known = self._digests.get(model.path)
            if known is None or known[0] != key:
                same_size = stat.st_size == model.loaded.bytes
                digest = hashlib.sha256(Path(model.path).read_bytes()).hexdigest() if same_size else ""
                known = self._digests[model.path] = key, digest
        except FileNotFoundError:
            return DELETED
        except OSError as error:
            return f"The file cannot be read now ({error.strerror or error}). The run goes on with what it has loaded."
        return "" if known[1] == model.loaded.sha256 else REPLACED


def _id(role: str, path: str) -> str:
    return hashlib.sha256(f"{role} {path}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
