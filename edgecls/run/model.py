"""Loading of the model that a configuration names."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.model.classifier import Classifier

if TYPE_CHECKING:
    from edgecls.log import Say
    from edgecls.run.config import Config


def load_classifier(config: Config, say: Say) -> Classifier | None:
    """Load the model of a configuration. Returns None if it has none, because detectors name all objects.

    Warnings go to `say`, and so does the device if it was chosen automatically. OpenCV is limited to one thread, because the
    cameras share the cores.
    """
    image.keep_opencv_to_one_thread()
    if not config.model:
        return None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        classifier = Classifier.load(config.model, device=config.device, threads=config.threads, on_mismatch=config.on_mismatch)
    for warning in warned:
        say(f"warning: {warning.message}")
    if config.device == "auto":
        say(f"device {classifier.device} ({classifier.why})")
    return classifier


def labels_in(classifier: Classifier | None) -> tuple[str, ...]:
    """Return the labels of a model; none without a model."""
    return () if classifier is None else classifier.card.labels
