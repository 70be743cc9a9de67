"""The cost of events and outputs, for `scripts/bench`: everything in a run except decoding and inference."""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import edgecls
from edgecls import Classifier, CountingLine, Events, Line, Pipeline, Polygon, Sink, Zone, image, observe
from edgecls.frame import Box, Detection, Prediction, Result, Timing
from edgecls.labels.json_lines import event_line, to_line
from edgecls.run.camera import Camera
from edgecls.sink import Spool, Spooled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgecls import Event
    from edgecls.model.answers import Answers

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
    line=(CountingLine("middle", Line((0.0, 0.5), (1.0, 0.5))),),
)
"""Three zones, two of which are classified in every frame, tracked motion, and a line."""


class Timed:
    """A classifier that measures its CPU time."""

    def __init__(self, classifier: Classifier) -> None:
        """Start at zero."""
        self.card = classifier.card
        self.spent_s = 0.0
        self._classifier = classifier

    def answers(self, batch: NDArray) -> Answers:
        """Call the classifier and add its CPU time."""
        began = time.thread_time()
        try:
            return self._classifier.answers(batch)
        finally:
            self.spent_s += time.thread_time() - began

    def predictions(self, answers: Answers) -> list[Prediction]:
        """Call the classifier."""
        return self._classifier.predictions(answers)


def event_cores(model: Path, clip: Path) -> float:
    """Return the share of one core that events need at 25 frames per second.

    This includes regions, motion, crops, tracks, states and JSON lines, but neither decoding nor inference.
    """
    image.keep_opencv_to_one_thread()
    classifier = Timed(Classifier.load(model, device="cpu", threads=1))
    pipeline = Pipeline(classifier, regions=CAMERA.regions())  # type: ignore[arg-type]  # it has the methods that a pipeline uses
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


def observe_and_write_us() -> float:
    """Return the microseconds to observe a frame with five zones and three classes and to write it as a line."""
    result = _five_zones()
    return _best_us(lambda: (observe(result), to_line(result)))


def json_us() -> float:
    """Return the microseconds in which Python's json reads and writes that line: the reference on any machine."""
    record = json.loads(line := to_line(_five_zones()))
    return _best_us(lambda: (json.loads(line), json.dumps(record)))


def _five_zones() -> Result:
    top = (("vehicle", 0.812345678), ("person", 0.1012345), ("background", 0.08))
    found = tuple(
        Detection(Box(10 * i, 20, 10 * i + 50, 90), Prediction("vehicle", top[0][1], 0, top), f"zone{i}") for i in range(5)
    )
    frame = image.as_frame(np.zeros((432, 768, 3), np.uint8), "road", 123, time_s=4.9234567, captured_at=1.0)
    return Result(frame, found, Timing(0.1, 0.2, 3.14159))


def _best_us(work: Callable[[], object]) -> float:
    """Return the smallest mean of many short runs, in microseconds of CPU time."""
    spent_s = []
    for _ in range(60):
        began = time.thread_time()
        for _ in range(200):
            work()
        spent_s.append(time.thread_time() - began)
    return min(spent_s) / 200 * 1e6


class Stuck(Sink):
    """A sink that blocks for `blocked_s` seconds."""

    def __init__(self, blocked_s: float) -> None:
        """Open the sink."""
        self._blocked_s = blocked_s
        self._over = threading.Event()

    def write(self, result: Result) -> None:  # noqa: ARG002 - unused
        """Wait."""
        self._over.wait(self._blocked_s)

    def write_event(self, event: Event) -> None:  # noqa: ARG002
        """Wait."""
        self._over.wait(self._blocked_s)

    def stop(self) -> None:
        """End all waits."""
        self._over.set()

    def close(self) -> None:
        """Close the sink."""
        self._over.set()


class SinkRun:
    """Runs of a clip with a buffered sink, blocked or not, that gets a result and an event per frame."""

    def __init__(self, model: Path, clip: Path) -> None:
        """Store model and clip."""
        self._model, self._clip = model, clip
        self.age_ms: dict[float, float] = {}

    def fps(self, blocked_s: float) -> float:
        """Return the frames per second, and store the median age of a written frame in `age_ms`."""
        image.keep_opencv_to_one_thread()
        pipeline = Pipeline(Classifier.load(self._model, device="cpu"), frames=1)
        ages_ms, began = [], time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, edgecls.open_source(f"road={self._clip}") as source:
            spool = Spool(Path(folder) / "events.spool")
            with Spooled(Stuck(blocked_s), spool, name="stuck", close_wait_s=0.0) as sink:
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
