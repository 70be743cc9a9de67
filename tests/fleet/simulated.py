"""A fleet of simulated devices in one process: real MQTT clients, real bundles pulled and verified by the real code into real
slots; only the run that would take a bundle is missing.

All connections are served by one thread, and the work of all devices by a few others.
"""

from __future__ import annotations

import contextlib
import heapq
import http.server
import selectors
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho

from edgecls.bundle import Slots
from edgecls.errors import ModelError
from edgecls.fleet.desired import Desired
from edgecls.fleet.reported import to_json
from edgecls.fleet.topics import DESIRED, REPORTED, STATUS, topic_of
from edgecls.fleet.updates import PullLimits, Updates, pause_s

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from edgecls.bundle import Installed, Slot, SlotState
    from edgecls.fleet.reported import Update

LIMITS = PullLimits(50_000_000)


class SimulatedBundles:
    """The bundles of a device without a run: what is installed is on trial at once, and kept when the simulation says so."""

    def __init__(self, folder: Path, keys: Sequence[Path], bad: Collection[int]) -> None:
        """Keep bundles in a folder. Bundles of the versions `bad` fail their self-test."""
        self.slots = Slots(folder)
        self._keys = keys
        self._bad = bad

    def install(self, path: Path) -> Installed:
        """Install a bundle, which is then on trial."""
        installed = self.slots.install(path, self._keys, check=self._check)
        self.slots.taken()
        return installed

    def state(self) -> SlotState:
        """The state of the slots."""
        return self.slots.state()

    def _check(self, slot: Slot) -> None:
        if slot.version in self._bad:
            raise ModelError("model.onnx gives other answers here than where it was exported")


class SimulatedDevice:
    """One device: its connection, its bundles, and what it reports."""

    def __init__(self, fleet: SimulatedFleet, name: str, folder: Path) -> None:
        self.name = name
        self.bundles = SimulatedBundles(folder / name, fleet.keys, fleet.bad)
        self.faults: list[str] = []
        self.is_silent = False
        self._fleet = fleet
        self._updates = Updates(self.bundles, LIMITS, tell=self._told)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._desired: Desired | None = None
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.will_set(topic_of(fleet.prefix, name, STATUS), "offline", qos=1, retain=True)
        client.on_connect, client.on_message = self._on_connect, self._on_message
        self.client = client

    @property
    def version(self) -> int:
        """The version in use; 0 for the model that it came with."""
        return int(self.bundles.state().current.partition("-")[0] or 0)

    def report(self) -> None:
        """Send what it reports. Called by the thread of the connections."""
        if self.is_silent:
            return
        state = self.bundles.state()
        record = {
            "device": self.name, "at_s": time.time(), "since_s": self._fleet.began_s, "every_s": self._fleet.every_s,
            "edgecls": "0.3.0", "kept": [], "model": {"name": "street", "sha256": "0" * 64}, "model_state": "",
            "bundle": None if not self.version else {"id": state.current, "name": state.name, "version": self.version},
            "faults": self.faults, "cameras": [camera_record(number) for number in range(4)], "sinks": [], "drift": [],
            "disk": {"free_mb": 8000, "total_mb": 30_000},
        }  # fmt: skip
        topic = topic_of(self._fleet.prefix, self.name, REPORTED)
        self.client.publish(topic, to_json(record, self._updates.update), qos=1, retain=True)

    def finish_trial(self) -> None:
        """Keep the bundle that is on trial."""
        with self._lock:
            if self.bundles.state().on_trial:
                self.bundles.slots.keep_current()
            self._updates.refresh(self._desired)

    def _on_connect(self, client: Any, *_: object) -> None:
        client.subscribe(topic_of(self._fleet.prefix, self.name, DESIRED), qos=1)
        client.publish(topic_of(self._fleet.prefix, self.name, STATUS), "online", qos=1, retain=True)
        self.report()

    def _on_message(self, _client: Any, _data: object, message: Any) -> None:
        desired = Desired.parse(message.payload)
        self._over.set()
        wait_s = 0.0 if desired is None else pause_s(desired, self.name)
        self._fleet.later(wait_s, lambda: self._fleet.work(lambda: self._take(desired)))

    def _take(self, desired: Desired | None) -> None:
        if self.is_silent:
            return
        with self._lock:
            self._desired = desired
            self._over.clear()
            self._updates.take(desired, self._over)
        if self._updates.update.state == "on trial":
            self._fleet.later(self._fleet.trial_s, lambda: self._fleet.work(self.finish_trial))

    def _told(self, _update: Update) -> None:
        self._fleet.later(0.0, self.report)


