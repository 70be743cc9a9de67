"""Tell a service manager how a process is doing, by the protocol of systemd's sd_notify.

Lines such as `READY=1` are sent as one datagram to the socket that the variable NOTIFY_SOCKET names. systemd understands them,
and so do container runtimes such as Podman. See sd_notify(3) and "systemd.service", `Type=notify`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SOCKET, WATCHDOG_USEC, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
LONGEST_STATUS = 500
"""In characters."""
SEND_WAIT_S = 1.0
"""A service manager that does not read must not hold up the run."""


class Notifier:
    """Sends messages to a service manager. Nothing is raised: a run goes on without its service manager.

    Attributes:
        watchdog_s: Within how many seconds the service manager expects each sign of life; None if it expects none.
    """

    def __init__(self, address: str, *, watchdog_s: float | None = None) -> None:
        """Open nothing yet. An `address` that begins with @ is a socket in Linux' abstract namespace, else it is a path."""
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None

    @classmethod
    def of_environment(cls, environment: MutableMapping[str, str] | None = None) -> Self | None:
        """Return a notifier for the service manager that started this process; None if none did.

        The variables are removed, so that programs which this process starts do not take them for theirs.
        """
        variables = os.environ if environment is None else environment
        address, usec, pid = (variables.pop(name, "") for name in (SOCKET, WATCHDOG_USEC, WATCHDOG_PID))
        if not address.startswith(("@", "/")) or not hasattr(socket, "AF_UNIX"):
            return None
        is_watched = usec.isascii() and usec.isdigit() and int(usec) > 0 and pid in ("", str(os.getpid()))
        return cls(address, watchdog_s=int(usec) / 1e6 if is_watched else None)

    def ready(self, status: str = "") -> None:
        """Say that the service works, or that a reload is over."""
        self._send("READY=1", *_status(status))

    def reloading(self, status: str = "") -> None:
        """Say that the configuration is being read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", *_status(status))

    def stopping(self, status: str = "") -> None:
        """Say that the service ends."""
        self._send("STOPPING=1", *_status(status))

    def alive(self) -> None:
        """Give a sign of life, for the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Say in one line how the service is doing."""
        self._send(*_status(status))

    def extend(self, seconds: float) -> None:
        """Ask for this much more time to start or to stop, from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if not lines:
            return
        with contextlib.suppress(OSError):
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.settimeout(SEND_WAIT_S)
            self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _status(text: str) -> list[str]:
    """Return the line for a status, which must not contain a line break; none if it is empty."""
    line = " ".join(text.split())
    return [f"STATUS={line[:LONGEST_STATUS]}"] if line else []
