"""A long run with every kind of sink, in which RTSP cameras, an MQTT broker and a webhook receiver fail and recover.

    scripts/soak                         three hours
    scripts/soak --minutes 20 --seed 1   shorter, with other failures

At the end it prints the trend of memory, threads and file descriptors (the slope of a line fitted to the samples after the
first fifth of the time) and the number of events at each receiver. Exits with 0 only if nothing has grown and every event in
events.jsonl, which the run itself writes, has reached each receiver once and in order. --out keeps the folder with all output,
including samples.jsonl.
"""

from __future__ import annotations

import argparse
import csv
import http.server
import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.live.mqtt_broker import Broker, Listener  # noqa: E402 - needs the path set above
from tests.live.rtsp import RtspServer, write_units  # noqa: E402
from tests.run.drawn_road import LAMP, LINE, road  # noqa: E402
from tests.tiny import color_model  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CAMERAS = ("north", "south", "east")
CAMERA_FPS = 12
SAMPLE_EVERY_S = 10.0
QUIET_S = 60.0
"""Time without failures at the end, so that waiting events can be delivered."""
WARM_UP_SHARE = 0.2
FLAT_MB = 24.0
"""Memory may grow by this much after the warm-up: the buffers of one connection, not a leak."""
FLAT_COUNT = 4.0
"""Threads and descriptors may grow by this much: those of one camera."""


class Sample(NamedTuple):
    """Resources of the run, `at_s` seconds after its start."""

    at_s: float
    mb: float
    threads: int
    descriptors: int


class Receiver:
    """A webhook receiver. While it is `down` it answers 503 or nothing at all. `came` has the bodies that it took."""

    def __init__(self) -> None:
        """Listen on a free port of this machine."""
        self.came: list[dict[str, Any]] = []
        self.down = False
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.down:
                    if len(body) % 2:
                        time.sleep(2)
                    self.send_error(503)
                    return
                receiver.came.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/events"


class Failures:
    """Random failures: one every 5 to 25 s, for 3 to 40 s each; none if `rng` is None."""

    def __init__(self, servers: Sequence[RtspServer], broker: Broker, receiver: Receiver, rng: random.Random | None) -> None:
        """Start without failures."""
        self.happened: Counter[str] = Counter()
        self._rng = rng
        self._repairs: list[tuple[float, str, Callable[[], None]]] = []
        self._broken: set[str] = set()
        self._kinds: dict[str, tuple[str, Callable[[], None], Callable[[], None]]] = {
            "broker away": ("broker", broker.stop, broker.start),
            "broker frozen": ("broker", broker.freeze, broker.go_on),
            "receiver down": ("receiver", lambda: setattr(receiver, "down", True), lambda: setattr(receiver, "down", False)),
        }
        for name, server in zip(CAMERAS, servers, strict=True):
            self._kinds[f"{name} killed"] = (name, server.kill, server.start)
            self._kinds[f"{name} frozen"] = (name, server.stop, server.go_on)

    def go_on(self, until: float, each_second: Callable[[], None]) -> None:
        """Cause and end failures until a time of `time.monotonic`; then end all of them."""
        next_at = time.monotonic() + 20
        while (now := time.monotonic()) < until:
            if self._rng is not None and now >= next_at:
                self._start_one(now, self._rng)
                next_at = now + self._rng.uniform(5, 25)
            self._end_due(now)
            each_second()
            time.sleep(1)
        self._end_due(float("inf"))

    def _start_one(self, now: float, rng: random.Random) -> None:
        kind = rng.choice(sorted(self._kinds))
        victim, do, undo = self._kinds[kind]
        if victim in self._broken:
            return
        self._broken.add(victim)
        self.happened[kind] += 1
        do()
        self._repairs.append((now + rng.uniform(3, 40), victim, undo))

    def _end_due(self, now: float) -> None:
        for entry in [entry for entry in self._repairs if entry[0] <= now]:
            self._repairs.remove(entry)
            entry[2]()
            self._broken.discard(entry[1])


