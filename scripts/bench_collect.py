"""What collecting costs: python scripts/bench_collect.py --clip CLIP [--model models/street.onnx] [--seconds 40] [--rounds 3].

CLIP, such as 1080p H.264 at 25 frames a second, is played like a camera, with and without the sink, in turns. Objects are
tracked and a zone is classified. Each store is empty at first, when most is kept. Prints the CPU time that the sink takes
beside the run, as a share of a core, and the 99th percentile of the age of a frame when it has its labels, both as medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
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
    """Return the CPU time as a share of a core, the age in ms (99th percentile), and how many frames were skipped."""
    classifier = Classifier.load(model, device="cpu", threads=1)
    config = Config(str(model), (CAMERA,), quiet=True)
    if store is not None:
        config = replace(config, sink=(CollectSettings(str(store)),))
    ages = []
    source = Played(clip, seconds)
    with Merged([source], say=print) as frames, Site(config, frames, classifier=classifier) as site:
        pipeline = Pipeline(classifier, regions=site.regions, health=site.health)
        began = time.process_time()
        for result in pipeline.over(frames):
            ages.append(result.timing.age_ms)
            site.write(result)
        site.finish()
        skipped = frames.skipped
    spent_s = time.process_time() - began  # the sink has stored everything
    return {"cores": spent_s / seconds, "p99_ms": float(np.percentile(ages, 99)), "skipped": skipped}


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
        rounds.append((collecting["cores"] - plain["cores"], collecting["p99_ms"] / plain["p99_ms"], plain["cores"], kept))
    cores, age, run, kept = (statistics.median(values) for values in zip(*rounds, strict=True))
    found = {"collecting_cores": round(cores, 4), "p99_age_ratio": round(age, 3), "run_cores": round(run, 3), "kept": kept}
    print(json.dumps({**found, "rounds": [[round(value, 4) for value in one] for one in rounds]}))


if __name__ == "__main__":
    main()