class SimulatedFleet:
    """Many devices. `bad` are the versions that fail their self-test; it may be changed."""

    def __init__(
        self, port: int, names: Sequence[str], folder: Path, keys: Sequence[Path], *, prefix: str = "fleet",
        every_s: float = 60.0, trial_s: float = 0.2, workers: int = 4,
    ) -> None:  # fmt: skip
        self.keys, self.prefix, self.every_s, self.trial_s = keys, prefix, every_s, trial_s
        self.bad: set[int] = set()
        self.began_s = time.time()
        self.failures: list[BaseException] = []
        self._port = port
        self._pool = ThreadPoolExecutor(workers, "device")
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self.devices = {name: SimulatedDevice(self, name, folder) for name in names}
        self._thread = threading.Thread(target=self._run, name="fleet")
        self._thread.start()

    def later(self, wait_s: float, act: Callable[[], object]) -> None:
        """Have the thread of the connections do something."""
        with self._lock:
            self._number += 1
            heapq.heappush(self._due, (time.monotonic() + wait_s, self._number, act))

    def work(self, act: Callable[[], object]) -> None:
        """Have one of the workers do something."""
        if not self._closing:
            self._pool.submit(self._guarded, act)

    def drop(self, name: str) -> None:
        """Cut the connection of a device, as if its power were gone: nothing is said."""
        self.devices[name].is_silent = True
        self.later(0.0, lambda: self._cut(self.devices[name].client))

    def close(self) -> None:
        """End."""
        self._closing = True
        self._thread.join()
        self._pool.shutdown()
        self._selector.close()
        if self.failures:
            raise self.failures[0]

    def __enter__(self) -> SimulatedFleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised by `close`
            self.failures.append(error)

    def _run(self) -> None:
        try:
            for device in self.devices.values():
                device.client.connect("127.0.0.1", self._port, keepalive=120)
                self._selector.register(device.client.socket(), selectors.EVENT_READ, device.client)
                self._serve(0.0)
                self.later(self.every_s, lambda device=device: self._beat(device))
            while not self._closing:
                self._serve(0.02)
            for device in self.devices.values():
                self._cut(device.client)
        except BaseException as error:  # noqa: BLE001 - raised by `close`
            self.failures.append(error)

    def _serve(self, wait_s: float) -> None:
        for key, _ in self._selector.select(wait_s):
            if key.data.loop_read() != paho.MQTT_ERR_SUCCESS:
                self._selector.unregister(key.fileobj)
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > now:
                    return
                _, _, act = heapq.heappop(self._due)
            act()

    def _beat(self, device: SimulatedDevice) -> None:
        device.report()
        device.client.loop_misc()
        self.later(self.every_s, lambda: self._beat(device))

    def _cut(self, client: Any) -> None:
        sock = client.socket()
        if sock is not None and sock.fileno() >= 0:
            with contextlib.suppress(KeyError):
                self._selector.unregister(sock)
            sock.close()


def camera_record(number: int) -> dict[str, Any]:
    """What is reported of a camera."""
    return {"camera": f"camera-{number}", "state": "live", "why": "", "fault": None, "age_s": 0.1, "fps": 12.5}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, and yield the address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.request_queue_size = 128
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
