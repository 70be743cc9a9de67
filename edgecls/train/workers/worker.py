"""Which part of a run on several workers a process is."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from edgecls.settings import check, check_limits, limited


@dataclass(frozen=True, slots=True)
class Worker:
    """One of several processes that train a network together.

    Attributes:
        rank: Its number, from 0. Worker 0 writes the run folder and says what happens.
        workers: How many there are.
        coordinator: HOST:PORT of worker 0, the same for all. The others must reach it, and one another, on every port.
        join_wait_s: How long to wait until all have come, in seconds.

    Example:
        Worker(rank=1, workers=2, coordinator="10.0.0.1:7700")
    """

    rank: int = limited(0, at_least=0)
    workers: int = limited(1, above=0, at_most=4096)
    coordinator: str = ""
    join_wait_s: float = limited(300.0, above=0)

    def __post_init__(self) -> None:
        """Validate the settings. Raises ConfigError."""
        check_limits(self)
        check("rank", self.rank, self.rank < self.workers, f"from 0 to below the {self.workers} `workers`")
        host, _, port = self.coordinator.rpartition(":")
        is_address = bool(host) and port.isdecimal() and 0 < int(port) < 65536
        check("coordinator", self.coordinator, is_address, "HOST:PORT of worker 0, such as 10.0.0.1:7700")

    @property
    def host(self) -> str:
        """The host of worker 0."""
        return self.coordinator.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of worker 0."""
        return int(self.coordinator.rpartition(":")[2])

    @property
    def family(self) -> socket.AddressFamily:
        """The family of its address."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET
