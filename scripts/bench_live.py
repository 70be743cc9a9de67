"""`edgecls run` on RTSP cameras that this machine serves, 25 frames per second each.

Needs GStreamer's RTSP server (see tests/live/rtsp.py).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_clips import KEY_FRAME_EVERY, ROOT, Clips

from edgecls import bench, metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from tests.live.rtsp import RtspServer

SIGNS = ROOT / "models" / "signs.onnx"
EDGECLS = (sys.executable, "-m", "edgecls")
WARM_UP_S = 6.0  # enough for cameras to connect and decoders to see a key frame
LIVE_S = 20.0
SERVERS = 8
FEW, MANY = 2, 6
"""How many cameras are compared, to find the memory of each further one."""
MOST_CAMERAS = 32
DECODED = 2
"""How many cameras are decoded alone."""
DECODE = """
import sys, threading, time
import av

def decode(url):
    with av.open(url, options={"rtsp_transport": "tcp"}) as container:
        container.streams.video[0].thread_count = 1
        for _ in container.decode(video=0):
            pass

for url in sys.argv[1:]:
    threading.Thread(target=decode, args=(url,), daemon=True).start()
time.sleep(600)
"""
"""A program that receives and decodes cameras and does nothing else."""
MOST_SKIPPED = 0.01


def live(clips: Clips) -> Iterator[dict[str, Any]]:
    """Network cameras, one row per setup."""
    for name, count, clip, options in (
        ("1 camera of 640x360", 1, clips.vga_camera, ()),
        ("1 camera of 1080p", 1, clips.hd, ()),
        ("5 cameras of 1080p", 5, clips.hd, ()),
        ("8 cameras of 1080p, --fast-decode", 8, clips.hd, ("--fast-decode",)),
        ("40 cameras of 1080p, --keyframes", 40, clips.hd, ("--keyframes",)),
    ):
        with ExitStack() as stack:
            servers = [stack.enter_context(camera) for camera in cameras(clips.folder, clip, min(count, SERVERS))]
            row = {"cameras": name, **watch(servers, count, options, clips.folder / "lines")}
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        yield row


@dataclass(frozen=True, slots=True)
class Held:
    """So many cameras of 1080p, and the share of their frames that was skipped."""

    cameras: int
    skipped: float

    @property
    def held(self) -> bool:
        """Whether nearly all frames were classified."""
        return self.skipped < MOST_SKIPPED


def most_held(clips: Clips, seconds: float = LIVE_S) -> dict[str, float]:
    """Return the largest number of 1080p cameras of which less than 1 % of the frames are skipped, and what decoding allows.

    `decoded_cameras` is how many the cores could receive and decode if they did nothing else, by the CPU time of a program that
    does that.
    """
    with serving(clips, SERVERS) as servers:
        decoded = (os.cpu_count() or 1) / decoding_cores(servers[:DECODED], seconds)
        print(f"decoding alone: {decoded:.1f} cameras by its CPU time", flush=True)

        def tried(count: int) -> Held:
            row = watch(servers, count, (), clips.folder / "lines", seconds=seconds)
            print(f"{count} cameras, " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            return Held(count, row["skipped"])

        trials = bench.most_held(tried, MOST_CAMERAS)  # type: ignore[arg-type]  # it only asks whether they are held
    return {"held_cameras": max((trial.cameras for trial in trials if trial.held), default=0), "decoded_cameras": decoded}


def decoding_cores(servers: Sequence[RtspServer], seconds: float) -> float:
    """Return how many cores receiving and decoding takes for each camera, with one thread and nothing else."""
    process = subprocess.Popen([sys.executable, "-c", DECODE, *(server.url for server in servers)])
    try:
        time.sleep(WARM_UP_S)
        began, used_s = time.perf_counter(), cpu_s(process)
        time.sleep(seconds)
        return (cpu_s(process) - used_s) / (time.perf_counter() - began) / len(servers)
    finally:
        process.kill()
        process.wait()


def camera_mb(clips: Clips, seconds: float = LIVE_S) -> dict[str, float]:
    """Return the memory of each further 1080p camera in MB, by the difference of two numbers of cameras, in turns."""
    with serving(clips, MANY) as servers:
        few, many = (watch(servers, count, (), clips.folder / "lines", seconds=seconds)["mb"] for count in (FEW, MANY))
    return {"camera_mb": (many - few) / (MANY - FEW), f"{FEW}_cameras_mb": few, f"{MANY}_cameras_mb": many}


@contextmanager
def serving(clips: Clips, count: int) -> Iterator[Sequence[RtspServer]]:
    """Serve cameras of 1080p."""
    with ExitStack() as stack:
        yield [stack.enter_context(camera) for camera in cameras(clips.folder, clips.hd, count)]


def installed(folder: Path) -> dict[str, str]:
    """Return the environment of an installed edgecls, which is compiled: what Python compiles is kept in `folder`."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def cameras(folder: Path, clip: Path, count: int) -> Iterator[AbstractContextManager[RtspServer]]:
    """Yield cameras that send a clip, each with a different offset, so that the costly key frames do not coincide."""
    sys.path.insert(0, str(ROOT))
    from tests.live import rtsp

    units = rtsp.write_units_of(folder / "units", clip)
    for n in range(count):
        head = rtsp.write_units_of(folder / f"head{n}", clip, most=1 + n * KEY_FRAME_EVERY // count)
        yield rtsp.rtsp_server(head, units, fps=25)


def watch(
    servers: Sequence[RtspServer], count: int, options: Sequence[str], lines: Path, *, seconds: float = LIVE_S
) -> dict[str, float]:
    """Measure `edgecls run` on `count` cameras: labels, skipped frames, ages, cores and memory."""
    sources = [word for i in range(count) for word in ("--source", f"camera{i}={servers[i % len(servers)].url}")]
    with lines.open("wb") as out:
        command = [*EDGECLS, "run", "--model", str(SIGNS), *sources, *options]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=installed(lines.parent))
        time.sleep(WARM_UP_S)
        began, place, run_s, servers_s = time.perf_counter(), lines.stat().st_size, cpu_s(process), cpu_s(*servers)
        time.sleep(seconds)
        spent, end = time.perf_counter() - began, lines.stat().st_size
        run_s, servers_s = cpu_s(process) - run_s, cpu_s(*servers) - servers_s
        memory_mb = rss_mb(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    whole = lines.read_bytes()[place:end].split(b"\n")[1:-1]
    records = [record for line in whole if "frame" in (record := json.loads(line))]
    indices: dict[str, list[int]] = {}
    for record in records:
        indices.setdefault(record["camera"], []).append(record["frame"])
    captured = sum(seen[-1] - seen[0] + 1 for seen in indices.values())
    given = len(records) if "--keyframes" not in options else captured  # with key frames only, gaps in the index are intended
    ages = [record["age_ms"] for record in records]
    return {
        "labels_per_s": round(len(records) / spent, 1),
        "skipped": round(1 - given / captured, 4),
        "age_p50_ms": round(metrics.percentile(ages, 50), 1),
        "age_p99_ms": round(metrics.percentile(ages, 99), 1),
        "cores": round(run_s / spent, 3),
        "server_cores": round(servers_s / spent, 3),
        "mb": round(memory_mb),
    }


def cpu_s(*processes: subprocess.Popen[Any] | RtspServer) -> float:
    """Return the CPU time of processes on all cores."""
    ticks = 0
    for process in processes:
        pid = process.pid if isinstance(process, subprocess.Popen) else process.process.pid
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
