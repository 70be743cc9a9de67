"""What cameras with two streams cost: 1080p main and 640x360 substream, watched at 10 frames per second, in a quiet scene.

    python -m scripts.bench_two_streams [--cameras 8] [--runs 3] [--seconds 20]

Each camera shows a still scene with sensor noise, through which one sign passes in 3 seconds of 24. All are served by real RTSP
servers on this machine, 25 frames per second for each stream. Every row is a process of its own, measured in turns:

packets    main streams that are only received and kept
small      substreams that are decoded, 10 frames per second, and nothing else
quiet      `edgecls.Run` with substreams: health, motion, tracks, events, while no sign is there
whole      the same over a whole round of the scene: each sign is found, and classified from the main stream
main       `edgecls.Run` at the main streams alone, as it is without substreams

The figures are CPU milliseconds per second and camera, medians of the runs. `cameras` is how many of them 2 cores would hold,
by CPU time; neighbours on the host make it less. `mb` is the memory of each further camera. Needs GStreamer's RTSP server (see
tests/live/rtsp.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgecls import Run, open_source, read_config
from edgecls.source import ReadingSettings
from edgecls.source.main_stream import MainStream
from scripts import gantry
from tests.live import rtsp

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.frame import Frame, Picture
    from edgecls.run.config import Config

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models" / "signs.onnx"
FPS, SECONDS, SHOWN_S, GOP = 25, 24, 3, 50
MAIN_HW, SUB_HW = (1080, 1920), (360, 640)
MAIN_BITS, SUB_BITS = 4_000_000, 400_000
SIGN, SIGN_PX, WAY_PX = "20", 120, 1100
SERVERS = 4
WARM_UP_S = 8.0
WATCHED_FPS = 10
SHOWN_FROM_S = 4
MODES = ("packets", "small", "quiet", "whole", "main")
CORES = 2


def main() -> int:
    """Measure all rows in turns, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each row is measured; `whole` takes a round")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--child", nargs=4, metavar=("MODE", "SECONDS", "COUNT", "URLS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        mode, seconds, count, urls = arguments.child
        print(json.dumps(measured(mode, float(seconds), int(count), json.loads(urls))))
        return 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = {}
        for name in sorted({"whole" if mode == "whole" else "quiet" for mode in arguments.modes}):
            (Path(folder) / name).mkdir()
            main_units, sub_units = draw(Path(folder) / name, with_sign=name == "whole")
            more = ["--gop", str(GOP), "--sub", str(sub_units), "--sub-fps", str(FPS), "--sub-gop", str(GOP)]
            servers = [stack.enter_context(rtsp.rtsp_server(main_units, fps=FPS, more=more)) for _ in range(SERVERS)]
            urls[name] = [(server.url, server.sub_url) for server in servers]
            print(
                f"{name}: {main_units.stat().st_size * 8e-6 / SECONDS:.1f} Mbit/s main, "
                f"{sub_units.stat().st_size * 8e-6 / SECONDS:.2f} Mbit/s sub",
                file=sys.stderr,
            )
        rows: dict[tuple[str, int], list[dict]] = {}
        few = max(1, arguments.cameras // 4)
        for _ in range(arguments.runs):
            for mode in arguments.modes:
                for count in (arguments.cameras, *([few] if mode in ("quiet", "main") else [])):
                    seconds = SECONDS if mode == "whole" else arguments.seconds
                    of_scene = urls["whole" if mode == "whole" else "quiet"]
                    rows.setdefault((mode, count), []).append(child(mode, seconds, count, of_scene))
    show(rows, arguments.cameras, few)
    return 0


def show(rows: dict[tuple[str, int], list[dict]], many: int, few: int) -> None:
    """Print the medians."""
    for (mode, count), found in rows.items():
        cpu = statistics.median(row["cpu_ms"] for row in found)
        line = {"mode": mode, "count": count, "cpu_ms": round(cpu, 1), "cameras": int(1000 * CORES / cpu)}
        other = rows.get((mode, few))
        if count == many and other and few < many:
            gained = statistics.median(row["mb"] for row in found) - statistics.median(row["mb"] for row in other)
            line["mb"] = round(gained / (many - few), 1)
        for name in ("frames", "sharp", "objects", "right", "cameras_with_one"):
            if name in found[0]:
                line[name] = [row[name] for row in found]
        print(json.dumps(line), flush=True)


def child(mode: str, seconds: float, count: int, urls: list) -> dict:
    """Measure a row in a process of its own."""
    command = [sys.executable, "-m", "scripts.bench_two_streams", "--child", mode, str(seconds), str(count), json.dumps(urls)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def measured(mode: str, seconds: float, count: int, urls: list[list[str]]) -> dict:
    """Return the figures of one row: CPU milliseconds per second and camera, memory in MB, and what was found."""
    places = {f"camera{i}": urls[i % len(urls)] for i in range(count)}
    with ExitStack() as stack:
        found: dict[str, int] = {"frames": 0}
        if mode == "packets":
            streams = [MainStream(url, name, ReadingSettings(keep_s=2.0), print) for name, (url, _) in places.items()]
            for stream in streams:
                stack.callback(stream.stop)
                stream.start()
            cpu_ms = spent_ms(lambda: time.sleep(0.1), seconds)
        elif mode == "small":
            where = [f"{name}={small}" for name, (_, small) in places.items()]
            source = stack.enter_context(open_source(*where, reading=ReadingSettings(fps=WATCHED_FPS), on_state=lambda _: None))
            cpu_ms = spent_ms(lambda: step(source.read(), found), seconds)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            run = stack.enter_context(Run(config(folder, places, is_main=mode == "main"), say=lambda _: None))
            events: list[Event] = []
            cpu_ms = spent_ms(lambda: follow(run, found, events), seconds)
            run.finish()
            if mode != "quiet":
                found |= count_objects([*events, *run.last_events])
        return {"cpu_ms": cpu_ms / count, "mb": rss_mb(), **found}


def spent_ms(call: Callable[[], object], seconds: float) -> float:
    """Return the CPU milliseconds per second of this process while it calls a function again and again, after a warm-up."""
    began = time.monotonic()
    while time.monotonic() - began < WARM_UP_S:
        call()
    began, used_s = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        call()
    return 1000 * (time.process_time() - used_s) / (time.monotonic() - began)


def step(frame: Frame | None, found: dict[str, int]) -> None:
    """Count a frame."""
    found["frames"] += frame is not None


def follow(run: Run, found: dict[str, int], events: list[Event]) -> None:
    """Take a result, and keep its events. Count those classified from a main frame."""
    result = run.read()
    if result is None:
        return
    events += run.write(result)
    found["frames"] += 1
    found["sharp"] = found.get("sharp", 0) + (result.frame.sharp is not None)


def count_objects(events: list[Event]) -> dict[str, int]:
    """Return how many objects have left, at how many cameras, and how many have the right label."""
    objects = [event for event in events if event.kind == "object" and event.end is not None]
    right = [event for event in objects if event.label == f"speed limit {SIGN}"]
    return {"objects": len(objects), "cameras_with_one": len({one.camera for one in right}), "right": len(right)}


def config(folder: Path, places: dict[str, list[str]], *, is_main: bool) -> Config:
    """Return the configuration of cameras that follow what moves."""
    lines = [f'model = "{MODEL}"', "quiet = true"]
    for name, (main, small) in places.items():
        lines += ["[[camera]]", f'name = "{name}"', f'source = "{main}"', *([] if is_main else [f'substream = "{small}"'])]
        lines += [f"reading.fps = {WATCHED_FPS}", "motion.around = 0"]
    path = folder / "cameras.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_config(path)


def rss_mb() -> float:
    """Return the memory of this process in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def draw(folder: Path, *, with_sign: bool = True) -> tuple[Path, Path]:
    """Write a round of the scene as both streams send it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 190, (MAIN_HW[0] // 40, MAIN_HW[1] // 40, 3)).astype(np.uint8)
    still = cv2.resize(coarse, MAIN_HW[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
    grain = [rng.normal(0, 2, (*MAIN_HW, 1)).astype(np.int16) for _ in range(7)]
    sign = cv2.resize(gantry.sign(SIGN), (SIGN_PX, SIGN_PX), interpolation=cv2.INTER_CUBIC)

    def picture(number: int) -> Picture:
        shown = still.copy()
        share = (number / FPS - SHOWN_FROM_S) / SHOWN_S
        if with_sign and 0 <= share < 1:
            left = 300 + round(share * WAY_PX)
            shown[400 : 400 + SIGN_PX, left : left + SIGN_PX] = sign
        return np.clip(shown + grain[number % len(grain)], 0, 255).astype(np.uint8)

    pictures = [picture(number) for number in range(FPS * SECONDS)]
    small = [cv2.resize(one, SUB_HW[::-1], interpolation=cv2.INTER_AREA) for one in pictures]
    main = rtsp.write_units(folder / "main.units", pictures, fps=FPS, gop=GOP, bits=MAIN_BITS)
    return main, rtsp.write_units(folder / "sub.units", small, fps=FPS, gop=GOP, bits=SUB_BITS)


if __name__ == "__main__":
    raise SystemExit(main())
