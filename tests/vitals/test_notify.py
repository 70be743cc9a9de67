"""Tests of `edgecls.vitals.notify`: datagrams as a service manager receives them."""

from __future__ import annotations

import os
import socket
import time

import pytest

from edgecls.vitals import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket, by its path or in the abstract namespace, and its address."""
    name = f"@edgecls-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listening.settimeout(5.0)
        yield listening, name


def received(listening):
    """The next message as its lines."""
    return listening.recv(4096).decode().split("\n")


def test_each_message_is_one_datagram(manager):
    """With the words of sd_notify(3). A status is one line, whatever it contains."""
    listening, name = manager
    notifier = Notifier(name)
    notifier.ready("2 of 2 cameras deliver\nWATCHDOG=1")
    assert received(listening) == ["READY=1", "STATUS=2 of 2 cameras deliver WATCHDOG=1"]
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    reloading, at = received(listening)
    assert reloading == "RELOADING=1"
    assert before <= int(at.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    notifier.alive()
    assert received(listening) == ["WATCHDOG=1"]
    notifier.extend(1.5)
    assert received(listening) == ["EXTEND_TIMEOUT_USEC=1500000"]
    notifier.stopping()
    assert received(listening) == ["STOPPING=1"]
    notifier.status("x" * 10_000)
    assert len(received(listening)[0]) < 600
    notifier.close()


def test_the_environment_is_used_up():
    """Programs that the run starts must not take the socket for theirs, and a watchdog of another process is none of ours."""
    found = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    notifier = Notifier.of_environment(found)
    assert (notifier.watchdog_s, found) == (60.0, {"HOME": "/"})
    assert (
        Notifier.of_environment({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}).watchdog_s is None
    )
    assert Notifier.of_environment({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "often"}).watchdog_s is None


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "here"}])
def test_without_a_usable_socket_there_is_no_notifier(environment):
    """Also for addresses that are neither a path nor abstract."""
    assert Notifier.of_environment(environment) is None


def test_a_service_manager_that_is_gone_does_not_disturb(tmp_path):
    """Nothing is raised, neither without the socket nor after its end."""
    notifier = Notifier(str(tmp_path / "gone"))
    notifier.ready()
    notifier.alive()
    notifier.close()
