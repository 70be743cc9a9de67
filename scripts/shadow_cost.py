"""What a shadow model costs: python scripts/shadow_cost.py CLIP [--model models/street.onnx].

CLIP is read as fast as possible by whole runs that follow moving objects and classify a zone: without a shadow, with one that
sees a tenth of the frames, one that sees all, and the latter with a store for disagreements. They take turns; each round gives
the CPU time of the process with a shadow as a ratio of that without one. The shadow is the same network with its labels
exchanged, so it costs as much as the model and disagrees with it everywhere. Prints a line of JSON with the medians.
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

import onnx

from edgecls import Classifier, Polygon, Run, ShadowSettings, Zone
from edgecls.export.convert import stamp
from edgecls.regions.motion import MotionSettings
from edgecls.run.camera import Camera
from edgecls.run.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

ZONE = Zone("near", Polygon.rectangle(0.2, 0.5, 0.5, 0.5))
NAMES = ("none", "a tenth", "all", "all, with a store")


def spent_s(config: Config, frames: int) -> tuple[float, float, int]:
    """Return the CPU time of the first frames of a run and of its shadow, in seconds, and the number of frames."""
    shadow_ms, seen = 0.0, 0
    with Run(config, say=lambda _line: None) as run:
        began = time.process_time()
        for result, _ in run:
            shadow_ms += result.timing.shadow_ms or 0.0
            seen += 1
            if seen == frames:
                break
        return time.process_time() - began, shadow_ms / 1e3, seen


def exchanged(model: Path) -> bytes:
    """Return the bytes of a model with the same answers under other labels."""
    card = Classifier.load(model).card
    return stamp(onnx.load(model), replace(card, labels=(*card.labels[1:], card.labels[0])))


def measured(clip: Path, model: Path, *, frames: int, rounds: int) -> dict[str, float]:
    """Return the medians over the rounds: milliseconds of CPU a frame without a shadow, and the ratios with one."""
    cameras = (Camera("road", str(clip), zone=(ZONE,), motion=MotionSettings()),)
    rows: list[Sequence[float]] = []
    own: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            shadow = str(Path(folder, "shadow.onnx"))
            Path(shadow).write_bytes(exchanged(model))
            shadows = [
                None,
                ShadowSettings(shadow),
                ShadowSettings(shadow, share=1.0),
                ShadowSettings(shadow, share=1.0, store=str(Path(folder, "store"))),
            ]
            runs = [spent_s(Config(str(model), cameras, shadow=one), frames) for one in shadows]
        plain, _, seen = runs[0]
        rows.append([1e3 * plain / seen, *(spent / plain for spent, _, _ in runs[1:])])
        own.append(1e3 * runs[2][1] / seen)
    medians = [round(statistics.median(column), 3) for column in zip(*rows, strict=True)]
    return dict(zip(("ms_a_frame", *NAMES[1:]), medians, strict=True)) | {"shadow_ms": round(statistics.median(own), 3)}


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", type=Path, default=Path("models/street.onnx"))
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(json.dumps(measured(given.clip, given.model, frames=given.frames, rounds=given.rounds)))


if __name__ == "__main__":
    main()
