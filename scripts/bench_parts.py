"""The yardstick of a run: what its parts alone would allow, what each stage takes beyond them, and other programs beside it.

The sum of the parts is 1 / (1 / fps of decoding alone + CPU seconds of one inference / cores), see `edgecls.bench.parts`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls import Box, Classifier, Region, bench, image
from edgecls.source import ReadingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecls.frame import Frame

PLAIN = Path(__file__).parent / "bench_plain.py"
ZONE = Box(800, 400, 1100, 700)
STAGES = ("decode", "read", "take", "shrink", "infer", "labels", "sink")
GOALS = {"signs": 0.96, "rgb": 0.93}

versions: dict[str, str] = {}
"""What was measured, by the name of the peer."""


def turn(name: str, model: Path, clip: Path, frames: int) -> dict[str, float]:
    """Measure the parts of a run, and then the run.

    Args:
        name: What the names of the figures begin with.
        model: The model.
        clip: The video.
        frames: How many of its frames.

    Returns:
        Frames per second of decoding alone, of the sum of the parts and of the run; the run's share of the sum; the share of
        its CPU time that the parts alone take; the cores that decoding alone, the run and others had; and by stage the CPU
        milliseconds per frame alone and in the run.
    """
    image.keep_opencv_to_one_thread()
    classifier, reading = Classifier.load(model, device="cpu"), ReadingSettings()
    parts = bench.parts(classifier, str(clip), reading, frames=frames)
    if parts is None:
        raise RuntimeError(f"{clip}: no video file that FFmpeg decodes")
    busy, began, cpu = machine_s(), time.perf_counter(), time.process_time()
    speed = bench.speed(classifier, str(clip), reading, frames=frames)
    others = (machine_s() - busy - (time.process_time() - cpu)) / (time.perf_counter() - began)
    found = {
        "decode_fps": parts.decode_fps,
        "sum_fps": parts.fps,
        "fps": speed.fps,
        "share": speed.fps / parts.fps,
        "cpu_share": sum(parts.cpu_ms.values()) / sum(speed.cpu_ms.values()),
        "cpu_ms": sum(speed.cpu_ms.values()),
        "decode_cores": parts.decode_cores,
        "cores": speed.cores,
        "others_cores": max(0.0, others),
        **{f"{stage}_alone_ms": ms for stage, ms in parts.cpu_ms.items()},
        **{f"{stage}_ms": ms for stage, ms in speed.cpu_ms.items()},
    }
    return {f"{name}_{key}": value for key, value in found.items()}


def zone_ms(model: Path, clip: Path, frames: int) -> float:
    """Return the CPU milliseconds per frame that a zone of 300x300 takes beyond decoding and inference, in a run."""
    image.keep_opencv_to_one_thread()
    speed = bench.speed(Classifier.load(model, device="cpu"), str(clip), ReadingSettings(), frames=frames, regions=zone)
    return speed.cpu_ms["shrink"] + speed.cpu_ms["labels"]


def zone(_frame: Frame) -> Sequence[Region]:
    """Return a zone of 300x300."""
    return (Region("zone", ZONE),)


def machine_s() -> float:
    """Return the CPU seconds that the whole machine has spent, or that were taken from it; 0 where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq, steal, *_ = map(int, stat.read_text(encoding="ascii").split()[1:11])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def peer(name: str, python: str, runtime: str, model: Path, clip: Path, *, kind: str, frames: int) -> dict[str, float]:
    """Measure another program, see `bench_plain`. Returns the frames per second and the CPU milliseconds per frame, both named
    after it; stores its versions.
    """
    command = [python, PLAIN, runtime, model, clip, kind, str(frames)]
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, env=own)
    if done.returncode:
        raise RuntimeError(f"{name}: {' '.join(map(str, command))} ended with\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    versions[name] = found["versions"]
    return {f"{name}_fps": found["fps"], f"{name}_cpu_ms": found["cpu_ms"]}


def has(python: str, module: str) -> bool:
    """Whether there is such a Python, and it has a module."""
    try:
        return subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def say(name: str, rounds: Mapping[str, Sequence[float]]) -> None:
    """Print the yardstick of one run: medians of all turns, and the smallest and largest share."""
    of = {key.removeprefix(f"{name}_"): values for key, values in rounds.items() if key.startswith(f"{name}_")}
    if "share" not in of:
        return
    middle = {key: statistics.median(values) for key, values in of.items()}
    goal = f", goal {GOALS[name]}" if name in GOALS else ""
    print(
        f"\n{name}: {middle['fps']:.0f} frames a second, {middle['share']:.2f} of the sum of the parts "
        f"({min(of['share']):.2f} to {max(of['share']):.2f}{goal})\n"
        f"  the parts alone: decoding {middle['decode_fps']:.0f}, sum {middle['sum_fps']:.0f}; "
        f"they take {middle['cpu_share']:.2f} of the CPU time of the run\n"
        f"  busy cores: decoding alone {middle['decode_cores']:.2f}, the run {middle['cores']:.2f}, "
        f"others meanwhile {middle['others_cores']:.2f}\n"
        f"  CPU ms per frame {'alone':>8} {'run':>8} {'more':>8}"
    )
    more = {stage: middle[f"{stage}_ms"] - middle.get(f"{stage}_alone_ms", 0.0) for stage in STAGES}
    for stage in STAGES:
        print(f"  {stage:16} {middle.get(f'{stage}_alone_ms', 0.0):8.2f} {middle[f'{stage}_ms']:8.2f} {more[stage]:8.2f}")
    alone = sum(middle.get(f"{stage}_alone_ms", 0.0) for stage in STAGES)
    print(f"  {'together':16} {alone:8.2f} {alone + sum(more.values()):8.2f} {sum(more.values()):8.2f}")
