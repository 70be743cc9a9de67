"""The drift detection of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.drift import Drift
from edgecls.files.cache import user_state

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from edgecls.drift import DriftSettings
    from edgecls.event import Event
    from edgecls.log import Say
    from edgecls.model.card import ModelCard
    from edgecls.model.classifier import Classifier
    from edgecls.run.config import Config


def open_drift(config: Config, classifier: Classifier | None, say: Say) -> Drift:
    """Return the drift detection of a configuration, whose reference is kept in the user's state folder."""
    card = None if classifier is None else classifier.card
    return Drift(_settings(config), card=card, model=config.model_name, folder=_folder(), say=say)


def use_drift(drift: Drift, config: Config, card: ModelCard | None, anew: Collection[str]) -> list[Event]:
    """Switch to another configuration and the card of its model. Returns the events that end with the switch."""
    return drift.use(_settings(config), card=card, model=config.model_name, anew=anew)


def _settings(config: Config) -> dict[str, DriftSettings]:
    return {camera.name: camera.drift for camera in config.camera}


def _folder() -> Path | None:
    try:
        return user_state() / "drift"
    except RuntimeError:  # a user without a home
        return None
