"""`edgecls bench`: how fast a run is on this machine, and how many cameras it holds."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.talk import data, say, table

if TYPE_CHECKING:
    from edgecls.run.bench import Speed, Trial


def bench(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    source: Annotated[str | None, typer.Option("--source", "-s", metavar="WHERE", help="A video to measure with, or a URL or camera, of which the speed alone is measured; left out: a 1080p clip is drawn.")] = None,
    cameras: Annotated[int | None, typer.Option(min=1, metavar="N", help="Try this many cameras alone; left out: find the most that are held.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, metavar="S", help="How long each measurement lasts.")] = 5.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads of one inference; left out: 1 for small pictures, else all cores.")] = None,
    fast_decode: Annotated[bool, typer.Option("--fast-decode", help="Leave out the loop filter of H.264 and HEVC.")] = False,
    keyframes: Annotated[bool, typer.Option("--keyframes", help="Decode key frames only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:  # fmt: skip
    """Measure a run here: each stage, frames a second, cores and memory, and how many cameras are held."""
    from edgecls import image
    from edgecls.classifier import Classifier
    from edgecls.run import bench as measure
    from edgecls.run.source import Reading, recognize

    image.keep_opencv_to_one_thread()
    classifier = Classifier.load(model, device=device, threads=threads)
    reading = Reading(fast_decode=fast_decode, keyframes=keyframes, give_up_after_s=0)
    with tempfile.TemporaryDirectory() as folder:
        if source is None:
            say("drawing a clip: 1920x1080, 25 frames a second, H.264, 4 Mbit/s")
        clip = source or str(measure.write_clip(Path(folder) / "clip.mp4"))
        kind = recognize(clip)[0]
        say(f"speed on {classifier.device}")
        speed = measure.speed(classifier, clip, reading, seconds)

        def try_so_many(count: int) -> Trial:
            say(f"{count} camera{'s' if count > 1 else ''}")
            return measure.hold(classifier, clip, count, reading, seconds)

        trials: list[Trial] = []
        if kind == "video":
            trials = measure.most_held(try_so_many) if cameras is None else [try_so_many(cameras)]
        elif cameras is not None:
            say("cameras are tried with a video file; of this source the speed alone was measured")
    data(json.dumps(_record(speed, trials, classifier.device)) if as_json else _text(speed, trials))


def _record(speed: Speed, trials: list[Trial], device: str) -> dict[str, Any]:
    return {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "device": device,
        "speed": dataclasses.asdict(speed),
        "cameras_held": max((t.cameras for t in trials if t.held), default=0) if trials else None,
        "trials": [{**dataclasses.asdict(trial), "held": trial.held} for trial in trials],
    }  # fmt: skip


def _text(speed: Speed, trials: list[Trial]) -> str:
    stages = [(name, *(f"{ms:.2f}" for ms in of_stage)) for name, of_stage in speed.stages_ms.items()]
    text = f"{speed.fps:.0f} frames a second on {speed.cores:.2f} cores, {speed.rss_mb:.0f} MB\n\n"
    text += table(("ms a frame", "p50", "p95", "p99"), stages)
    if trials:
        rows = [
            (str(t.cameras), f"{t.fps:.1f}", f"{t.skipped:.1%}", f"{t.age_p50_ms:.1f}", f"{t.age_p99_ms:.1f}", f"{t.cores:.2f}",
             f"{t.rss_mb:.0f}", "yes" if t.held else "no")
            for t in trials
        ]  # fmt: skip
        header = ("cameras", "fps each", "skipped", "age p50 ms", "p99 ms", "cores", "MB", "held")
        text += "\n\n" + table(header, rows)
    return text
