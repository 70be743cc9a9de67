"""A real MQTT broker on loopback, that can be killed and started again, and a client that listens."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.port import own_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 30.0


class Broker:
    """Mosquitto with a folder of its own; `extra` are lines of its configuration."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true", listener: str = "") -> None:
        """Take a free port and start."""
        if shutil.which("mosquitto") is None:
            pytest.skip("mosquitto is not installed (Debian, Ubuntu: apt-get install mosquitto)")
        self.port = own_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\n{listener}\npersistence true\npersistence_location {folder}/\n"
            f"autosave_interval 0\nmax_queued_messages 100000\n{extra}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "mosquitto has ended"
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def save(self) -> None:
        """Have it remember sessions and retained messages over a kill."""
        self._process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)

    def stop(self) -> None:
        """Have it end in good order: it saves sessions and retained messages."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def freeze(self) -> None:
        """Have it keep its connections and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill it if it runs."""
        if self._process is not None and self._process.poll() is None:
            self.kill()


@contextmanager
def broker(folder: Path, extra: str = "allow_anonymous true", listener: str = "") -> Iterator[Broker]:
    """A broker for the length of a block."""
    running = Broker(folder, extra, listener)
    try:
        yield running
    finally:
        running.end()


class Listener:
    """A client with a session that outlives its connection. `came` has (topic, payload, retained) of each message."""

    def __init__(self, port: int, topics: str = "#", **login: str) -> None:
        """Connect and subscribe."""
        paho = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
        self.came: list[tuple[str, str, bool]] = []
        self._subscribed = threading.Event()
        self._client: Any = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=f"listener-{port}-{id(self)}", clean_session=False
        )
        if login:
            self._client.username_pw_set(login["user"], login["password"])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, m: self.came.append((m.topic, m.payload.decode(), m.retain))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def until(self, true: Callable[[list[tuple[str, str, bool]]], bool], within_s: float = PATIENCE_S) -> None:
        """Wait until it is true of what came."""
        end = time.monotonic() + within_s
        while not true(list(self.came)):
            assert time.monotonic() < end, f"it did not come; the last messages are {self.came[-5:]}"
            time.sleep(0.02)

    def last(self, topic: str) -> str | None:
        """The last payload of a topic."""
        return next((payload for t, payload, _ in reversed(list(self.came)) if t == topic), None)

    def end(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listener(port: int, topics: str = "#", **login: str) -> Iterator[Listener]:
    """A listener for the length of a block."""
    running = Listener(port, topics, **login)
    try:
        yield running
    finally:
        running.end()
