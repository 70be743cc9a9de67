"""What an object is called: by the detector, by the classifier, or by both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.frame import Prediction
from edgecls.model.confidence import BACKGROUND, UNKNOWN, UNKNOWN_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.detect.settings import DetectorSettings
    from edgecls.detected import Detected
    from edgecls.frame import Region

SEPARATOR = "/"
"""Between the name of the detector and the label of the classifier: vehicle/van."""


def named(detected: Detected, classified: Prediction | None) -> Prediction:
    """Return the label of an object.

    With "both", the score is that of the detector times that of the classifier: of a vehicle, and of a van if it is one. An
    object that the classifier does not know, or takes for background, keeps the name of the detector.

    Args:
        detected: What the detector says.
        classified: What the classifier says; None if it was not asked.
    """
    if classified is None or (detected.names == "both" and classified.label in (UNKNOWN, BACKGROUND)):
        return Prediction(detected.name, detected.score, UNKNOWN_ID, ((detected.name, detected.score),))
    if detected.names == "classifier":
        return classified
    top = tuple((joined(detected.name, label), detected.score * score) for label, score in classified.top)
    label = joined(detected.name, classified.label)
    return Prediction(label, detected.score * classified.score, classified.class_id, top)


def joined(name: str, label: str) -> str:
    """Return the name of a detector and the label of a classifier as one label: vehicle/van; once if they are the same."""
    return name if name == label else f"{name}{SEPARATOR}{label}"


def is_classified(region: Region) -> bool:
    """Whether the classifier looks at a region."""
    return region.detected is None or region.detected.names != "detector"


def labels_of(settings: DetectorSettings, names: Iterable[str], labels: Iterable[str]) -> set[str]:
    """Return the labels that objects can have.

    Args:
        settings: The settings of the detector.
        names: The names that it gives, after `classes`.
        labels: The labels of the classifier.
    """
    if settings.names == "classifier":
        return set(labels)
    names = set(names)
    if settings.names == "detector":
        return names
    refined = names & set(settings.classify) if settings.classify else names
    return names | {joined(name, label) for name in refined for label in set(labels) - {BACKGROUND}}
