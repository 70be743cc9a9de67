"""The path of a frame: source -> health -> regions -> image.fit -> one run of the model -> Result.

This is the one file to read to understand the runtime. Everything it calls is a leaf: it takes values and returns
values, and knows neither this hub nor another leaf. The loop is the caller's:

    for result in Pipeline(classifier).over(source):
        ...
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.confidence import together
from edgecls.errors import ConfigError
from edgecls.frame import Detection, Frame, Region, Result, Timing
from edgecls.providers import LARGEST_BATCH
from edgecls.run.regions import Regions, whole_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.classifier import Classifier
    from edgecls.frame import Picture, Prediction, Unfit
    from edgecls.run.source import Source


class Pipeline:
    """Classifies regions of frames. It keeps no state between frames and may be shared."""

    def __init__(
        self,
        classifier: Classifier,
        *,
        regions: Regions = whole_frame,
        health: Callable[[Frame], Unfit | None] | None = None,
        frames: int = 8,
    ) -> None:
        """Take a model and where to look. What `health` says is unfit is not classified, unless it says so (`edgecls.Health`).
        At most `frames` that are ready are classified together; none is waited for.
        """
        if frames < 1:
            raise ConfigError(f"frames must be 1 or more, not {frames}")
        self._classifier = classifier
        self._regions = regions
        self._health = health
        self._frames = frames

    def use(self, classifier: Classifier) -> None:
        """Classify with another model from the next step on."""
        self._classifier = classifier

    def over(self, source: Source) -> Iterator[Result]:
        """Classify every frame that a source gives, in the order it gives them. The source stays open."""
        while frames := source.take(self._frames):
            yield from self.step(frames)

    def step(self, frames: Sequence[Frame]) -> list[Result]:
        """Classify some frames together, of one camera or of several. One result for each frame, in order."""
        found: list[tuple[Frame, Sequence[Region], Unfit | None]] = []
        inputs: list[Picture] = []
        looks: list[int] = []
        fit_ms: list[float] = []
        spec = self._classifier.card.input
        for frame in frames:
            began = time.perf_counter()
            unfit = self._health(frame) if self._health else None
            regions = () if unfit and not unfit.classified else self._regions(frame)
            for region in regions:
                boxes = [region.box] if region.around is None else [region.box, region.around]
                inputs += [image.fit_region(frame, box, spec) for box in boxes]
                looks.append(len(boxes))
            found.append((frame, regions, unfit))
            fit_ms.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        predictions = iter(self._predict(inputs, looks))
        infer_ms = (time.perf_counter() - began) * 1e3 / max(1, len(frames))
        now = time.monotonic()
        return [
            Result(
                frame,
                tuple(Detection(region.box, next(predictions), region.name) for region in regions),
                Timing(fit_ms=fit, infer_ms=infer_ms, age_ms=(now - frame.captured_at) * 1e3),
                unfit,
            )
            for (frame, regions, unfit), fit in zip(found, fit_ms, strict=True)
        ]

    def _predict(self, inputs: Sequence[Picture], looks: Sequence[int]) -> list[Prediction]:
        if not inputs:
            return []
        batches = [np.stack(inputs[start : start + LARGEST_BATCH]) for start in range(0, len(inputs), LARGEST_BATCH)]
        probabilities = np.concatenate([self._classifier.probabilities(batch) for batch in batches])
        return self._classifier.predictions(together(probabilities, looks))