def main() -> int:
    """Run with failures and compare the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calm", action="store_true", help="without failures, to see what grows anyway")
    parser.add_argument("--out", type=Path, help="an empty folder for the output, which is kept")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        out = arguments.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        out.mkdir(parents=True, exist_ok=True)
        rng = None if arguments.calm else random.Random(arguments.seed)  # noqa: S311 - not for cryptography
        return soak(out, arguments.minutes * 60, rng, stack)


def soak(out: Path, seconds: float, rng: random.Random | None, stack: ExitStack) -> int:
    """Run for a time, with failures chosen by `rng`, or none. Returns the exit code."""
    servers = [RtspServer(units(out, n), fps=CAMERA_FPS, user="", password="") for n in range(len(CAMERAS))]
    for server in servers:
        stack.callback(server.kill)
    (out / "broker").mkdir()
    broker = Broker(out / "broker")
    stack.callback(broker.end)
    listener = Listener(broker.port, "edgecls/+/event")
    stack.callback(listener.end)
    receiver = Receiver()
    metrics_port = free_port()
    (out / "colors.onnx").write_bytes(color_model())
    (out / "cameras.toml").write_text(settings(servers, broker.port, receiver.url, metrics_port))
    for folder in ("clips", "shots", "spool"):
        (out / folder).mkdir()
    with (out / "stderr.txt").open("w") as stderr:
        run = subprocess.Popen(
            [sys.executable, "-m", "edgecls", "run", "--config", "cameras.toml"], cwd=out, stderr=stderr,
            stdout=subprocess.DEVNULL, env={**environment(out)},
        )  # fmt: skip
        stack.callback(run.kill)
        began = time.monotonic()
        samples: list[Sample] = []

        def watch() -> None:
            if run.poll() is None and time.monotonic() - began >= len(samples) * SAMPLE_EVERY_S:
                samples.append(sample(run.pid, time.monotonic() - began))
                with (out / "samples.jsonl").open("a") as file:
                    file.write(json.dumps({**samples[-1]._asdict(), "by_name": thread_names(run.pid)}) + "\n")
                with suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5).read()

        failures = Failures(servers, broker, receiver, rng)
        failures.go_on(began + seconds - QUIET_S, watch)
        time.sleep(QUIET_S)
        alive = run.poll() is None
        run.send_signal(signal.SIGTERM)
        code = run.wait(60)
        time.sleep(3)  # for the listener to take what the broker has
    print("failures: " + (", ".join(f"{count} x {kind}" for kind, count in sorted(failures.happened.items())) or "none"))
    print(f"the run {'went on to the end' if alive else 'ENDED EARLY'}; exit code {code} after SIGTERM")
    flat = [*slopes(samples)]
    whole = [*deliveries(out, [json.loads(text) for _, text, _ in listener.came], receiver.came)]
    return int(not (alive and code == 128 + signal.SIGTERM and all(flat) and all(whole)))


def units(out: Path, n: int) -> Path:
    """Write the video of a camera: one minute of a drawn road, which is repeated."""
    return write_units(out / f"units{n}", [picture for _, picture in road(n, 60.0).pictures()], fps=CAMERA_FPS)


def environment(out: Path) -> dict[str, str]:
    """Return the environment of the run, with the spool inside the folder."""
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT), "EDGECLS_SPOOL": str(out / "spool")}


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(servers: Sequence[RtspServer], broker_port: int, webhook: str, metrics_port: int) -> str:
    """Return a cameras.toml with every kind of rule and sink except the window."""
    # Small quotas, which are soon full: until then the run remembers ever more recordings.
    x, y, width, height = LAMP
    lines = [
        'model = "colors.onnx"', "quiet = true",
        'sinks = ["jsonl:events.jsonl", "csv:events.csv", "sqlite:events.db", '
        f'"mqtt://127.0.0.1:{broker_port}/edgecls", "webhook:{webhook}", "prometheus:127.0.0.1:{metrics_port}"]',
        "[[sink]]", 'kind = "clip"', 'path = "clips"', "[sink.quota]", "most_gb = 0.1",
        "[[sink]]", 'kind = "snapshot"', 'path = "shots"', "[sink.quota]", "most_gb = 0.03",
        "[[sink]]", 'kind = "video"', 'path = "seen-{camera}.mp4"', "part_s = 120", "[sink.quota]", "most_gb = 0.2",
    ]  # fmt: skip
    for name, server in zip(CAMERAS, servers, strict=True):
        lines += [
            "[[camera]]", f'name = "{name}"', f'source = "{server.url}"', "count_every_s = 30",
            f"ignore = [[{x}, {y}, {width}, {height}]]",
            "[camera.reading]", "read_timeout_s = 5",
            "[[camera.line]]", 'name = "line"', f"line = [[{LINE}, 0.0], [{LINE}, 1.0]]", 'left = "east"', 'right = "west"',
            "[[camera.zone]]", 'name = "bay"', "area = [0.3, 0.2, 0.4, 0.7]", 'look = "objects"',
            "[[camera.zone]]", 'name = "lamp"', f"area = [{x}, {y}, {width}, {height}]",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def sample(pid: int, at_s: float) -> Sample:
    """Read the resources of a process from /proc."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(at_s, int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), descriptors)


