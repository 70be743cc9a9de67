"""A shadow model: it sees the same crops as the model in use, of a share of the frames, and changes nothing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls.collect import Candidate, SelectionSettings
from edgecls.errors import ConfigError, EdgeclsError
from edgecls.model.classifier import Classifier
from edgecls.model.confidence import UNKNOWN
from edgecls.run.swap import check_fits, is_of_bundle, is_same, label_changes, rejected_of
from edgecls.sink.keeper import Keeper, Offer
from edgecls.sink.keeper_thread import KeeperThread
from edgecls.store import Origin, Store
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.frame import Result
    from edgecls.log import Say
    from edgecls.run.config import Config
    from edgecls.run.shadow_settings import ShadowSettings

APART_S = 10.0
"""Two pictures of one region on which the models disagree are at least this many seconds apart."""
MARGIN = 0.2
"""Pictures are larger than what the models see by this share of the longer side on all sides, for whoever labels them."""


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
        SinkError: Its store cannot be used.
    """
    settings, model = config.shadow, _load(config, classifier, say)
    if settings is None or model is None:
        return None
    never = _why_never(config, settings, model)
    if never:
        say(f"note: shadow: {settings.model} {never}")
    pictures = Disagreements(settings, say) if settings.store else None
    return Shadow(model, settings, may_promote=not never, pictures=pictures)


def check_shadow(config: Config, classifier: Classifier | None, say: Say) -> list[str]:
    """Load the shadow model of a configuration to check it; creates nothing. Returns one line per error."""
    setting = "model"
    try:
        settings, model = config.shadow, _load(config, classifier, say)
        if settings is None or model is None:
            return []
        if never := _why_never(config, settings, model):
            say(f"note: shadow: {settings.model} {never}")
        setting = "store"
        if settings.store and Path(settings.store).exists():
            Store(settings.store, create=False).close()
    except (EdgeclsError, OSError) as error:
        return [str(config.where.error(f"shadow.{setting}", f": {error}"))]
    return []


def _load(config: Config, classifier: Classifier | None, say: Say) -> Classifier | None:
    """Load the shadow model, if there is one and it is another one, and say how it differs."""
    settings = config.shadow
    if settings is None or classifier is None:
        return None
    if is_same(settings.model, config.model):
        never = "" if settings.promote is None else " or to promote"
        say(f"note: shadow: {settings.model} is the model in place already, so there is nothing to compare{never}")
        return None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = Classifier.load(settings.model, device=config.device, threads=1, on_mismatch=config.on_mismatch)
    for warning in warned:
        say(f"warning: shadow: {warning.message}")
    if model.card.multi_label != classifier.card.multi_label:
        say("note: shadow: only one of the models gives several labels a picture; they agree where both say the same")
    say(f"shadow: {settings.model} sees {settings.share:.0%} of the frames of each camera")
    ours, theirs = set(classifier.card.labels), set(model.card.labels)
    if not ours & theirs:
        never = "" if settings.promote is None else ", and its promotion rule can never hold"
        say(f"note: shadow: {settings.model} has none of the labels of {config.model}, so nothing is compared{never}")
    elif ours != theirs:
        common = counted(len(ours & theirs), "common label")
        changes = label_changes(ours, theirs)
        say(f"note: shadow: {settings.model} has other labels and is compared on {common}; {changes}")
    return model


def _why_never(config: Config, settings: ShadowSettings, model: Classifier) -> str:
    """Return what keeps a shadow from ever being promoted by its rule; "" for nothing that is known."""
    if settings.promote is None:
        return ""
    if is_of_bundle(config.model):
        return "is compared and never promoted, because the model in use is that of a bundle"
    if is_same(settings.model, rejected_of(config.model)):
        return "was taken back before, so it is compared and not promoted again"
    try:
        check_fits(config, model, settings.model)
    except ConfigError as error:
        return f"is compared and can never be promoted: {error}"
    return ""


class Disagreements:
    """Keeps pictures on which the two models disagree, as collecting does: a thread decides which are worth a label, encodes
    and stores them, under the quota of the settings.
    """

    def __init__(self, settings: ShadowSettings, say: Say) -> None:
        """Open the store of the settings, which is created if it does not exist. Raises SinkError."""
        choice = SelectionSettings(per_day=settings.per_day, random=0, apart_s=APART_S)
        rng = np.random.default_rng()
        keeper = Keeper(settings.store, choice, margin=MARGIN, quota=settings.quota, embed=True, rng=rng)
        self._thread = KeeperThread(keeper, settings.store, say)

    def add(self, result: Result, model: str) -> None:
        """Offer the crops of a frame with different labels. Never waits."""
        frame = result.frame
        at_s = frame.time_s if frame.at_s is None else frame.at_s
        for found in result.detections:
            said = found.prediction
            if found.shadow is None or found.shadow.names == said.names:
                continue
            candidate = Candidate(f"region {found.region}", at_s, score=said.score, is_unknown=said.label == UNKNOWN)
            origin = Origin(
                frame.camera, found.region, frame.at_s, frame.time_s, frame.file, reason="shadow", model=model,
                prediction=said.label, score=said.score,
            )  # fmt: skip
            self._thread.offer(Offer(frame, found.box, candidate, origin))

    def stop(self) -> None:
        """Let the thread end by itself. Never waits."""
        self._thread.stop()

    def close(self) -> None:
        """Store what waits, and close the store."""
        self._thread.close()
