"""Benchmarks: medians of alternating runs, and their ratios. Results are appended to scripts/bench.jsonl, or to --log.

python scripts/bench.py [--runs 5] [--frames 400] [--clip 1080p.mp4] [--only NAME...]
    [--opencv PYTHON] [--openvino PYTHON] [--ultralytics PYTHON] [--model yolo11n-cls.onnx]

start   help_s         `edgecls --help`, the whole process
        import_s       `import edgecls.model.classifier, edgecls.source.open`, the whole process
        libraries_s    `import numpy, cv2, onnxruntime, av`, the whole process: no run starts sooner
        first_label_s  from the start of `edgecls run` at a 1080p clip to its first line, on a warm disk
file    signs_*        the 1080p clip to labels of models/signs.onnx, beside the sum of its parts: frames per second of decoding
                       alone, of the sum, of the run; and CPU milliseconds per frame and stage (see scripts/bench_parts.py).
                       The clip is generated as H.264 like that of an IP camera, unless --clip is given
        decode_fast_fps, labels_fast_fps  both without the loop filter
        plain_fps      a simple loop with the float form of that model: cv2 read, cvtColor, INTER_AREA, ONNX Runtime;
                       plain_int8_fps with the same file; opencv_fps and openvino_fps the latter in another PYTHON
        vga_fps        a 640x360 clip to labels
rgb     rgb_*          the 1080p clip to labels of a 224x224 RGB classifier of the center of the picture, of 0.4 GFLOP in float,
                       drawn or of --model, beside the sum of its parts
        zone_ms        CPU milliseconds per frame that a zone of 300x300 takes beyond decoding and inference, same model
        plain_rgb_fps  a simple loop; plain_rgb_linear_fps without INTER_AREA; ultralytics_fps Ultralytics' streaming predict;
                       rgb_opencv_fps and rgb_openvino_fps the simple loop in another PYTHON
fit     fit_ms         1080p gray to 32x32 on one thread; area_ms with INTER_AREA; fit_rgb_ms a decoded 1080p frame to 224x224
                       RGB, fit_center_ms its center, fit_zone_ms a zone of 300x300; area_rgb_ms with conversion and INTER_AREA
events  event_cores    the share of one core that events of 1080p at 25 frames per second need beyond decoding and inference:
                       motion, three zones, a line (see scripts/bench_events.py)
        observe_and_write_us  to observe and write a frame with five zones; json_us the time for Python's json to read and write
                       the same line
        open_fps       the clip to labels and one event per frame, with a buffered sink; blocked_fps with a sink that is blocked
                       for 30 s; open_age_ms and blocked_age_ms the age of a frame after everything was written
memory  camera_mb      the memory of each further 1080p camera, by the difference of `edgecls run` with 6 and with 2
live    `edgecls run` on RTSP cameras served by this machine, 25 frames per second each: skipped frames, age of the labels,
        cores of the run and of the server, memory. Needs GStreamer's RTSP server (see tests/live/rtsp.py).
held    how many such cameras of 1080p can be served and run at once, with less than 1 % of their frames skipped, and how many
        decoding alone would allow, by its CPU time
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench_events
import bench_live
import bench_models
import bench_parts
import cv2
import numpy as np
from bench_clips import ROOT, Clips

import edgecls
from edgecls import Box, InputSpec, bench, image
from edgecls.export.adopt.adopt_model import adopt_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


SIGNS = ROOT / "models" / "signs.onnx"
EDGECLS = (sys.executable, "-m", "edgecls")
STREET = ROOT / "models" / "street.onnx"
GROUPS = ("start", "file", "rgb", "fit", "events", "memory", "live", "held")

Measures = dict[str, "Callable[[], float | dict[str, float]]"]


def main() -> int:
    """Run the selected benchmarks in turns, print the medians, and append them to the log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clip", type=Path, help="a 1080p H.264 video to measure with")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument(
        "--ultralytics", default=sys.executable, metavar="PYTHON", help="a Python with Ultralytics and ONNX Runtime"
    )
    parser.add_argument("--opencv", default="", metavar="PYTHON", help="a Python with another OpenCV and ONNX Runtime")
    parser.add_argument("--openvino", default="", metavar="PYTHON", help="a Python with OpenVINO and OpenCV")
    parser.add_argument("--model", type=Path, help="a 224x224 classifier as Ultralytics exports it to ONNX, for `rgb`")
    parser.add_argument("--frames", type=int, default=400, help="how many frames of a clip are measured")
    parser.add_argument("--log", type=Path, default=ROOT / "scripts" / "bench.jsonl", help="where a line of JSON is appended")
    arguments = parser.parse_args()
    pythons = {name: getattr(arguments, name) for name in ("ultralytics", "opencv", "openvino")}
    peers = Peers(arguments.frames, **pythons, model=arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        clips = Clips(Path(folder), arguments.clip)
        measures: Measures = {}
        groups = {"start": start, "file": file, "rgb": rgb, "fit": fit, "events": events, "memory": memory}
        for name, make in groups.items():
            if name in arguments.only:
                measures |= make(clips, peers)
        rounds = in_turns(measures, arguments.runs)
        medians = {name: round(statistics.median(values), 3) for name, values in rounds.items()}
        say_medians(rounds, medians)
        rows = list(bench_live.live(clips)) if "live" in arguments.only else []
        held = bench_live.most_held(clips) if "held" in arguments.only else {}
    line: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "runs": arguments.runs,
        **medians,
        **held,
    }
    if bench_parts.versions:
        line["versions"] = bench_parts.versions
    if rows:
        line["live"] = rows
    if held:
        print(
            f"{held['held_cameras']} cameras of 1080p at 25 frames a second are held, goal 12 on 2 cores; "
            f"by CPU time decoding alone would allow {held['decoded_cameras']:.1f}"
        )
    with arguments.log.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
    return 0


