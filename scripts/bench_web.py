"""What the page costs and how fast it is: python -m scripts.bench_web [--only cost,picture] [--rounds 3].

events    a page of a million events in SQLite, by filter
size      bytes of the page and of what its extra installs
start     seconds until the first label of a run, with and without the page, in turns
cost      CPU time of a run of a 1080p RTSP camera without viewers, with 1 and with 20, in turns; its rate and the age of frames
picture   seconds from opening the page in Chromium to the first picture of that camera, with a key frame every 4 s, and to the
          first one of its video
latency   how old pictures on the screen are, against the frame in the run, during two minutes

Prints a line of JSON for each. Needs Debian's chromium and GStreamer's RTSP server, as the tests do.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from websockets.sync.client import connect

from edgecls.run.web import WebSettings
from edgecls.sink.sqlite import COLUMNS, SqliteSink
from edgecls.source import ReadingSettings, open_source
from edgecls.web import PageServer, ViewSink
from edgecls.web.events.database import EventDatabase
from edgecls.web.events.query import EventFilter
from tests.live.rtsp import rtsp_server, write_units
from tests.run.world import result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
FPS, GOP, SECONDS, HEIGHT, WIDTH, STRIPES = 25, 100, 8, 1080, 1920, 8
EVENTS = 1_000_000
BEGAN = 1_763_823_600
MILLION = f"""
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {EVENTS})
    INSERT INTO events ({", ".join(COLUMNS)})
    SELECT printf('%016x', i * 2654435761 % 1099511627776),
        CASE i % 5 WHEN 0 THEN 'object' WHEN 1 THEN 'presence' ELSE 'crossing' END,
        'camera-' || ((i * 7919) % 16 * ((i * 7919) % 16) / 16),
        CASE i % 3 WHEN 0 THEN 'entry' WHEN 1 THEN 'exit' ELSE 'motion' END,
        CASE WHEN i % 9973 = 0 THEN 'rare' ELSE 'label-' || ((i * 104729) % 30) END,
        0.9, {BEGAN} + i * 4.32, {BEGAN} + i * 4.32 + 3, 3.0, i, '', '{{}}', 'street', i, i / 25.0, i + 75, i / 25.0 + 3,
        {BEGAN} + i * 4.32, NULL, '' FROM n
"""  # noqa: S608 - constants
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "a camera": {"camera": "camera-3"},
    "a label": {"label": "label-7"},
    "a rare label": {"label": "rare"},
    "a kind and a zone": {"kind": "object", "region": "exit"},
    "camera, label, zone": {"camera": "camera-14", "label": "rare", "region": "entry"},
    "nothing fits": {"camera": "camera-3", "label": "nothing"},
    "long ago": {"until_s": BEGAN + 86_400.0, "kind": "object"},
}
FIRST_PICTURE = """
    new MutationObserver(() => {
        const video = document.querySelector("video");
        const poster = document.querySelector(".screen img");
        if (poster && !window.poster) {
            window.poster = poster;
            poster.addEventListener("load", () => { window.firstMs ??= performance.now(); });
        }
        if (!video || window.seen) return;
        window.seen = true;
        video.requestVideoFrameCallback(() => { window.videoMs = performance.now(); window.firstMs ??= window.videoMs; });
    }).observe(document, { childList: true, subtree: true });
