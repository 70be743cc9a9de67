"""What collecting costs: python scripts/bench_collect.py --clip CLIP [--model models/street.onnx] [--seconds 40] [--rounds 3].

CLIP, such as 1080p H.264 at 25 frames a second, is played like a camera, with and without the sink, in turns. Objects are
tracked and a zone is classified. Each store is empty at first, when most is kept. Prints as medians: the CPU time of the thread
of the sink as a share of a core, with its network loaded in that time; what the whole process takes more; and the ratio of the
99th percentiles of the age that a frame has when it has its labels. Differences need a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import Classifier, Pipeline, Polygon, Zone
from edgecls.regions.motion import MotionSettings
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.run.site import Site
from edgecls.sink import CollectSettings
from edgecls.sink.keeper_thread import WRITER
from edgecls.source import Merged, ReadingSettings, Source
from edgecls.source.pyav import PyAVSource

if TYPE_CHECKING:
    from edgecls.frame import Frame

CAMERA = Camera("road", "clip", zone=(Zone("near", Polygon.rectangle(0.2, 0.5, 0.5, 0.5)),), motion=MotionSettings())


class Played(Source):
    """A file that is played at the speed of its times, again and again, for some seconds."""

    def __init__(self, clip: Path, seconds: float) -> None:
        """Open the clip."""
        self.name, self.live = CAMERA.name, True
        self._clip, self._seconds = clip, seconds
        self._source = PyAVSource.video(str(clip), self.name, ReadingSettings())
        self._began = time.monotonic()
        self._index, self._before_s, self._last_s = 0, 0.0, 0.0

    def read(self) -> Frame | None:
        """Wait until the next frame is due."""
        frame = self._source.read()
        if frame is None:
            self._source.close()
            self._source = PyAVSource.video(str(self._clip), self.name, ReadingSettings())
            self._before_s = self._last_s + 0.04
            frame = self._source.read()
        if frame is None or frame.time_s + self._before_s > self._seconds:
            return None
        self._last_s = frame.time_s + self._before_s
        time.sleep(max(0.0, self._began + self._last_s - time.monotonic()))
        frame = frame.at(self._index, self._last_s, at_s=time.time())
        frame.captured_at = time.monotonic()
        self._index += 1
        return frame

    def close(self) -> None:
        """Close the clip."""
        self._source.close()


def played(clip: Path, model: Path, store: Path | None, seconds: float) -> dict[str, float]:
    """Return the CPU time of all and of the thread of the sink as shares of a core, and the age in ms (99th percentile)."""
    classifier = Classifier.load(model, device="cpu", threads=1)
    config = Config(str(model), (CAMERA,), quiet=True)
    if store is not None:
        config = replace(config, sink=(CollectSettings(str(store)),))
    ages = []
    source = Played(clip, seconds)
    with Merged([source], say=print) as frames, Site(config, frames, classifier=classifier, say=print) as site:
        pipeline = Pipeline(classifier, regions=site.regions, health=site.health)
        sinks, spent_s = list(site.sinks), 0.0
        began = time.process_time()
        for result in pipeline.over(frames):
            ages.append(result.timing.age_ms)
            site.write(result)
        site.finish()
        while any(sink.backlog.waiting for sink in sinks):
            time.sleep(0.01)
        spent_s = sum(thread_s(thread) for thread in threading.enumerate() if thread.name.startswith(WRITER))
        all_s = time.process_time() - began
    return {"cores": all_s / seconds, "sink": spent_s / seconds, "p99_ms": float(np.percentile(ages, 99))}


def thread_s(thread: threading.Thread) -> float:
    """Return the CPU time of a thread in seconds (Linux)."""
    fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the medians as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/street.onnx"))
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rounds = []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            plain, collecting = (
                played(given.clip, given.model, store, given.seconds) for store in (None, Path(folder, "store"))
            )
            kept = len(list(Path(folder, "store", "pictures").glob("*/*")))
        more = collecting["cores"] - plain["cores"]
        rounds.append((collecting["sink"], more, collecting["p99_ms"] / plain["p99_ms"], plain["cores"], kept))
    medians = [round(statistics.median(values), 4) for values in zip(*rounds, strict=True)]
    found = dict(zip(("thread_cores", "more_cores", "p99_age_ratio", "run_cores", "kept"), medians, strict=True))
    print(json.dumps({**found, "rounds": [[round(value, 4) for value in one] for one in rounds]}))


if __name__ == "__main__":
    main()