@dataclass(frozen=True, slots=True)
class Peers:
    """Other programs to measure beside edgecls, each by the Python that has it; "" is none.

    Attributes:
        frames: How many frames of a clip are measured.
        ultralytics: Has Ultralytics.
        opencv: Has another OpenCV, and ONNX Runtime.
        openvino: Has OpenVINO, and OpenCV.
        model: A colour classifier as Ultralytics exports it; None: a drawn one.
    """

    frames: int
    ultralytics: str = ""
    opencv: str = ""
    openvino: str = ""
    model: Path | None = None

    def measures(self, prefix: str, model: Path, clip: Path, kind: str) -> Measures:
        """Return the loops with another OpenCV and with OpenVINO."""
        found: Measures = {}
        for name, python, runtime in (("opencv", self.opencv, "onnxruntime"), ("openvino", self.openvino, "openvino")):
            if python:
                key = f"{prefix}{name}"
                found[key] = partial(bench_parts.peer, key, python, runtime, model, clip, kind=kind, frames=self.frames)
        return found


def start(clips: Clips, _peers: Peers) -> Measures:
    """Start-up times."""
    run = (*EDGECLS, "run", "--model", str(SIGNS), "--source", str(clips.hd))
    imported = (sys.executable, "-c", "import edgecls.model.classifier, edgecls.source.open")
    libraries = (sys.executable, "-c", "import numpy, cv2, onnxruntime, av")
    compiled = bench_live.installed(clips.folder)
    return {
        "help_s": lambda: seconds_of(*EDGECLS, "--help", env=compiled),
        "import_s": lambda: seconds_of(*imported, env=compiled),
        "libraries_s": lambda: seconds_of(*libraries, env=compiled),
        "first_label_s": lambda: first_line_after(*run, env=compiled),
    }


def file(clips: Clips, peers: Peers) -> Measures:
    """A gray model on video files."""
    floats = bench_models.write_float(SIGNS, clips.folder / "signs-float.onnx")
    hd, vga, frames = clips.hd, clips.vga, peers.frames
    measures: Measures = {
        "signs": lambda: bench_parts.turn("signs", SIGNS, hd, frames),
        "decode_fast_fps": lambda: decode_fps(hd, frames, fast=True),
        "labels_fast_fps": lambda: labels_fps(SIGNS, hd, frames, fast=True),
        "plain": lambda: plain("plain", floats, hd, "gray", frames),
        "plain_int8": lambda: plain("plain_int8", SIGNS, hd, "gray", frames),
        "vga_fps": lambda: labels_fps(SIGNS, vga, 2 * frames),
    }
    return measures | peers.measures("", SIGNS, hd, "gray")