def thread_names(pid: int) -> dict[str, int]:
    """Count the threads of a process by name. FFmpeg's are named after the codec, Python's after the program."""
    names: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread has ended in the meantime
            names[(task / "comm").read_text().strip()] += 1
    return dict(names)


def slopes(samples: Sequence[Sample]) -> list[bool]:
    """Print the trend of each number after the warm-up. Returns whether each stayed flat."""
    late = [one for one in samples if one.at_s >= WARM_UP_SHARE * samples[-1].at_s]
    hours = np.array([one.at_s for one in late]) / 3600
    flat = []
    for name, most in (("mb", FLAT_MB), ("threads", FLAT_COUNT), ("descriptors", FLAT_COUNT)):
        values = np.array([getattr(one, name) for one in late], float)
        slope = float(np.polyfit(hours, values, 1)[0])
        growth = slope * float(hours[-1] - hours[0])
        flat.append(growth <= most)
        print(f"{name:12} first {values[0]:.0f}, last {values[-1]:.0f}, max {values.max():.0f}; slope {slope:+.2f} per hour, "
              f"{growth:+.1f} over {hours[-1] - hours[0]:.2f} h: {'flat' if flat[-1] else 'GROWS'}")  # fmt: skip
    return flat


def deliveries(out: Path, mqtt: list[dict[str, Any]], webhook: list[dict[str, Any]]) -> list[bool]:
    """Compare the events at each receiver with those that the run wrote. Returns whether each got all, once and in order."""
    lines = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    true = [key_of(line) for line in lines if "event" in line]
    kinds = Counter(line["kind"] for line in lines if "event" in line)
    print(f"events.jsonl: {len(true)} lines of {len({key[0] for key in true})} events: {dict(kinds)}")
    with sqlite3.connect(out / "events.db") as db:
        rows = list(db.execute('SELECT id, "end" IS NOT NULL FROM events ORDER BY rowid'))
    with (out / "events.csv").open(newline="") as file:
        table = [row["id"] for row in csv.DictReader(file)]
    good = [
        _compare("mqtt", true, [key_of(record) for record in mqtt]),
        _compare("webhook", true, [key_of(record) for record in webhook if "event" in record]),
    ]
    begun = list(dict.fromkeys(key[0] for key in true))
    ended = [key[0] for key in true if key[1]]
    good.append(_compare("sqlite", begun, [row[0] for row in rows]))
    good.append(_compare("csv", ended, table))
    for folder in ("clips", "shots"):
        sidecars = [json.loads(path.read_text()) for path in (out / folder).glob("*.json")]
        missing = [file for one in sidecars for file in one["files"] if not (out / folder / file).exists()]
        print(f"{folder:8} {len(sidecars)} recordings, {len(missing)} files missing")
        good.append(not missing)
    return good


def key_of(record: dict[str, Any]) -> tuple[str, bool]:
    """Return the id of an event and whether it has ended."""
    return record["event"], record["end"] is not None


def _compare(name: str, true: Sequence[object], came: Sequence[object]) -> bool:
    first = list(dict.fromkeys(came))
    twice, missing, foreign = len(came) - len(first), len(set(true) - set(first)), len(set(first) - set(true))
    in_order = [key for key in true if key in set(first)] == [key for key in first if key in set(true)]
    good = not missing and not foreign and in_order
    print(f"{name:8} {len(came)} received, {missing} missing, {foreign} unknown, {twice} duplicates, "
          f"{'in order' if in_order else 'OUT OF ORDER'}: {'good' if good else 'NOT GOOD'}")  # fmt: skip
    return good


if __name__ == "__main__":
    sys.exit(main())
