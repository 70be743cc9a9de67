"""Roll-outs over a real mosquitto to simulated devices that pull and verify real bundles."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")

import paho.mqtt.publish

from edgecls.errors import ConfigError, SinkError
from edgecls.fleet import Fleet, Rolling, RollOut, roll_back, rolling, stop
from edgecls.fleet import fleet as connection
from tests.fleet.simulated import SimulatedFleet, served
from tests.live.mqtt_broker import broker
from tests.run.world import assert_only_main_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.conftest import Made

PATIENCE_S = 60.0
NAMES = [f"roof-{number:02d}" for number in range(20)]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """The broker is on this machine. After each test only the main thread is left."""
    monkeypatch.setattr(connection, "QUIET_S", 0.1)
    monkeypatch.setattr(rolling, "AFTER_TROUBLE_S", 0.3)
    yield
    assert_only_main_thread()


class World(NamedTuple):
    """A broker, the devices, the operator, and the address of the bundles."""

    broker: object
    devices: SimulatedFleet
    fleet: Fleet
    url: str
    address: str


@contextmanager
def world(made: Made, tmp_path: Path, names=NAMES, **settings) -> Iterator[World]:
    """A fleet for the length of a block."""
    with (
        broker(tmp_path) as running,
        served(made.folder) as url,
        SimulatedFleet(running.port, names, tmp_path / "devices", [made.key], **settings) as devices,
    ):
        address = f"mqtt://127.0.0.1:{running.port}/fleet"
        with Fleet(address) as fleet:
            until(lambda: sum(one.reported is not None for one in fleet.devices().values()) == len(names))
            yield World(running, devices, fleet, url, address)


def until(true, within_s: float = PATIENCE_S) -> None:
    """Wait until it is true."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it has not come to this"
        time.sleep(0.02)


def roll(fleet: Fleet, rollout: RollOut) -> tuple[RollOut, list[str]]:
    """Roll out to the end, and return the end and what was said."""
    said: list[str] = []
    found = Rolling(fleet, rollout, say=said.append).run(lambda _: time.sleep(0.02))
    return found, said


def versions(here: World) -> set[int]:
    """The versions in use."""
    return {device.version for device in here.devices.devices.values()}


def test_a_good_bundle_reaches_all_and_a_bad_one_stops_in_the_first_stage(made, tmp_path):
    """In stages; with the bad one the last good bundle stays everywhere, and it is said who refused it and why."""
    with world(made, tmp_path) as here:
        done, said = roll(here.fleet, made.rollout(here.url, 1))
        assert done.state == "done"
        assert versions(here) == {1}
        sizes = [len(stage) for stage in done.stages_of(NAMES)]
        assert [line for line in said if line.startswith("stage") and "(" in line] == [
            f"stage {number} of 3 ({share}): {size} device{'s' * (size > 1)}"
            for number, share, size in zip((1, 2, 3), ("10%", "50%", "100%"), sizes, strict=True)
        ]
        here.devices.bad.add(2)
        bad = made.rollout(here.url, 2)
        stopped, said = roll(here.fleet, bad)
        first = bad.stages_of(NAMES)[0]
        assert (stopped.state, stopped.stage) == ("stopped", 0)
        assert "model.onnx gives other answers here" in stopped.why
        assert any(line.split(":")[0] in first for line in said)
        assert versions(here) == {1}
        told = {name for name, one in here.fleet.devices().items() if one.desired.rollout == bad.id}
        assert told == set(first)
        until(lambda: any(one.reported.update.state == "refused" for one in here.fleet.devices().values()))
        again, _ = roll(here.fleet, made.rollout(here.url, 3))
        assert again.state == "done"
        assert versions(here) == {3}


def test_a_killed_roll_out_goes_on_from_another_machine(made, tmp_path):
    """What was done is not done again, and one of another bundle is refused meanwhile."""
    with world(made, tmp_path) as here:
        first = Rolling(here.fleet, made.rollout(here.url, 1), say=lambda _: None)
        while first.step().stage == 0:
            time.sleep(0.02)
        with Fleet(here.address) as other:
            with pytest.raises(ConfigError, match=r"1-test of version 1 is in stage 2 of 3; .* edgecls fleet stop"):
                Rolling(other, made.rollout(here.url, 2), say=print)
            done, said = roll(other, replace(made.rollout(here.url, 1), id="another"))
        assert (done.id, done.state) == ("1-test", "done")
        assert said[0] == "roll-out 1-test of version 1 goes on in stage 2 of 3"
        assert versions(here) == {1}
        until(lambda: here.fleet.rollout.state == "done")
        assert first.step().state == "done"


