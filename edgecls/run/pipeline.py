"""The path of a frame: source -> health -> regions -> image.fit -> one run of the model -> Result.

Read this file first to understand the runtime. The functions that it calls take and return values, and know neither this module
nor each other. The caller runs the loop:

    for result in Pipeline(classifier).over(source):
        ...
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls import image
from edgecls.detect.naming import is_classified, named
from edgecls.errors import ConfigError
from edgecls.frame import Detection, Frame, Region, Result, Timing
from edgecls.model.answers import combined, joined
from edgecls.model.providers import LARGEST_BATCH
from edgecls.regions.regions import Regions, whole_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.frame import Picture, Prediction, Unfit
    from edgecls.model.classifier import Classifier
    from edgecls.run.shadow import Shadow
    from edgecls.source import Source


class Pipeline:
    """Classifies regions of frames. A pipeline keeps no state between frames and may be shared.

    classifier = edgecls.Classifier.load("signs.onnx")
    with edgecls.open_source("clip.mp4") as source:
        for result in edgecls.Pipeline(classifier).over(source):
            print(result.detections[0].prediction.label)
    """

    def __init__(
        self,
        classifier: Classifier | None,
        *,
        regions: Regions = whole_frame,
        health: Callable[[Frame], Unfit | None] | None = None,
        frames: int = 8,
        shadow: Shadow | None = None,
    ) -> None:
        """Set up a pipeline.

        Args:
            classifier: The model. None: all regions are named by a detector.
            regions: A function that returns the regions of a frame to classify. Default: the whole frame.
            health: A function that returns why a frame is unfit, or None, such as `edgecls.Health`. Unfit frames are not
                classified unless the returned value says so.
            frames: The largest number of frames to classify in one batch, 1 or more. Frames are not waited for.
            shadow: A second model that sees the same crops of a share of the frames.

        Raises:
            ConfigError: `frames` is less than 1.
        """
        if frames < 1:
            raise ConfigError(f"frames must be 1 or more, not {frames}")
        self._classifier = classifier
        self._regions = regions
        self._health = health
        self._frames = frames
        self._shadow = shadow

    def use(self, classifier: Classifier | None, shadow: Shadow | None = None) -> None:
        """Use another model, and another shadow model or none, from the next call of `step` on."""
        self._classifier, self._shadow = classifier, shadow

    def over(self, source: Source) -> Iterator[Result]:
        """Yield a result for every frame of a source, in order. The source stays open."""
        while frames := source.take(self._frames):
            yield from self.step(frames)

    def step(self, frames: Sequence[Frame]) -> list[Result]:
        """Classify frames of one or several cameras in one batch. Returns one result per frame, in order."""
        found: list[tuple[Frame, Sequence[Region], Unfit | None]] = []
        inputs: list[Picture] = []
        views: list[int] = []
        fit_ms: list[float] = []
        for frame in frames:
            began = time.perf_counter()
            unfit = self._health(frame) if self._health else None
            regions = () if unfit and not unfit.classified else self._regions(frame)
            for region in regions:
                if is_classified(region):
                    pictures = _pictures(frame, region, self._model)
                    inputs += pictures
                    views.append(len(pictures))
            found.append((frame, regions, unfit))
            fit_ms.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        predictions = iter(_predictions(self._model, inputs, views) if inputs else ())
        infer_ms = (time.perf_counter() - began) * 1e3 / max(1, len(frames))
        now = time.monotonic()
        results = [
            Result(
                frame,
                tuple(_detection(region, predictions) for region in regions),
                Timing(fit_ms=fit, infer_ms=infer_ms, age_ms=(now - frame.captured_at) * 1e3),
                unfit,
            )
            for (frame, regions, unfit), fit in zip(found, fit_ms, strict=True)
        ]
        if self._shadow is None:
            return results
        return [self._with_shadow(result, regions) for result, (_, regions, _) in zip(results, found, strict=True)]

    def _with_shadow(self, result: Result, regions: Sequence[Region]) -> Result:
        """Return a result with what the shadow model says of the same crops, if it is to see this frame."""
        seen = [region for region in regions if is_classified(region)]
        if self._shadow is None or not seen or not self._shadow.wants(result.frame.camera):
            return result
        began = time.thread_time()
        model = self._shadow.classifier
        crops = [_pictures(result.frame, region, model) for region in seen]
        flat = [picture for pictures in crops for picture in pictures]
        said = iter(_predictions(model, flat, [len(pictures) for pictures in crops]))
        found = tuple(
            replace(detection, shadow=_detection(region, said).prediction) if is_classified(region) else detection
            for detection, region in zip(result.detections, regions, strict=True)
        )
        timing = replace(result.timing, shadow_ms=(time.thread_time() - began) * 1e3)
        return replace(result, detections=found, timing=timing)

    @property
    def _model(self) -> Classifier:
        if self._classifier is None:
            raise ConfigError("a region needs a label, but there is no model, and no detector that names it")
        return self._classifier


def _pictures(frame: Frame, region: Region, model: Classifier) -> list[Picture]:
    """Return what a model sees of a region."""
    boxes = [region.box] if region.around is None else [region.box, region.around]
    return [image.fit_region(frame, box, model.card.input) for box in boxes]


def _predictions(model: Classifier, inputs: Sequence[Picture], views: Sequence[int]) -> list[Prediction]:
    """Classify prepared pictures, of which each region has one or several `views`."""
    batches = [np.stack(inputs[start : start + LARGEST_BATCH]) for start in range(0, len(inputs), LARGEST_BATCH)]
    answers = joined([model.answers(batch) for batch in batches])
    return model.predictions(combined(answers, views, model.card.confidence.combined))


def _detection(region: Region, predictions: Iterator[Prediction]) -> Detection:
    """Return a region with its label, which is the next of the predictions if it was classified."""
    classified = next(predictions) if is_classified(region) else None
    if region.detected is None:
        return Detection(region.box, cast("Prediction", classified), region.name)
    return Detection(region.box, named(region.detected, classified), region.name, region.detected.score)
