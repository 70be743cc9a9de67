"""Ports of servers that go away and come back."""

from __future__ import annotations

import random
import socket

RANGE = range(15_000, 32_000)
"""Below the ports that Linux, macOS and Windows give to whoever asks for any."""


def own_port() -> int:
    """A free port of loopback that the system gives to nobody else while its server is away."""
    for port in random.SystemRandom().sample(RANGE, 100):  # tests seed the usual one, so all processes would begin alike
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")
