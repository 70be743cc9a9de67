"""A detector that knows a drawn world (`scripts/drawn_world.py`), and errs as trained ones do.

It misses objects, finds hidden ones with low scores, is some percent off with every side, and now and then finds something
where nothing is, mostly with a low score.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import Boxes
from scripts.drawn_world import HEIGHT, WIDTH

if TYPE_CHECKING:
    from edgecls.frame import Frame
    from scripts.drawn_world import Seen

MISSED, HIDDEN_MISSED = 0.08, 0.5
"""How often it does not find an object that is to be seen, and one of which little is."""
SCORE, SCORE_SPREAD, HIDDEN_SCORE = 0.62, 0.16, 0.25
"""The mean score of an object, its standard deviation, and the mean score of one of which little is to be seen."""
OFF = 0.03
"""How far a side is off: standard deviation, as a share of the width or height."""
NOISE, NOISE_SCORE = 0.5, 0.12
"""How many boxes in a frame show nothing, and the mean of their scores above 0.05, which fall off exponentially."""


class DrawnDetector:
    """Finds what is drawn in a frame. Set `seen` before it is called; it has the methods that `edgecls.Objects` uses."""

    def __init__(self, seed: int = 0) -> None:
        """Start. The same seed makes the same errors."""
        self.card = SimpleNamespace(classes=("object",))
        self.seen: list[Seen] = []
        self._rng = np.random.default_rng(seed)

    def detect(self, frame: Frame, *, low: float, wanted: np.ndarray | None = None) -> Boxes:  # noqa: ARG002 - of a detector
        """Return the boxes with a score above `low`, best first."""
        rng = self._rng
        boxes, scores = [], []
        for one in self.seen:
            if rng.random() < (MISSED if one.is_shown else HIDDEN_MISSED):
                continue
            left, top, right, bottom = one.box
            off = rng.normal(0.0, OFF, 4) * ([right - left, bottom - top] * 2)
            boxes.append(np.array(one.box) + off)
            scores.append(rng.normal(SCORE if one.is_shown else HIDDEN_SCORE, SCORE_SPREAD))
        for _ in range(rng.poisson(NOISE)):
            size = rng.uniform(15, 90, 2)
            corner = rng.uniform(0.0, np.array([WIDTH, HEIGHT]) - size)
            boxes.append(np.concatenate([corner, corner + size]))
            scores.append(0.05 + rng.exponential(NOISE_SCORE - 0.05))
        corners = np.clip(np.reshape(boxes, (-1, 4)), 0, [WIDTH, HEIGHT] * 2).astype(np.float32)
        found = Boxes(corners, np.clip(scores, 0, 1).astype(np.float32), np.zeros(len(corners), np.int64))
        return found.take(found.scores > low).best_first()