"""
READ_NUMBER = """() => {
    const video = document.querySelector("video");
    const { videoWidth: width, videoHeight: height } = video;
    const pen = Object.assign(document.createElement("canvas"), { width: 8, height: 1 }).getContext("2d");
    return new Promise((resolve) => video.requestVideoFrameCallback(() => {
        const at = performance.timeOrigin + performance.now();
        for (let i = 0; i < 8; i++) pen.drawImage(video, (i + 0.5) * width / 8, height / 20, 1, 1, i, 0, 1, 1);
        const shades = pen.getImageData(0, 0, 8, 1).data;
        resolve([parseInt([...Array(8).keys()].map((i) => Number(shades[4 * i] > 127)).join(""), 2), at / 1000]);
    }));
}"""


class Drawn(Sequence):
    """Pictures of a camera: stripes at the top that tell their number, below them noise that moves, for a usual bit rate."""

    def __init__(self) -> None:
        """Draw the noise."""
        small = np.random.default_rng(0).integers(60, 190, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
        self._noise = np.kron(small, np.ones((8, 8, 1), np.uint8))

    def __len__(self) -> int:
        """Return how many there are, before they begin again."""
        return FPS * SECONDS

    def __getitem__(self, number: int) -> np.ndarray:
        """Return one."""
        if number >= len(self):
            raise IndexError(number)
        picture = np.roll(self._noise, 4 * number, axis=1)
        bits = [255 * (number >> (STRIPES - 1 - i) & 1) for i in range(STRIPES)]
        picture[: HEIGHT // 10] = np.repeat(np.array(bits, np.uint8), WIDTH // STRIPES)[None, :, None]
        return picture


def number_of(luma: np.ndarray) -> int:
    """Return the number that a gray picture tells."""
    row = luma[luma.shape[0] // 20]
    return int("".join(str(int(row[int((i + 0.5) * len(row) / STRIPES)] > 127)) for i in range(STRIPES)), 2)


def events(folder: Path, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of a page of 100 events, the slowest of the first and later pages, by filter."""
    path = folder / "events.db"
    SqliteSink(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous=OFF")
        kept = db.execute("SELECT type, name, sql FROM sqlite_master WHERE name LIKE 'event%' AND type != 'table'").fetchall()
        for kind, name, _ in kept:
            db.execute(f"DROP {kind} {name}")
        began = time.perf_counter()
        db.execute(MILLION)
        db.execute("INSERT INTO event_groups SELECT DISTINCT camera, kind, label, region FROM events")
        for _, _, sql in kept:
            db.execute(sql)
        db.commit()
    found: dict[str, Any] = {
        "events": EVENTS,
        "made_s": round(time.perf_counter() - began, 1),
        "mb": path.stat().st_size // 10**6,
    }
    archive = EventDatabase(path)
    for name, fields in FILTERS.items():
        times, before = [], ""
        for _ in range(rounds + 2):
            began = time.perf_counter()
            page = archive.page(EventFilter(**fields), before=before, limit=100)
            times.append(1e3 * (time.perf_counter() - began))
            before = page.next or ""
        found[name] = {"median_ms": round(statistics.median(times), 1), "slowest_ms": round(max(times), 1)}
    began = time.perf_counter()
    archive.hours(EventFilter(), BEGAN + 86_400.0, 24)
    return {**found, "hours of a day": {"ms": round(1e3 * (time.perf_counter() - began), 1)}}


def size() -> dict[str, Any]:
    """Return the bytes of the page's files, and of the packages that its extra adds."""
    page = resources.files("edgecls.web") / "page"
    base, extra = _closure(["numpy", "typer", "rich"]), _closure(["starlette", "uvicorn", "websockets", "tomlkit"])
    added = {name: sum(path.stat().st_size for path in _files(name)) for name in extra - base}
    return {
        "page_kb": round(sum(len(file.read_bytes()) for file in page.iterdir() if file.is_file()) / 1e3, 1),
        "extra_mb": round(sum(added.values()) / 1e6, 1),
        "packages": {name: round(size / 1e6, 2) for name, size in sorted(added.items())},
    }


def _closure(names: list[str]) -> set[str]:
    found: set[str] = set()
    while names:
        name = names.pop()
        if name in found:
            continue
        found.add(name)
        needs = [one for one in metadata.requires(name) or [] if "extra ==" not in one and "python_version <" not in one]
        names += [re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in needs if "platform" not in one]
    return found


def _files(name: str) -> Iterator[Path]:
    for file in metadata.files(name) or []:
        path = Path(str(file.locate()))
        if path.suffix != ".pyc" and path.is_file():
            yield path


def start(folder: Path, rounds: int) -> dict[str, Any]:
    """Return how long a run takes until its first label, with and without the page, and the CPU time until then."""
    clip = folder / "clip.avi"
    import cv2

    out = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (320, 240))  # type: ignore[attr-defined]
    for i in range(50):
        out.write(np.full((240, 320, 3), i, np.uint8))
    out.release()
    rows: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    for i, (name, found) in itertools.product(range(rounds), rows.items()):
        path = folder / f"{name}-{i}.toml"
        web = "[web]\nlisten = 0\n" if name == "with" else ""
        path.write_text(
            f'model = "{ROOT}/models/signs-tiny.onnx"\nsinks = ["jsonl:-"]\n[[camera]]\nname = "a"\nsource = "{clip}"\n{web}'
        )
        command = [sys.executable, "-m", "edgecls", "run", "--config", str(path), "--quiet"]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            next(iter(run.stdout or ()))
            found.append((time.perf_counter() - began, _cpu_s(run.pid)))
            run.kill()
    wall, cpu = ({name: round(statistics.median(row[k] for row in found), 2) for name, found in rows.items()} for k in (0, 1))
    return {"wall_s": wall, "cpu_s": cpu, "later_s": round(wall["with"] - wall["without"], 2)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(folder: Path, rounds: int, url: str, turn_s: float) -> dict[str, Any]:
    """Return the CPU time of a run, as a share of a core, its rate and the age of frames, by the number of viewers."""
    log, path = folder / "log.jsonl", folder / "cameras.toml"
    path.write_text(
        f'model = "{ROOT}/models/signs-tiny.onnx"\nsinks = ["jsonl:{log}"]\n'
        f'[[camera]]\nname = "gate"\nsource = "{url}"\n[web]\nlisten = 0\n'
    )
    command = [sys.executable, "-m", "edgecls", "run", "--config", str(path), "--quiet"]
    rows: dict[int, list[tuple[float, float, float]]] = {0: [], 1: [], 20: []}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        address = next(line for line in run.stderr or () if line.startswith("page: ")).split()[1]
        threading.Thread(target=lambda: [None for _ in run.stderr or ()], daemon=True).start()
        while '"state": "live"' not in _answer(f"{address}api/cameras"):
            time.sleep(0.2)
        for _, (viewers, found) in itertools.product(range(rounds), rows.items()):
            with _viewing(address, viewers):
                time.sleep(2.0)
                began, spent, at = time.perf_counter(), _cpu_s(run.pid), log.stat().st_size
                time.sleep(turn_s)
                wall = time.perf_counter() - began
                ages = [age for line in log.read_bytes()[at:].splitlines() if (age := _age(line)) is not None]
                found.append(((_cpu_s(run.pid) - spent) / wall, len(ages) / wall, float(np.percentile(ages, 99))))
        run.send_signal(signal.SIGINT)
        run.wait(20)
    more = {n: [one[0] - none[0] for one, none in zip(rows[n], rows[0], strict=True)] for n in (1, 20)}
    return {
        "viewers": {
            n: {
                name: round(statistics.median(row[k] for row in found), 3)
                for k, name in enumerate(("cores", "fps", "age_p99_ms"))
            }
            for n, found in rows.items()
        },
        "cores_of_1": round(statistics.median(more[1]), 4),
        "cores_of_each_of_20": round(statistics.median(more[20]) / 20, 4),
        "fps_ratio_20": round(statistics.median(b[1] / a[1] for a, b in zip(rows[0], rows[20], strict=True)), 3),
        "age_p99_ratio_20": round(statistics.median(b[2] / a[2] for a, b in zip(rows[0], rows[20], strict=True)), 3),
    }


def _age(line: bytes) -> float | None:
    try:
        return json.loads(line).get("age_ms")  # type: ignore[no-any-return]
    except ValueError:  # half a line
        return None


def _answer(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the page's own address
        return answer.read().decode()  # type: ignore[no-any-return]


@contextmanager
def _viewing(address: str, count: int) -> Iterator[None]:
    """Have viewers who read everything."""
    over = threading.Event()

    def view() -> None:
        with connect(f"ws{address.removeprefix('http')}api/live", max_size=None) as socket:
            socket.send('{"watch": ["gate"]}')
            while not over.is_set():
                socket.recv(timeout=10)

    threads = [threading.Thread(target=view) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


@contextmanager
def _page(url: str) -> Iterator[tuple[Any, str, dict[int, float]]]:
    """Yield a tab of Chromium, the address of the page of a camera, and when each of its pictures was in the run, by number."""
    from playwright.sync_api import sync_playwright

    view, over, seen = ViewSink(["gate"]), threading.Event(), dict[int, float]()

    def run() -> None:
        with open_source(url, reading=ReadingSettings(keep_s=10.0)) as source:
            for frame in source:
                if over.is_set():
                    return
                frame.camera = "gate"
                seen[number_of(frame.luma())] = time.time() - (time.monotonic() - frame.captured_at)
                view.write(result(frame))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with sync_playwright() as playwright, PageServer(view, WebSettings(listen=0)) as server:
        while view.cameras["gate"].packets is None or view.cameras["gate"].fps(time.monotonic()) < 5:
            time.sleep(0.1)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.add_init_script(FIRST_PICTURE)
        yield tab, f"{server.address}#/", seen
        browser.close()
    over.set()
    thread.join(10)


def picture(rounds: int, url: str) -> dict[str, Any]:
    """Return how many seconds after opening the page the first picture is there, and the first one of the video."""
    firsts, videos = [], []
    with _page(url) as (tab, address, _):
        for i in range(rounds + 1):
            time.sleep(1.3)  # at another place between two key frames
            tab.goto(address, wait_until="commit") if i == 0 else tab.reload(wait_until="commit")
            tab.wait_for_function("() => window.videoMs", timeout=60_000)
            firsts.append(round(tab.evaluate("window.firstMs") / 1e3, 2))
            videos.append(round(tab.evaluate("window.videoMs") / 1e3, 2))
    return {
        "first_picture_s": {"first visit": firsts[0], "again": firsts[1:]},
        "video_s": {"first visit": videos[0], "again": videos[1:]},
    }


def latency(url: str, seconds: float) -> dict[str, Any]:
    """Return how old pictures on the screen are, in seconds."""
    ages = []
    with _page(url) as (tab, address, seen):
        tab.goto(address)
        tab.wait_for_function("() => window.videoMs", timeout=60_000)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            number, at = tab.evaluate(READ_NUMBER)
            if number in seen and 0 <= at - seen[number] < SECONDS / 2:
                ages.append(at - seen[number])
            time.sleep(0.2)
    quarters = np.percentile(ages, [50, 95, 99, 100]) if ages else [float("nan")] * 4
    behind = dict(zip(("p50", "p95", "p99", "most"), (round(float(one), 3) for one in quarters), strict=True))
    return {"behind_s": behind, "pictures": len(ages), "seconds": seconds}


def main() -> None:
    """Measure, and print a line of JSON for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="events,size,start,cost,picture,latency")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turn", type=float, default=10.0, help="seconds of a turn")
    parser.add_argument("--latency", type=float, default=120.0, help="seconds for which the latency is measured")
    args = parser.parse_args()
    wanted = args.only.split(",")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = ""
        if {"cost", "picture", "latency"} & set(wanted):
            units = write_units(folder / "camera", Drawn(), fps=FPS, gop=GOP)
            print(json.dumps({"camera": f"{8 * units.stat().st_size / SECONDS / 1e6:.1f} Mbit/s"}), flush=True)
            url = stack.enter_context(rtsp_server(units, fps=FPS)).url
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "events": lambda: events(folder, args.rounds),
            "size": size,
            "start": lambda: start(folder, args.rounds),
            "cost": lambda: cost(folder, args.rounds, url, args.turn),
            "picture": lambda: picture(args.rounds, url),
            "latency": lambda: latency(url, args.latency),
        }
        for name in wanted:
            print(json.dumps({name: parts[name](), "load": round(os.getloadavg()[0], 1)}), flush=True)


if __name__ == "__main__":
    main()
