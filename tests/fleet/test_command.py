"""`edgecls fleet`: against a real mosquitto with simulated devices."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")

from edgecls.cli import fleet as command
from edgecls.cli.entry import app
from edgecls.fleet import fleet as connection
from tests.fleet.test_rolling import until, versions, world

NAMES = ["cellar-1", "roof-1", "roof-2", "roof-3"]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """The broker is on this machine."""
    monkeypatch.setattr(connection, "QUIET_S", 0.1)
    monkeypatch.setattr(command, "LOOK_EVERY_S", 0.05)


def call(*arguments: object):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["fleet", *map(str, arguments)])


def test_a_fleet_is_rolled_out_to_and_looked_at(made, tmp_path, monkeypatch):
    """From the bundle at its address to what each device has; then a bad one, which is stopped, and what is taken back."""
    with world(made, tmp_path, NAMES) as here:
        monkeypatch.setenv("EDGECLS_FLEET", here.address)
        fast = ("--settle", 0, "--spread", 0, "--stages", "50%,100%", "--devices", "roof-*")
        done = call("roll-out", f"{here.url}/1.bundle", *fast, "--key", made.key)
        assert done.exit_code == 0, done.output
        assert done.stderr.splitlines()[0].endswith(" of version 1, 3 devices")
        assert done.stderr.splitlines()[-1] == "done: version 1 is in use"
        assert [device.version for device in here.devices.devices.values()] == [0, 1, 1, 1]

        shown = call("status")
        lines = shown.stdout.splitlines()
        assert lines[0].split("  ")[0] == "device"
        assert [line.split()[0] for line in lines[1:]] == NAMES
        assert " ".join(lines[2].split()).endswith("street 1 4 ok applied")
        assert "of version 1: done" in shown.stderr
        records = [json.loads(line) for line in call("status", "--json", "--devices", "roof-1").stdout.splitlines()]
        assert [(one["device"], one["online"], one["desired"]["version"]) for one in records] == [("roof-1", True, 1)]
        assert records[0]["reported"]["bundle"]["version"] == 1

        here.devices.bad.add(2)
        stopped = call("roll-out", f"{here.url}/2.bundle", "--bundle", made.folder / "2.bundle", *fast)
        assert stopped.exit_code == 3, stopped.output
        assert "gives other answers here than where it was exported; its devices take it back" in stopped.stderr
        assert [device.version for device in here.devices.devices.values()] == [0, 1, 1, 1]
        assert "stopped: stage 1: " in call("status").stderr

        assert call("stop").exit_code == 1
        assert call("roll-out", f"{here.url}/3.bundle", *fast).exit_code == 0
        back = call("roll-back")
        assert (back.exit_code, back.stderr.splitlines()[-1]) == (0, "all devices that are online have")
        until(lambda: versions(here) == {0, 1})

        here.devices.drop("roof-3")
        until(lambda: not here.fleet.devices()["roof-3"].is_online)
        forgotten = call("forget", "--devices", "roof-[13]")
        assert forgotten.stderr.splitlines() == ["roof-1: is online, so it is not forgotten", "roof-3: is forgotten"]
        assert "roof-3" not in call("status").stdout


def test_another_bundle_than_is_meant_is_not_rolled_out(made, tmp_path, monkeypatch):
    """A wrong hash, a key that did not sign it, an address where nothing is: one line each, before any device is told."""
    monkeypatch.setenv("EDGECLS_FLEET", "mqtt://127.0.0.1:1/x")
    path = made.folder / "1.bundle"
    for arguments, why in (
        (("--bundle", path, "--sha256", "ab" * 32), "not that of --sha256"),
        (("--bundle", path, "--key", _other_key(tmp_path)), "is signed by a key that is not trusted here"),
        ((), "expected https"),
        (("--bundle", path, "--stages", "10%,5%"), "--stages: expected growing shares"),
        (("--bundle", path), "the broker cannot be reached (Connection refused)"),
    ):
        done = call("roll-out", "nowhere://host/1.bundle", *arguments)
        assert done.exit_code == 1, done.output
        assert why in done.stderr
        assert len(done.stderr.splitlines()) == 1


def _other_key(folder):
    from edgecls.bundle import make_keys

    return make_keys("stranger", folder)[1]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("look",), "expected one of status"),
        (("roll-out",), "needs the URL"),
        (("status", "https://host/x"), "needs the URL"),
        (("status",), "expected --broker, the variable EDGECLS_FLEET"),
        (("stop", "--json", "--broker", "mqtt://host"), "--json goes with status"),
        (("roll-out", "https://host/x", "--on-stop", "run", "--broker", "mqtt://host"), "--on-stop back or stay"),
    ],
)
def test_wrong_usage_is_said(arguments, why, monkeypatch):
    """With exit code 2."""
    monkeypatch.delenv("EDGECLS_FLEET", raising=False)
    done = call(*arguments)
    assert done.exit_code == 2
    assert why in " ".join(done.output.replace("│", " ").split())


def test_the_broker_of_a_device_will_do(tmp_path, monkeypatch):
    """Its cameras.toml names it."""
    monkeypatch.delenv("EDGECLS_FLEET", raising=False)
    (tmp_path / "cameras.toml").write_text(
        'model = "x.onnx"\n[fleet]\nbroker = "mqtt://me:secret@127.0.0.1:1/x"\n[[camera]]\nname = "gate"\nsource = 0\n'
    )
    done = call("status", "--config", tmp_path / "cameras.toml")
    assert (done.exit_code, done.stderr.strip()) == (
        1, "error: mqtt://***@127.0.0.1:1/x: the broker cannot be reached (Connection refused)",
    )  # fmt: skip
