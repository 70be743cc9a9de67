"""One source at full speed: frames per second, and what each stage takes of a frame."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from edgecls import metrics
from edgecls.bench.process import other_threads_s, rss_mb
from edgecls.errors import SourceError
from edgecls.regions.regions import Regions, whole_frame
from edgecls.run.pipeline import Pipeline
from edgecls.sink import JsonlSink
from edgecls.source import SOURCES, Merged, ReadingSettings, Source, recognize

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from edgecls.frame import Frame, Prediction
    from edgecls.model.answers import Answers
    from edgecls.model.classifier import Classifier

MOST_AT_ONCE = 8
"""The frames of one batch, as many as a pipeline takes by default."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one source was.

    Attributes:
        frames: The number of frames that were classified.
        fps: Frames per second.
        cores: Busy cores on average.
        rss_mb: Memory of the process in MB.
        stages_ms: The 50th, 95th and 99th percentile of each stage, in milliseconds of a clock on the wall.
        cpu_ms: CPU milliseconds per frame, by stage: `decode` is the decoder's own threads, `read` the thread that reads the
            source, `take` the handing over to the pipeline, `shrink` cutting and shrinking, `infer` the model with all its
            threads, `labels` what makes labels of its answers, `sink` writing a line. Their sum is all that the process takes.
            Where the system does not tell the CPU time of threads, `decode` includes the other threads of the model.
    """

    frames: int
    fps: float
    cores: float
    rss_mb: float
    stages_ms: Mapping[str, tuple[float, float, float]]
    cpu_ms: Mapping[str, float]


class Timed(Source):
    """Measures each read of a source, and ends it after some frames or seconds.

    A read is decoding for a file; for a camera it includes the wait for its next frame.
    """

    def __init__(self, source: Source, *, frames: int | None = None, seconds: float = math.inf) -> None:
        """Wrap an open source. The seconds count from the first read."""
        self.name = source.name
        self.read_ms: list[float] = []
        self.cpu_s = 0.0  # of the thread that reads
        self._source = source
        self._frames = frames
        self._seconds = seconds
        self._end = math.inf

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once the source is open
        """Whether the source is live."""
        return self._source.live

    def read(self) -> Frame | None:
        """Read a frame, and store how long it took; None after the last one that is wanted."""
        began = time.perf_counter()
        if not self.read_ms:
            self._end = began + self._seconds
        if began > self._end or len(self.read_ms) == self._frames:
            return None
        frame = self._source.read()
        if frame is not None:
            self.read_ms.append((time.perf_counter() - began) * 1e3)
        self.cpu_s = time.thread_time()
        return frame

    def stop(self) -> None:
        """Interrupt a wait."""
        self._source.stop()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class Clocked:
    """A classifier that measures the CPU time that its caller spends in the model, and in making labels of its answers."""

    def __init__(self, classifier: Classifier) -> None:
        """Wrap a classifier."""
        self.card = classifier.card
        self.infer_s = 0.0
        self.labels_s = 0.0
        self._classifier = classifier

    def answers(self, batch: NDArray[np.uint8]) -> Answers:
        """Run the model."""
        began = time.thread_time()
        found = self._classifier.answers(batch)
        self.infer_s += time.thread_time() - began
        return found

    def predictions(self, answers: Answers) -> list[Prediction]:
        """Turn answers into labels."""
        began = time.thread_time()
        found = self._classifier.predictions(answers)
        self.labels_s += time.thread_time() - began
        return found


def speed(
    classifier: Classifier, where: str, reading: ReadingSettings, seconds: float = math.inf, *,
    frames: int | None = None, regions: Regions = whole_frame,
) -> Speed:  # fmt: skip
    """Classify a source at full speed, as a run does: to its end, for `seconds`, or so many `frames`.

    Args:
        classifier: The model.
        where: The source, as `open_source` takes it.
        reading: How to read it.
        seconds: The longest duration.
        frames: The most frames.
        regions: Which parts of each frame are classified.

    Raises:
        SourceError: It gave no frame.
    """
    kind, target, name = recognize(where)
    timed = Timed(SOURCES[kind](target, name, reading, lambda _: None), frames=frames, seconds=seconds)
    clocked = Clocked(classifier)
    pipeline = Pipeline(cast("Classifier", clocked), regions=regions)
    stages: dict[str, list[float]] = {"decode": timed.read_ms, "shrink": [], "infer": [], "sink": [], "age": []}
    take_s = step_s = sink_s = 0.0
    pool = other_threads_s()
    with JsonlSink(os.devnull) as sink:
        began, cpu, mark = time.perf_counter(), time.process_time(), time.thread_time()
        with Merged([timed], say=lambda _: None) as source:
            while taken := source.take(MOST_AT_ONCE):
                now = time.thread_time()
                take_s += now - mark
                results = pipeline.step(taken)
                mark = time.thread_time()
                step_s += mark - now
                for result in results:
                    wrote = time.perf_counter()
                    sink.write(result)
                    stages["sink"].append((time.perf_counter() - wrote) * 1e3)
                    stages["shrink"].append(result.timing.fit_ms)
                    stages["infer"].append(result.timing.infer_ms)
                    stages["age"].append(result.timing.age_ms)
                now, before = time.thread_time(), mark
                mark = now
                sink_s += now - before
            spent, used = time.perf_counter() - began, time.process_time() - cpu
            memory = rss_mb()
    count = len(stages["sink"])
    if not count:
        raise SourceError(f"{where}: gave no frame" + ("" if seconds == math.inf else f" within {seconds:g} s"))
    after = other_threads_s()
    pool_s = sum(after[thread] - before for thread, before in pool.items() if thread in after)
    cpu_s = {
        "read": timed.cpu_s,
        "take": take_s,
        "shrink": step_s - clocked.infer_s - clocked.labels_s,
        "infer": clocked.infer_s + pool_s,
        "labels": clocked.labels_s,
        "sink": sink_s,
    }
    cpu_s = {"decode": max(0.0, used - sum(cpu_s.values())), **cpu_s}
    return Speed(
        count,
        fps=count / spent,
        cores=used / spent,
        rss_mb=memory,
        stages_ms={name: _percentiles(ms) for name, ms in stages.items()},
        cpu_ms={name: 1e3 * of_stage / count for name, of_stage in cpu_s.items()},
    )


def _percentiles(ms: list[float]) -> tuple[float, float, float]:
    return metrics.percentile(ms, 50), metrics.percentile(ms, 95), metrics.percentile(ms, 99)
