"""Benchmarks: ratios and medians of alternating runs, appended to scripts/bench.jsonl.

python scripts/bench.py [--runs 5] [--clip 1080p.mp4]

help_s         `edgecls --help`, the whole process
first_label_s  from the start of `edgecls run` to its first line, on a warm disk
import_s       `import edgecls.classifier, edgecls.run.source`, the whole process
file_fps       frames a second from a video file to labels, 640x360 H.264
decode_fps     of the 1080p clip (drawn here, H.264 as an IP camera sends it, unless --clip names one): PyAV alone, the limit
hd_fps         the same clip to labels;  hd_fast_fps with --fast-decode
plain_fps      the same clip and model in the loop that one would write: cv2 read, cvtColor, INTER_AREA, ONNX Runtime
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

import av
import cv2
import numpy as np
import onnxruntime

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


def file_fps(clip: Path, *, fast: bool = False) -> float:
    """Frames a second of the runtime on a file, measured inside one process."""
    classifier = edgecls.Classifier.load(MODEL, device="cpu")
    with edgecls.open_source(clip, reading=edgecls.Reading(fast_decode=fast)) as frames:
        began = time.perf_counter()
        count = sum(1 for result in edgecls.Pipeline(classifier).over(frames) if edgecls.to_line(result))
        return count / (time.perf_counter() - began)


def decode_fps(clip: Path) -> float:
    """Frames a second of PyAV alone, with the threads that edgecls gives it."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        began = time.perf_counter()
        count = sum(1 for _ in container.decode(stream))
        return count / (time.perf_counter() - began)


def plain_fps(clip: Path) -> float:
    """Frames a second of the loop that one would write with OpenCV and ONNX Runtime."""
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    capture = cv2.VideoCapture(str(clip))
    began, count = time.perf_counter(), 0
    while (read := capture.read())[0]:
        gray = cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)
        small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA)
        json.dumps(session.run(None, {"image": small[None, :, :, None]})[0].tolist())
        count += 1
    return count / (time.perf_counter() - began)


def write_hd_clip(clip: Path, hd: Path) -> None:
    """Write a clip again as an IP camera would send it: 1920x1080 H.264 main, 4 Mbit/s, no B-frames, a key frame every 2 s."""
    options = {"profile": "main", "preset": "veryfast", "bf": "0", "g": "50"}
    with av.open(str(clip)) as source, av.open(str(hd), "w") as target:
        stream = target.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1920, 1080, "yuv420p", 4_000_000
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame.reformat(1920, 1080)))
        target.mux(stream.encode(None))


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
    parser.add_argument("--clip", type=Path, help="a 1080p video to measure with")
    arguments = parser.parse_args()
    runs = arguments.runs
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "gantry.mp4"
        subprocess.run([sys.executable, ROOT / "scripts" / "gantry.py", "draw", clip, clip.with_suffix(".json")], check=True)
        hd = arguments.clip or clip.with_name("hd.mp4")
        if arguments.clip is None:
            write_hd_clip(clip, hd)
        measures = {
            "help_s": lambda: seconds_of(*EDGECLS, "--help"),
            "import_s": lambda: seconds_of(sys.executable, "-c", "import edgecls.classifier, edgecls.run.source"),
            "first_label_s": lambda: first_line_after(*EDGECLS, "run", "--model", str(MODEL), "--source", str(clip)),
            "file_fps": lambda: file_fps(clip),
            "decode_fps": lambda: decode_fps(hd),
            "hd_fps": lambda: file_fps(hd),
            "hd_fast_fps": lambda: file_fps(hd, fast=True),
            "plain_fps": lambda: plain_fps(hd),
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
    print(
        f"1080p to labels: {medians['hd_fps'] / medians['decode_fps']:.2f} of decoding alone "
        f"({medians['hd_fast_fps'] / medians['decode_fps']:.2f} with --fast-decode), "
        f"{medians['hd_fps'] / medians['plain_fps']:.1f} times the plain loop"
    )
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