def rgb(clips: Clips, peers: Peers) -> Measures:
    """A colour model of 224x224 that sees the center of a picture."""
    ours, theirs = clips.folder / "large.onnx", peers.model or clips.folder / "plain.onnx"
    if peers.model is None:
        bench_models.write_large(ours, theirs)
    else:
        adopt_model(str(theirs), str(ours))
    hd, frames = clips.hd, peers.frames
    measures: Measures = {
        "rgb": lambda: bench_parts.turn("rgb", ours, hd, frames),
        "zone_ms": lambda: bench_parts.zone_ms(ours, hd, frames),
        "plain_rgb": lambda: plain("plain_rgb", theirs, hd, "crop", frames),
        "plain_rgb_linear": lambda: plain("plain_rgb_linear", theirs, hd, "linear", frames),
    }
    if bench_parts.has(peers.ultralytics, "ultralytics"):
        measures["ultralytics"] = lambda: bench_parts.peer(
            "ultralytics", peers.ultralytics, "ultralytics", theirs, hd, kind="crop", frames=frames
        )
    return measures | peers.measures("rgb_", theirs, hd, "crop")


def fit(clips: Clips, _peers: Peers) -> Measures:
    """Scaling of a frame to the input size of a model."""
    gray = np.random.default_rng(0).integers(0, 256, (1080, 1920), np.uint8)
    with edgecls.open_source(clips.hd) as source:
        frame = source.read()
    if frame is None:
        raise RuntimeError("the clip is empty")
    whole = Box(0, 0, frame.size_hw[1], frame.size_hw[0])
    large = InputSpec(bench_models.SIDE, bench_models.SIDE, "rgb")
    center = replace(large, fit="center-crop")
    size = (large.width, large.height)

    def ms_of(call: Callable[[edgecls.Frame], object]) -> float:
        """Measure a call on one thread, each time of a frame whose colour nobody has asked for."""
        image.keep_opencv_to_one_thread()
        return milliseconds_of(lambda: call(frame.at(frame.index, frame.time_s)))

    return {
        "fit_ms": lambda: ms_of(lambda _: image.fit(gray, InputSpec())),
        "area_ms": lambda: ms_of(lambda _: cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA)),
        "fit_rgb_ms": lambda: ms_of(lambda fresh: image.fit_region(fresh, whole, large)),
        "fit_center_ms": lambda: ms_of(lambda fresh: image.fit_region(fresh, whole, center)),
        "fit_zone_ms": lambda: ms_of(lambda fresh: image.fit_region(fresh, bench_parts.ZONE, large)),
        "area_rgb_ms": lambda: ms_of(lambda fresh: cv2.resize(fresh.bgr(), size, interpolation=cv2.INTER_AREA)),
    }


def events(clips: Clips, _peers: Peers) -> Measures:
    """Events and sinks."""
    hd, run = clips.hd, bench_events.SinkRun(SIGNS, clips.hd)
    return {
        "event_cores": lambda: bench_events.event_cores(STREET, hd),
        "observe_and_write_us": bench_events.observe_and_write_us,
        "json_us": bench_events.json_us,
        "open_fps": lambda: run.fps(0.0),
        "open_age_ms": lambda: run.age_ms[0.0],
        "blocked_fps": lambda: run.fps(bench_events.BLOCKED_S),
        "blocked_age_ms": lambda: run.age_ms[bench_events.BLOCKED_S],
    }


def in_turns(measures: Measures, runs: int) -> dict[str, list[float]]:
    """Return the values of each benchmark, one for each turn. A benchmark may give several values by name.

    The first turn only warms the caches. Ctrl-C ends after the turns that are whole.
    """
    turns: list[dict[str, float]] = []
    for turn in range(runs + 1):
        print(f"turn {turn} of {runs}", file=sys.stderr, flush=True)
        found: dict[str, float] = {}
        try:
            for name, measure in measures.items():
                value = measure()
                found |= value if isinstance(value, dict) else {name: value}
        except KeyboardInterrupt:
            if len(turns) < 2:
                raise
            print(f"interrupted: medians of {len(turns) - 1}", file=sys.stderr)
            break
        turns.append(found)
    return {name: [values[name] for values in turns[1:]] for name in turns[0]}