def test_going_back_puts_the_last_good_bundle_in_use(made, tmp_path):
    """Also where the trial is over; a second time nothing happens, and no device goes back by two."""
    with world(made, tmp_path, NAMES[:6]) as here:
        roll(here.fleet, made.rollout(here.url, 1))
        roll(here.fleet, made.rollout(here.url, 2))
        assert versions(here) == {2}
        for _ in range(2):
            rollout, told = roll_back(here.fleet, "the operator says so")
            assert (rollout.id, rollout.state, told) == ("2-test", "stopped", NAMES[:6])
            until(lambda: versions(here) == {1})
            until(lambda: {one.reported.update.state for one in here.fleet.devices().values()} == {"rolled back"})
        here.fleet.tell(dict.fromkeys(NAMES[:6], made.rollout(here.url, 1).desired("back")))
        time.sleep(0.3)
        assert versions(here) == {1}
        refused, _ = roll(here.fleet, made.rollout(here.url, 2))
        assert "rolled back" in refused.why


def test_a_roll_out_that_is_stopped_tells_nobody_else(made, tmp_path):
    """The command that is rolling out sees it; devices whose turn has not come take nothing."""
    with world(made, tmp_path) as here:
        going = Rolling(here.fleet, made.rollout(here.url, 1, spread_s=3600.0), say=lambda _: None)
        first = going.rollout.stages_of(NAMES)[0]
        until(lambda: all(here.fleet.devices()[name].reported.update.state != "applied" for name in first))
        with Fleet(here.address) as other:
            assert stop(other, "stopped by its operator").why == "stopped by its operator"
            with pytest.raises(ConfigError, match="no roll-out is running"):
                stop(other, "again")
        until(lambda: here.fleet.rollout.state == "stopped")
        assert going.step().state == "stopped"
        until(lambda: {here.fleet.devices()[name].desired.action for name in first} == {"stay"})
        assert versions(here) == {0}


def test_a_device_that_goes_silent_and_one_with_a_fault_stop_it(made, tmp_path):
    """Both had the bundle; the will of the one says it, the report of the other."""
    for bad in ("silent", "faulty"):
        folder = tmp_path / bad
        folder.mkdir()
        with world(made, folder, NAMES[:3], every_s=0.3) as here:
            rolls = Rolling(here.fleet, made.rollout(here.url, 1, settle_s=2.0, stages=(1.0,)), say=lambda _: None)
            until(lambda here=here, rolls=rolls: rolls.step() and versions(here) == {1})
            if bad == "silent":
                here.devices.drop(NAMES[0])
            else:
                here.devices.devices[NAMES[0]].faults = ["camera north: lost (no route to host)"]
            done = rolls.run(lambda _: time.sleep(0.05))
            why = "it went" if bad == "silent" else "unhealthy: camera north: lost (no route to host)"
            assert f"1 of 3 devices failed, at most 10% may; the first: roof-00: {why}" in done.why
            if bad == "faulty":
                until(lambda here=here: versions(here) == {0})


def test_the_broker_may_be_away_in_between(made, tmp_path):
    """It is said once, nothing is decided meanwhile, and then it goes on."""
    with world(made, tmp_path, NAMES[:4]) as here:
        here.broker.save()
        said: list[str] = []
        rolls = Rolling(here.fleet, made.rollout(here.url, 1, spread_s=0.0, settle_s=0.5), say=said.append)
        here.broker.freeze()
        threading.Timer(1.0, here.broker.go_on).start()
        assert rolls.run(lambda _: time.sleep(0.05)).state == "done"
        assert versions(here) == {1}


def test_what_cannot_be_rolled_out_is_one_line(made, tmp_path):
    """A broker that is not there, a fleet without devices, and a topic with something else."""
    with pytest.raises(SinkError, match=r"mqtt://\*\*\*@127.0.0.1:1/x: the broker cannot be reached \(Connection refused\)"):
        Fleet("mqtt://me:secret@127.0.0.1:1/x")
    with pytest.raises(ConfigError, match="is not the address of a broker"):
        Fleet("http://broker")
    with broker(tmp_path) as running, Fleet(f"mqtt://127.0.0.1:{running.port}/fleet") as fleet:
        with pytest.raises(ConfigError, match="no device of the name"):
            Rolling(fleet, made.rollout("http://x", 1), say=print)
        with pytest.raises(ConfigError, match="there was no roll-out yet"):
            roll_back(fleet, "")


def test_what_the_broker_has_dropped_is_noticed(tmp_path):
    """A device of which only one half came, as from a broker that cannot queue what it keeps."""
    with broker(tmp_path) as running, Fleet(f"mqtt://127.0.0.1:{running.port}/fleet") as fleet:
        assert fleet.gap == ""
        topic = "fleet/roof-1/reported"
        paho.mqtt.publish.single(topic, '{"schema": 1}', retain=True, port=running.port, hostname="127.0.0.1")
        with Fleet(f"mqtt://127.0.0.1:{running.port}/fleet") as other:
            assert other.gap.startswith("1 device, such as roof-1, came with half of what the broker keeps")


def test_stages_without_devices_are_left_out(made, tmp_path):
    """One device is the first stage of four, and all of them."""
    with world(made, tmp_path, NAMES[:1]) as here:
        done, said = roll(here.fleet, made.rollout(here.url, 1, stages=(0.01, 0.1, 0.5, 1.0)))
        assert (done.state, done.stage, versions(here)) == ("done", 0, {1})
        assert [line for line in said if "(" in line] == ["stage 1 of 4 (1%): 1 device"]
