"""What events and their outputs cost, for `scripts/bench`: all of a run beyond decoding and inference."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import edgecls
from edgecls import Classifier, Events, Gate, Line, Pipeline, Polygon, Sink, Zone, image, observe
from edgecls.run.config import Camera
from edgecls.run.sink import Buffered, Spool
from edgecls.run.wire import event_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls import Event, Prediction, Result

FPS = 25
BLOCKED_S = 30.0
CAMERA = Camera(
    "road",
    0,
    zone=(
        Zone("near", Polygon.rectangle(0.0, 0.6, 0.5, 0.4)),
        Zone("far", Polygon.rectangle(0.4, 0.0, 0.4, 0.3)),
        Zone("bay", Polygon.rectangle(0.1, 0.3, 0.8, 0.6), look="objects"),
    ),
    line=(Gate("middle", Line((0.0, 0.5), (1.0, 0.5))),),
)
"""Three zones, two of them classified in each frame, motion that is followed, and a line."""


class Timed:
    """A classifier that keeps how long its thread has computed."""

    def __init__(self, classifier: Classifier) -> None:
        """Begin at nothing."""
        self.card = classifier.card
        self.spent_s = 0.0
        self._classifier = classifier

    def probabilities(self, batch: NDArray) -> NDArray:
        """As the classifier's."""
        began = time.thread_time()
        try:
            return self._classifier.probabilities(batch)
        finally:
            self.spent_s += time.thread_time() - began

    def predictions(self, probabilities: NDArray) -> list[Prediction]:
        """As the classifier's."""
        return self._classifier.predictions(probabilities)


def event_cores(model: Path, clip: Path) -> float:
    """The share of one core that events take at 25 frames a second: where to look, motion, pictures of the zones and of what
    moves, tracks, states, lines of JSON; not decoding, not inference.
    """
    image.keep_opencv_to_one_thread()
    classifier = Timed(Classifier.load(model, device="cpu", threads=1))
    pipeline = Pipeline(classifier, regions=CAMERA.looks())  # type: ignore[arg-type]  # it has what a pipeline calls
    events = Events({"road": CAMERA.rules}, model=model.stem)
    spent_s, frames = 0.0, 0
    with edgecls.open_source(f"road={clip}") as source:
        for frame in source:
            began = time.thread_time()
            (result,) = pipeline.step([frame])
            for event in events.step(observe(result)):
                event_line(event)
            spent_s += time.thread_time() - began
            frames += 1
    return (spent_s - classifier.spent_s) / frames * FPS


class Stuck(Sink):
    """Takes nothing for `blocked_s`, or takes everything at once."""

    def __init__(self, blocked_s: float) -> None:
        """Be open."""
        self._blocked_s = blocked_s
        self._over = threading.Event()

    def write(self, result: Result) -> None:  # noqa: ARG002 - it has no use for it
        """Wait."""
        self._over.wait(self._blocked_s)

    def write_event(self, event: Event) -> None:  # noqa: ARG002
        """Wait."""
        self._over.wait(self._blocked_s)

    def stop(self) -> None:
        """End all waits."""
        self._over.set()

    def close(self) -> None:
        """Nothing is left."""
        self._over.set()


class SinkRun:
    """Runs of a clip with a buffered sink that gets each frame's result and an event, blocked or not."""

    def __init__(self, model: Path, clip: Path) -> None:
        """Keep what to run."""
        self._model, self._clip = model, clip
        self.age_ms: dict[float, float] = {}

    def fps(self, blocked_s: float) -> float:
        """Frames a second; the median age of a frame when all was written is kept in `age_ms`."""
        image.keep_opencv_to_one_thread()
        pipeline = Pipeline(Classifier.load(self._model, device="cpu"), frames=1)
        ages_ms, began = [], time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, edgecls.open_source(f"road={self._clip}") as source:
            spool = Spool(Path(folder) / "events.spool")
            with Buffered(Stuck(blocked_s), spool, name="stuck", close_wait_s=0.0) as sink:
                for result in pipeline.over(source):
                    sink.write(result)
                    sink.write_event(_event(result))
                    ages_ms.append((time.monotonic() - result.frame.captured_at) * 1e3)
                spent_s = time.perf_counter() - began
        self.age_ms[blocked_s] = statistics.median(ages_ms)
        return len(ages_ms) / spent_s


def _event(result: Result) -> Event:
    seen, prediction = observe(result), result.detections[0].prediction
    return edgecls.Event("state", seen.camera, "frame", prediction.label, prediction.score, seen.moment, seen.moment)
