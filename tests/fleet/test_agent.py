"""A device: a real `edgecls run` on a drawn clip, a real mosquitto, and whoever writes to its topics."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")

import paho.mqtt.publish

from edgecls.fleet import Desired
from edgecls.fleet.observer import Observer
from edgecls.fleet.state_of_run import StateOfRun
from edgecls.vitals import Vitals
from tests import tiny
from tests.cli.test_reload import Running
from tests.drawn import gray_levels, write_video
from tests.live.mqtt_broker import broker, listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.mqtt_broker import Broker, Listener

DESIRED = Desired("7-test", 7, "9c" * 32, "https://127.0.0.1:1/7.bundle")
FRAMES = 6000
PACE_S = 0.005
CONFIG = """\
model = "light.onnx"

[fleet]
broker = "mqtt://127.0.0.1:{port}/home/fleet"
device = "roof-1"
heartbeat_s = 1
least_s = 0
{fleet}

[[camera]]
name = "gate"
source = "clip.avi"
health = {{ off = true }}
"""


class Device(NamedTuple):
    """A device at its broker."""

    broker: Broker
    ears: Listener
    run: Running

    def tell(self, desired: Desired | bytes | str) -> None:
        """Write what it should run."""
        payload = desired.to_json() if isinstance(desired, Desired) else desired
        topic = "home/fleet/roof-1/desired"
        paho.mqtt.publish.single(topic, payload, qos=1, retain=True, port=self.broker.port, hostname="127.0.0.1")

    def reported(self) -> dict[str, Any]:
        """What it reported last."""
        return json.loads(self.ears.last("home/fleet/roof-1/reported") or "{}")

    def until(self, true, within_s: float = 30.0) -> dict[str, Any]:
        """Wait until it is true of what it reports."""
        self.ears.until(lambda _: bool(self.reported()) and true(self.reported()), within_s)
        return self.reported()

    def until_update(self, state: str, why: str = "") -> dict[str, Any]:
        """Wait until the update is in this state, for a reason that has this in it."""
        return self.until(lambda one: one["update"]["state"] == state and why in one["update"]["why"])

    def until_status(self, status: str) -> None:
        """Wait until the broker says that it is online or offline."""
        self.ears.until(lambda _: self.ears.last("home/fleet/roof-1/status") == status)

    def assert_whole(self) -> None:
        """No frame is missing in what the run wrote, and nothing broke."""
        frames = [line["frame"] for line in self.run.lines if "frame" in line and "label" in line]
        assert len(frames) > 100
        assert frames == list(range(frames[0], frames[0] + len(frames)))
        assert not [line for line in self.run.said if "Traceback" in line]


def until(true, within_s: float = 30.0) -> None:
    """Wait until it is true."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it has not come to this"
        time.sleep(0.02)


@contextmanager
def device(folder: Path, fleet: str = "", more: str = "") -> Iterator[Device]:
    """A device, whose run waits for its reader, which takes a line now and then."""
    (folder / "light.onnx").write_bytes(tiny.light_model())
    write_video(folder / "clip.avi", gray_levels([128] * FRAMES, size_hw=(32, 32)))
    with broker(folder) as running, listener(running.port, "home/fleet/#") as ears:
        (folder / "cameras.toml").write_text(CONFIG.format(port=running.port, fleet=fleet) + more)
        run, over = Running(folder), threading.Event()

        def read() -> None:
            while not over.wait(PACE_S):
                run.take(1)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield Device(running, ears, run)
            over.set()
            reader.join()
            run.end()
        finally:
            over.set()
            reader.join()
            run.process.kill()
            run.process.wait()
            run.process.stdout.close()


def test_a_device_says_how_it_is_and_what_it_does_not_understand(tmp_path):
    """Its versions, model and cameras; a bad message is answered in one line, and the run is not touched."""
    with device(tmp_path) as here:
        found = here.until(lambda one: one["cameras"] and one["cameras"][0]["state"] == "live")
        assert (found["device"], found["bundle"], found["faults"]) == ("roof-1", None, [])
        assert found["update"] == {"state": "none", "why": "", "rollout": "", "version": 0}
        assert found["model"] == {"name": "light", "sha256": hashlib.sha256(tiny.light_model()).hexdigest()}
        assert found["disk"]["free_mb"] > 0
        assert found["sinks"] == [{"sink": "jsonl:-", "waiting": 0, "lost": 0, "dropped": 0, "trouble": ""}]
        here.until_status("online")
        for payload, why in (
            ("{", "desired is not JSON"),
            (b"x" * 20_000, "desired has 20,000 bytes, expected at most 16,384"),
            (DESIRED.to_json().replace("apply", "format"), "desired.action: expected apply, back, stay"),
            (DESIRED, "this device takes no bundles: its cameras.toml has no [bundle]"),
        ):
            here.tell(payload)
            here.until_update("refused", why)
        here.tell(b"x" * 2_000_000)  # kept back by the broker
        here.tell("")
        here.until_update("none")
        count = len(here.ears.came)
        time.sleep(1.5)
        assert len(here.ears.came) > count, "no heartbeat came"
    here.assert_whole()


def test_the_broker_may_be_away(tmp_path):
    """Before the run begins, and in between; whoever ends the run says so to the broker."""
    with device(tmp_path) as here:
        here.until_status("online")
        here.broker.kill()
        count = len(here.run.lines)
        until(lambda: len(here.run.lines) > count + 20)
        here.broker.start()
        before = len(here.ears.came)
        here.ears.until(lambda came: any(topic.endswith("reported") for topic, _, _ in came[before:]))
        here.tell("{")
        here.until_update("refused", "is not JSON")
    here.assert_whole()


def test_a_step_of_the_model_is_reported_without_secrets():
    """Why a model was not swapped may quote an address with a password, which is not for all who read the broker."""
    last = "not swapped, the run goes on with its model: rtsp://viewer:hunter2@192.0.2.7/1: no answer"
    run = SimpleNamespace(
        vitals=Vitals(), classifier=None, config=None, models=SimpleNamespace(last=last), named_sinks={}, drift=[]
    )  # fmt: skip
    record = StateOfRun(run, Observer(), device="roof-1", every_s=60.0, bundles=None)()
    assert record["model_state"].startswith("not swapped, the run goes on with its model: rtsp://192.0.2.7")
    assert "hunter2" not in str(record)
