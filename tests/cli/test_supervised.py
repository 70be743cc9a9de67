"""Tests of `edgecls.cli.supervised`: a real run tells a service manager how it is doing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from edgecls.cli.supervised import Supervisor
from edgecls.vitals import Notifier, Vitals
from edgecls.vitals.vitals import Checks
from tests.drawn import gray_levels
from tests.live.port import own_port
from tests.run.world import web_server

PATIENCE_S = 30.0
CONFIG = """
model = "{model}"
quiet = true
sinks = ["prometheus:{port}"]

[[camera]]
name = "gate"
source = "{source}"
reading = {{ open_timeout_s = 2, read_timeout_s = 2 }}
"""


class Manager:
    """What a service manager hears."""

    def __init__(self, path):
        self.path = str(path)
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(0.1)

    def until(self, line, within_s=PATIENCE_S):
        """Listen up to the first message with a line that begins like this, and return the message."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except TimeoutError:
                continue
            if any(one.startswith(line) for one in self.heard[-1].split("\n")):
                return self.heard[-1]
        raise AssertionError(f"{line} was not said, only {self.heard}")

    def silent_for(self, line, seconds):
        """Whether no such line is said for so long, leaving out what was said before."""
        with pytest.raises(AssertionError):
            self.until(line, seconds)

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(tmp_path):
    found = Manager(tmp_path / "notify")
    yield found
    found.close()


@contextmanager
def service(tmp_path, manager, model, source, **environment):
    """A run as systemd starts it, with a watchdog of two seconds."""
    (tmp_path / "cameras.toml").write_text(CONFIG.format(model=model, port=own_port(), source=source))
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecls", "run", "--config", "cameras.toml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000000", "EDGECLS_SPOOL": "spool", **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


def test_a_run_reports_its_life(tmp_path, manager, light_model):
    """It asks for time, is ready with the first result, gives signs of life, tells of a lost camera, reloads and stops."""
    pictures = gray_levels([20, 235] * 400, (48, 64))
    with web_server(pictures, wait_s=0.02) as place, service(tmp_path, manager, light_model, f"{place}/camera") as process:
        assert "EXTEND_TIMEOUT_USEC=60000000" in manager.until("EXTEND_TIMEOUT_USEC")
        assert manager.until("READY=1").split("\n") == ["READY=1", "STATUS=1 of 1 cameras deliver"]
        manager.until("WATCHDOG=1")
        text = (tmp_path / "cameras.toml").read_text()
        (tmp_path / "cameras.toml").write_text(text + "nonsense = 1\n")
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.until("RELOADING=1")
        assert "not reloaded, the run goes on with its last good configuration" in manager.until("READY=1")
        (tmp_path / "cameras.toml").write_text(text)
        process.send_signal(signal.SIGHUP)
        manager.until("RELOADING=1")
        assert "not reloaded" not in manager.until("READY=1")
        process.send_signal(signal.SIGSTOP)  # it is stuck as a whole
        time.sleep(0.3)
        manager.heard.clear()
        manager.silent_for("WATCHDOG=1", 1.5)
        process.send_signal(signal.SIGCONT)
        manager.until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(PATIENCE_S) == 143


def test_cameras_that_open_slowly_get_more_time(manager, monkeypatch):
    """As long as none has delivered and none is known to be lost; open_timeout_s may be longer than a service may start."""
    monkeypatch.setattr("edgecls.cli.supervised.EXTENSION_S", 1.0)
    with Supervisor(Notifier(manager.path)) as supervisor:
        supervisor.watch(Vitals())
        for _ in range(2):
            manager.until("EXTEND_TIMEOUT_USEC=1000000", 5)


def test_a_lost_camera_is_no_reason_to_restart(tmp_path, manager, light_model):
    """The service becomes ready, goes on giving signs of life, and its status names the camera without its password."""
    source = f"rtsp://me:secret@127.0.0.1:{own_port()}/way"
    with service(tmp_path, manager, light_model, source) as process:
        ready = manager.until("READY=1")
        assert "0 of 1 cameras deliver; gate: lost" in ready
        for _ in range(3):
            manager.until("WATCHDOG=1")
        assert process.poll() is None
    assert "secret" not in str(manager.heard)


@pytest.mark.parametrize(("kind", "code"), [("systemd", 78), ("", 1)])
def test_a_wrong_configuration_has_an_exit_code_of_its_own(tmp_path, manager, kind, code):
    """Only under a service manager; by hand it is 1 as for all failures."""
    with service(tmp_path, manager, "missing.onnx", '0"\nnonsense = "', EDGECLS_SERVICE=kind) as process:
        assert process.wait(PATIENCE_S) == code
        assert "nonsense" in process.stderr.read()


def test_a_container_waits_instead_of_being_restarted(tmp_path, manager):
    """Until it is stopped: its restart policy would try the same again for ever."""
    with service(tmp_path, manager, "missing.onnx", '0"\nnonsense = "', EDGECLS_SERVICE="container") as process:
        assert "nonsense" in process.stderr.readline()
        assert "waits to be stopped" in process.stderr.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 78


def test_a_stuck_loop_misses_its_watchdog(manager):
    """The thread that talks to the service manager goes on, but it has nothing good to say."""
    vitals = Vitals(Checks(cameras=lambda: ["gate"]))
    calls = []
    is_stuck = threading.Event()
    with Supervisor(Notifier(manager.path, watchdog_s=0.4)) as supervisor:
        vitals.running(lambda call: calls.append(call) if is_stuck.is_set() else call())
        vitals.changed(_lost())
        supervisor.watch(vitals)
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
        is_stuck.set()
        time.sleep(0.3)
        manager.heard.clear()
        with pytest.raises(AssertionError):
            manager.until("WATCHDOG=1 ", 0.5)
        assert "WATCHDOG=1" not in manager.heard[1:]
        is_stuck.clear()
        calls.pop()()
        manager.until("WATCHDOG=1")


def _lost():
    from edgecls import StateChange

    return StateChange("gate", "lost", "no route", 1.0)
