"""Benchmarks: ratios and medians of alternating runs, appended to scripts/bench.jsonl.

python scripts/bench.py [--runs 5]

help_s         `edgecls --help`, the whole process
first_label_s  from the start of `edgecls run` to its first line, on a warm disk
import_s       `import edgecls.classifier, edgecls.run.source`, the whole process
file_fps       frames a second from a video file to labels, 640x360 H.264
shrink_ms      1080p gray to 32x32, beside area_ms by INTER_AREA
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

import edgecls
from edgecls import InputSpec, image

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models" / "signs.onnx"
EDGECLS = (sys.executable, "-m", "edgecls")


def seconds_of(*command: str) -> float:
    """The time of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def first_line_after(*command: str) -> float:
    """The time from the start of a process to its first line; it is ended then."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = process.stdout.readline() if process.stdout else b""
        spent = time.perf_counter() - began
        process.terminate()
    if not line:
        raise RuntimeError(f"no line came from {' '.join(command)}")
    return spent


def file_fps(clip: Path) -> float:
    """Frames a second of the runtime on a file, measured inside one process."""
    classifier = edgecls.Classifier.load(MODEL, device="cpu")
    with edgecls.open_source(clip) as frames:
        began = time.perf_counter()
        count = sum(1 for _ in edgecls.Pipeline(classifier).over(frames))
        return count / (time.perf_counter() - began)


def milliseconds_of(call: Callable[[], object], times: int = 50) -> float:
    """The median of one call."""
    spans = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        spans.append((time.perf_counter() - began) * 1e3)
    return statistics.median(spans)


def main() -> int:
    """Run everything in turns, print the medians, append them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "gantry.mp4"
        subprocess.run([sys.executable, ROOT / "scripts" / "gantry.py", "draw", clip, clip.with_suffix(".json")], check=True)
        measures = {
            "help_s": lambda: seconds_of(*EDGECLS, "--help"),
            "import_s": lambda: seconds_of(sys.executable, "-c", "import edgecls.classifier, edgecls.run.source"),
            "first_label_s": lambda: first_line_after(*EDGECLS, "run", "--model", str(MODEL), "--source", str(clip)),
            "file_fps": lambda: file_fps(clip),
        }
        frame = np.random.default_rng(0).integers(0, 256, (1080, 1920), np.uint8)
        measures["shrink_ms"] = lambda: milliseconds_of(lambda: image.fit(frame, InputSpec()))
        measures["area_ms"] = lambda: milliseconds_of(lambda: cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA))
        times: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(runs + 1):  # the first warms the disk
            for name, measure in measures.items():
                times[name].append(measure())
    medians = {name: round(statistics.median(values[1:]), 3) for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:14} {value}")
    line = {
        "at": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "runs": runs,
        **medians,
    }
    with (ROOT / "scripts" / "bench.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
