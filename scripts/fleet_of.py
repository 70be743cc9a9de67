"""A fleet of simulated devices at one mosquitto: a good bundle is rolled out in stages, then a bad one, which must be stopped.

    ulimit -n 8192; python scripts/fleet_of.py [DEVICES]

Each device, of which there are 1,000 by default, has an MQTT connection of its own, pulls the bundles over HTTP, verifies their
signatures and installs them into slots on the disk, all with the code that a real device runs; only the run that takes a bundle
is missing. The bad bundle fails its self-test on every device. Prints the time of each roll-out, what the broker received and
sent, and what it took of the machine. Returns 1 if a device has not what it should have.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from edgecls.bundle import make, make_keys
from edgecls.fleet import Fleet, Rolling, RollOut

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests import tiny
from tests.fleet.simulated import SimulatedFleet, served

STAGES = (0.01, 0.1, 0.5, 1.0)
SPREAD_S = 5.0
COUNTERS = ("messages/received", "messages/sent", "bytes/received", "bytes/sent", "publish/messages/dropped")
PATIENCE_S = 300.0


def main() -> int:
    """Roll out twice. Returns 1 if it did not end as it should."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most_files < 3 * count + 200:
        print(f"{count} devices need about {3 * count + 200} open files, the limit is {most_files}: ulimit -n 8192")
        return 1
    if shutil.which("mosquitto") is None:
        print("mosquitto is not installed (Debian, Ubuntu: apt-get install mosquitto)")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        private, public = make_keys("fleet", place)
        (place / "light.onnx").write_bytes(tiny.light_model())
        (place / "bundles").mkdir()
        for version in (1, 2):
            out = place / "bundles" / f"{version}.bundle"
            make(out, name="light", version=version, model=place / "light.onnx", keys=[private])
        with Mosquitto(place) as broker, served(place / "bundles") as url:
            return roll_out(count, place, public, broker, url)


def roll_out(count: int, place: Path, public: Path, broker: Mosquitto, url: str) -> int:
    """Roll out a good bundle and a bad one to so many devices."""
    names = [f"roof-{number:04d}" for number in range(count)]
    began = time.monotonic()
    with SimulatedFleet(broker.port, names, place / "devices", [public], trial_s=1.0) as devices:
        clients = [device.client for device in devices.devices.values()]
        while time.monotonic() - began < PATIENCE_S and not all(client.is_connected() for client in clients):
            time.sleep(0.1)
        time.sleep(2)
        broker.report(f"{count} devices connected and reported", began)
        began = time.monotonic()
        with Fleet(f"mqtt://127.0.0.1:{broker.port}/fleet") as fleet:
            known = sum(one.reported is not None and bool(one.is_online) for one in fleet.devices().values())
            broker.report(f"the operator's side knows {known} of {count} devices", began)
            found = []
            for version in (1, 2):
                if version == 2:
                    devices.bad.add(2)
                began = time.monotonic()
                path = place / "bundles" / f"{version}.bundle"
                sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
                rollout = RollOut(
                    f"{version}-sim", f"{url}/{path.name}", sha256, version, stages=STAGES, settle_s=2.0, spread_s=SPREAD_S,
                )  # fmt: skip
                done = Rolling(fleet, rollout, say=lambda line: print(f"    {line}")).run()
                told = sum(one.desired is not None and one.desired.rollout == done.id for one in fleet.devices().values())
                broker.report(f"version {version}: {done.state}, {told} devices were told", began)
                found.append(done.state)
        time.sleep(SPREAD_S)
        versions = [device.version for device in devices.devices.values()]
        print(f"in use: version 1 on {versions.count(1)} devices, 2 on {versions.count(2)}, none on {versions.count(0)}")
        began = time.monotonic()
        time.sleep(60)
        broker.report("a minute of heartbeats alone, one a minute and device", began)
    return 0 if found == ["done", "stopped"] and versions == [1] * count else 1


class Mosquitto:
    """A broker with its usual limits, whose counters and use of the machine are read."""

    def __init__(self, folder: Path) -> None:
        """Start it on a free port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = folder / "mosquitto.conf"
        config.write_text(f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n")
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(config)],  # noqa: S607
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._counters: dict[str, float] = {}
        self._before: dict[str, float] = {}
        self._cpu_before_s = 0.0
        self._ready = threading.Event()
        self._client: Any = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe([(f"$SYS/broker/{name}", 0) for name in COUNTERS])
        self._client.on_message = self._on_message

    def report(self, what: str, began: float) -> None:
        """Print what was done and what the broker did meanwhile."""
        passed_s = time.monotonic() - began
        time.sleep(1.5)  # for the counters
        now, cpu_s = dict(self._counters), self._cpu_s()
        used = {name: now.get(name, 0) - self._before.get(name, 0) for name in COUNTERS}
        print(
            f"{what}, in {passed_s:.1f} s; the broker: {used['messages/received']:,.0f} packets and "
            f"{used['bytes/received'] / 1e6:.2f} MB in, {used['messages/sent']:,.0f} and "
            f"{used['bytes/sent'] / 1e6:.2f} MB out, {used['publish/messages/dropped']:.0f} dropped, "
            f"{cpu_s - self._cpu_before_s:.2f} s of CPU, {self._mb():.1f} MB"
        )
        self._before, self._cpu_before_s = now, cpu_s

    def __enter__(self) -> Mosquitto:
        """Connect."""
        for _ in range(100):
            time.sleep(0.05)
            try:
                self._client.connect("127.0.0.1", self.port)
                break
            except OSError:
                continue
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()
        self._process.terminate()
        self._process.wait(10)

    def _on_message(self, _client: object, _data: object, message: Any) -> None:
        self._counters[message.topic.removeprefix("$SYS/broker/")] = float(message.payload)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _mb(self) -> float:
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
