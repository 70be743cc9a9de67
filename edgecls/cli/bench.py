"""`edgecls bench`: measure speed and the number of cameras that this machine can handle."""

from __future__ import annotations

import dataclasses
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.messages import data, say, table
from edgecls.limits import MOST_THREADS
from edgecls.text.strict_json import dumps
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.bench import Parts, Speed, Trial


def bench(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    source: Annotated[str | None, typer.Option("--source", "-s", metavar="WHERE", help="A video to measure with. For a URL or camera, only the speed is measured. Default: a generated 1080p clip.")] = None,
    cameras: Annotated[int | None, typer.Option(min=1, metavar="N", help="Test exactly this many cameras. Default: find the maximum.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, metavar="S", help="Duration of each measurement.")] = 5.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, metavar="N", help="CPU threads per inference. Default: 1 for small inputs, else all cores.")] = None,
    decode: Annotated[str, typer.Option(metavar="WHERE", help="Where to decode, as in edgecls run.")] = "software",
    fast_decode: Annotated[bool, typer.Option("--fast-decode", help="Skip the loop filter of H.264 and HEVC.")] = False,
    keyframes: Annotated[bool, typer.Option("--keyframes", help="Decode only key frames.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:  # fmt: skip
    """Measure a run on this machine: time per stage, frames per second, what its parts alone allow, memory, and how many cameras it can handle."""
    from edgecls import bench as measure
    from edgecls import image
    from edgecls.model.classifier import Classifier
    from edgecls.source import ReadingSettings, recognize

    image.keep_opencv_to_one_thread()
    classifier = Classifier.load(model, device=device, threads=threads)
    reading = ReadingSettings(
        decode=decode,  # type: ignore[arg-type]  # ReadingSettings validates it
        fast_decode=fast_decode, keyframes=keyframes, give_up_after_s=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if source is None:
            say("generating a clip: 1920x1080, 25 frames per second, H.264, 4 Mbit/s")
        clip = source or str(measure.write_clip(Path(folder) / "clip.mp4"))
        kind = recognize(clip)[0]
        say(f"speed on {classifier.device}")
        speed = measure.speed(classifier, clip, reading, seconds)
        say("its parts alone")
        parts = measure.parts(classifier, clip, reading, seconds)

        def try_cameras(count: int) -> Trial:
            say(counted(count, "camera"))
            return measure.hold(classifier, clip, count, reading, seconds)

        trials: list[Trial] = []
        if kind == "video":
            trials = measure.most_held(try_cameras) if cameras is None else [try_cameras(cameras)]
        elif cameras is not None:
            say("--cameras needs a video file; for this source only the speed was measured")
    data(dumps(_record(speed, parts, trials, classifier.device)) if as_json else _text(speed, parts, trials))


def _record(speed: Speed, parts: Parts | None, trials: list[Trial], device: str) -> dict[str, Any]:
    return {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "device": device,
        "speed": dataclasses.asdict(speed),
        "parts": None if parts is None else {**dataclasses.asdict(parts), "fps": parts.fps, "share": speed.fps / parts.fps},
        "cameras_held": max((t.cameras for t in trials if t.held), default=0) if trials else None,
        "trials": [{**dataclasses.asdict(trial), "held": trial.held} for trial in trials],
    }  # fmt: skip


def _text(speed: Speed, parts: Parts | None, trials: list[Trial]) -> str:
    stages = [(name, *(f"{ms:.2f}" for ms in of_stage)) for name, of_stage in speed.stages_ms.items()]
    text = f"{speed.fps:.0f} frames per second on {speed.cores:.2f} cores, {speed.rss_mb:.0f} MB\n"
    if parts is not None:
        text += f"{speed.fps / parts.fps:.2f} of the {parts.fps:.0f} that its parts alone allow: decoding {parts.decode_fps:.0f} on "
        text += f"{parts.decode_cores:.2f} cores, one inference {parts.infer_ms:.2f} ms of CPU time on {counted(parts.cores, 'core')}\n"
    alone = {} if parts is None else parts.cpu_ms
    text += "\n" + table(("ms per frame", "p50", "p95", "p99"), stages)
    used = [(name, f"{ms:.2f}", f"{alone[name]:.2f}" if name in alone else "") for name, ms in speed.cpu_ms.items()]
    text += "\n\n" + table(("CPU ms per frame", "in the run", "alone"), used)
    if trials:
        rows = [
            (str(t.cameras), f"{t.fps:.1f}", f"{t.skipped:.1%}", f"{t.age_p50_ms:.1f}", f"{t.age_p99_ms:.1f}", f"{t.cores:.2f}",
             f"{t.rss_mb:.0f}", "yes" if t.held else "no")
            for t in trials
        ]  # fmt: skip
        header = ("cameras", "fps each", "skipped", "age p50 ms", "p99 ms", "cores", "MB", "held")
        text += "\n\n" + table(header, rows)
    return text