RATIOS = (
    ("signs_fps", "signs_decode_fps", "of decoding alone"),
    ("first_label_s", "libraries_s", "times the import of the libraries until the first label, goal 0.3 s"),
    ("labels_fast_fps", "signs_decode_fps", "of decoding alone, with --fast-decode"),
    ("signs_fps", "plain_fps", "times the plain loop in float"),
    ("signs_fps", "plain_int8_fps", "times the plain loop with the same file"),
    ("signs_fps", "opencv_fps", "times the plain loop with the same file"),
    ("signs_fps", "openvino_fps", "times the plain loop with the same file"),
    ("rgb_fps", "plain_rgb_fps", "times the plain loop, 224x224 RGB, goal 1.5"),
    ("rgb_fps", "plain_rgb_linear_fps", "times the plain loop without INTER_AREA, 224x224 RGB"),
    ("rgb_fps", "rgb_opencv_fps", "times the plain loop, 224x224 RGB, goal 1.5"),
    ("rgb_fps", "rgb_openvino_fps", "times the plain loop, 224x224 RGB"),
    ("rgb_fps", "ultralytics_fps", "times Ultralytics, 224x224 RGB, goal 3"),
    ("blocked_fps", "open_fps", "of the speed while a sink is blocked"),
    ("observe_and_write_us", "json_us", "of json's time for the line: observe and write, five zones"),
    ("blocked_age_ms", "open_age_ms", "of the age while a sink is blocked"),
)


def say_medians(rounds: Mapping[str, Sequence[float]], medians: Mapping[str, float]) -> None:
    """Print the medians, the yardstick of each run, and the medians of the ratios of each turn."""
    for name, value in medians.items():
        if not name.startswith(("signs_", "rgb_")) or name.endswith(("_fps", "_cpu_ms")):
            print(f"{name:20} {value}")
    for name in ("signs", "rgb"):
        bench_parts.say(name, rounds)
    if "zone_ms" in medians:
        print(f"\nzone: {medians['zone_ms']:.2f} CPU ms a frame beyond decoding and inference, 300x300 in colour, goal 0.25")
    print()
    for name, other, text in RATIOS:
        if name in rounds and other in rounds:
            peer = other.removesuffix("_fps")
            with_what = f" ({bench_parts.versions[peer]})" if peer in bench_parts.versions else ""
            own, its = rounds.get(f"{name.removesuffix('_fps')}_cpu_ms"), rounds.get(f"{peer}_cpu_ms")
            cpu = f", with {_ratio(own, its):.2f} of its CPU time" if own and its else ""
            print(f"{_ratio(rounds[name], rounds[other]):.2f} {text}{cpu}{with_what}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    sys.stdout.flush()


def _ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios of each turn."""
    return statistics.median(one / other for one, other in zip(values, others, strict=True))


def memory(clips: Clips, _peers: Peers) -> Measures:
    """The memory of each further camera."""
    return {"camera_mb": lambda: bench_live.camera_mb(clips)}


def seconds_of(*command: str, env: Mapping[str, str]) -> float:
    """Return the duration of a process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - began


def first_line_after(*command: str, env: Mapping[str, str]) -> float:
    """Return the time from the start of a process to its first line, and then end it."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env) as process:
        line = process.stdout.readline() if process.stdout else b""
        spent = time.perf_counter() - began
        process.terminate()
    if not line:
        raise RuntimeError(f"no line came from {' '.join(command)}")
    return spent


def labels_fps(model: Path, clip: Path, frames: int, *, fast: bool = False) -> float:
    """Frames a second of a run on a file, inside one process that is set up as `edgecls run` does it."""
    image.keep_opencv_to_one_thread()
    classifier = edgecls.Classifier.load(model, device="cpu")
    return bench.speed(classifier, str(clip), edgecls.ReadingSettings(fast_decode=fast), frames=frames).fps


def decode_fps(clip: Path, frames: int, *, fast: bool = False) -> float:
    """Frames a second of decoding alone, with the threads that edgecls gives it."""
    return bench.decode_fps(str(clip), edgecls.ReadingSettings(fast_decode=fast), frames=frames)


def plain(name: str, model: Path, clip: Path, kind: str, frames: int) -> dict[str, float]:
    """Measure the loop that one would write, with the installed OpenCV and ONNX Runtime."""
    return bench_parts.peer(name, sys.executable, "onnxruntime", model, clip, kind=kind, frames=frames)


def milliseconds_of(call: Callable[[], object], times: int = 50) -> float:
    """Return the median duration of a call."""
    spans = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        spans.append((time.perf_counter() - began) * 1e3)
    return statistics.median(spans)


if __name__ == "__main__":
    sys.exit(main())
