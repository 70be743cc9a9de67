"""A shadow model: it sees the same crops as the model in use, of a share of the frames, and changes nothing."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from edgecls.errors import DataError
from edgecls.model.classifier import Classifier
from edgecls.run.swap import is_same, rejected_of
from edgecls.store import Origin, Store

if TYPE_CHECKING:
    from edgecls.frame import Result
    from edgecls.log import Say
    from edgecls.run.config import Config
    from edgecls.run.shadow_settings import ShadowSettings

APART_S = 10.0
"""Two pictures of one region on which the models disagree are at least this many seconds of media time apart."""
MOST_PICTURES = 1000
"""The most pictures that one run stores."""


class Shadow:
    """A loaded shadow model, and which frames it sees.

    Attributes:
        classifier: The model.
        settings: Its settings.
        may_promote: Whether it may take the place of the model: it has not been taken back before.
        pictures: Gets the crops on which the models disagree; None: nobody does.
    """

    def __init__(
        self, classifier: Classifier, settings: ShadowSettings, *, may_promote: bool = True,
        pictures: Disagreements | None = None,
    ) -> None:  # fmt: skip
        """Start with no frame seen."""
        self.classifier = classifier
        self.settings = settings
        self.pictures = pictures
        self.may_promote = may_promote and settings.promote is not None
        self._due: dict[str, float] = {}

    def wants(self, camera: str) -> bool:
        """Return whether the next frame of a camera is one that it sees. The first one is."""
        due = self._due.get(camera, 1.0 - self.settings.share) + self.settings.share
        is_due = due >= 1.0 - 1e-9
        self._due[camera] = due - is_due
        return is_due


def load_shadow(config: Config, classifier: Classifier | None, say: Say) -> Shadow | None:
    """Load the shadow model of a configuration, and say how its labels differ.

    Returns:
        None if there is none, or if it is the same file as the model in use.

    Raises:
        ModelError: It cannot be loaded.
        DataError: Its store cannot be used.
    """
    settings = config.shadow
    if settings is None or classifier is None:
        return None
    if is_same(settings.model, config.model):
        say(f"note: shadow: {settings.model} is the model in place already, so there is nothing to compare")
        return None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = Classifier.load(settings.model, device=config.device, threads=1, on_mismatch=config.on_mismatch)
    for warning in warned:
        say(f"warning: shadow: {warning.message}")
    if model.card.multi_label != classifier.card.multi_label:
        say("note: shadow: only one of the models gives several labels a picture; they agree where both say the same")
    ours, theirs = set(classifier.card.labels), set(model.card.labels)
    if ours != theirs:
        lacks, adds = ", ".join(sorted(ours - theirs)) or "none", ", ".join(sorted(theirs - ours)) or "none"
        say(
            f"note: shadow: {settings.model} has other labels and is compared on the {len(ours & theirs)} common ones; "
            f"it lacks: {lacks}; new in it: {adds}"
        )
    was_rejected = is_same(settings.model, rejected_of(config.model))
    if was_rejected and settings.promote is not None:
        say(f"note: shadow: {settings.model} was taken back before, so it is compared and not promoted again")
    pictures = Disagreements(settings.store, say) if settings.store else None
    return Shadow(model, settings, may_promote=not was_rejected, pictures=pictures)


class Disagreements:
    """Stores pictures on which the two models disagree: of each region at most one in 10 seconds."""

    def __init__(self, folder: str, say: Say) -> None:
        """Open the store, which is created if it does not exist. Raises DataError."""
        self._store: Store | None = Store(folder)
        self._say = say
        self._last: dict[tuple[str, str], float] = {}
        self.kept = 0

    def add(self, result: Result, model: str) -> None:
        """Store the crops of a frame with different labels. A failure is said once; the run goes on without the store."""
        frame = result.frame
        for found in result.detections:
            key = frame.camera, found.region
            is_apart = abs(frame.time_s - self._last.get(key, float("-inf"))) >= APART_S
            if found.shadow is None or found.shadow.names == found.prediction.names or not is_apart:
                continue
            if self._store is None or self.kept >= MOST_PICTURES:
                return
            self._last[key] = frame.time_s
            left, top, right, bottom = found.box
            origin = Origin(
                frame.camera, found.region, frame.at_s, frame.time_s, frame.file, reason="shadow", model=model,
                prediction=found.prediction.label, score=found.prediction.score,
            )  # fmt: skip
            try:
                self._store.add(frame.bgr()[top:bottom, left:right].copy(), origin)
                self.kept += 1
            except DataError as error:
                self._say(f"shadow: disagreements are no longer stored: {error}")
                self.close()

    def close(self) -> None:
        """Close the store."""
        store, self._store = self._store, None
        if store is not None:
            store.close()
