"""Does a new model do worse than the one before, judged by its own scores and by how often it says `unknown`?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edgecls.model.confidence import UNKNOWN
from edgecls.run.model_state import Level, TrialState

if TYPE_CHECKING:
    from edgecls.frame import Result
    from edgecls.run.shadow_settings import TrialSettings

FEWEST = 20
"""With fewer labels, before or after the swap, nothing is judged."""
HISTORY = 2000
"""Frames of the model before that are remembered."""
CHECKS = 10
"""How often a trial is judged before its end."""


class Scores:
    """The scores of the last frames that had labels, of all cameras."""

    def __init__(self, frames: int = HISTORY) -> None:
        """Remember this many frames."""
        self._frames: deque[tuple[int, float, int]] = deque(maxlen=frames)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._frames)

    def add(self, result: Result) -> bool:
        """Add a frame. Returns whether it had labels."""
        said = [found.prediction for found in result.detections]
        if said:
            self._frames.append((len(said), sum(p.score for p in said), sum(p.label == UNKNOWN for p in said)))
        return bool(said)

    def level(self) -> Level:
        """Return the mean over all labels. May be called while another thread adds frames."""
        frames = tuple(self._frames)
        labels, score, unknown = (sum(column) for column in zip(*frames, strict=True)) if frames else (0, 0.0, 0)
        return Level(int(labels), score / max(1, labels), unknown / max(1, labels))


class Trial:
    """The trial of one new model, against the level of the model before."""

    def __init__(self, before: Level, settings: TrialSettings) -> None:
        """Start the trial."""
        self._before = before
        self._settings = settings
        self._scores = Scores(settings.frames)

    @property
    def level(self) -> Level:
        """The level so far."""
        return self._scores.level()

    @property
    def state(self) -> TrialState:
        """How far it is. May be asked for by another thread."""
        return TrialState(len(self._scores), self._settings.frames, self.level, self._before)

    @property
    def is_over(self) -> bool:
        """Whether it has lasted long enough."""
        return len(self._scores) >= self._settings.frames

    def step(self, result: Result) -> str:
        """Add a frame of the new model. Returns in words how it is worse, "" if it is not or if it is too early to say."""
        if not self._scores.add(result) or len(self._scores) % max(1, self._settings.frames // CHECKS):
            return ""
        now, before = self.level, self._before
        if now.labels < FEWEST:
            return ""
        if now.unknown > before.unknown + self._settings.unknown:
            return f"{now.unknown:.1%} are unknown, {before.unknown:.1%} before"
        if now.score < before.score - self._settings.score:
            return f"the mean score is {now.score:.2f}, {before.score:.2f} before"
        return ""
