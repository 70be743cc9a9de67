"""Connections with one deadline for everything: name lookup, connecting, TLS, sending and receiving.

A socket timeout restarts with every byte, so a server that sends a byte now and then could block a client forever. Here every
step gets only the time that is left.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    from _typeshed import ReadableBuffer, WriteableBuffer

POLL_S = 0.1
"""How often a lookup checks whether it was cancelled; `getaddrinfo` itself cannot be interrupted."""


class OverlongAnswerError(OSError):
    """The server sends too much."""


class Deadline:
    """A point in time by which something must be finished."""

    def __init__(self, wait_s: float) -> None:
        """Set the deadline `wait_s` seconds from now."""
        self._over_at = time.monotonic() + wait_s

    def left_s(self) -> float:
        """Return the seconds that are left. Raises TimeoutError if there are none."""
        left_s = self._over_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s

    def shorten(self, wait_s: float) -> None:
        """Move the deadline forward so that at most `wait_s` seconds are left."""
        self._over_at = min(self._over_at, time.monotonic() + wait_s)


class Resolver:
    """Looks up the addresses of a host in a thread, because a lookup cannot be interrupted.

    While the name server does not answer, all calls share one thread.
    """

    def __init__(self, host: str, port: int) -> None:
        """Store the host; the lookup starts later."""
        self._host, self._port = host, port
        self._thread: threading.Thread | None = None
        self._answer: list[tuple[Any, ...]] | OSError = []

    def addresses(self, deadline: Deadline, hung_up: threading.Event) -> list[tuple[Any, ...]]:
        """Return the result of `socket.getaddrinfo`. Raises OSError."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_up, name=f"look up {self._host}", daemon=True)
            self._thread.start()
        while self._thread.is_alive():
            try:
                self._thread.join(min(deadline.left_s(), POLL_S))
            except TimeoutError:
                raise TimeoutError(f"no name server has answered for {self._host}") from None
            if hung_up.is_set():
                raise ConnectionAbortedError("stopped")
        self._thread = None
        if isinstance(self._answer, OSError):
            raise self._answer
        return self._answer

    def _look_up(self) -> None:
        try:
            self._answer = list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))
        except OSError as error:
            self._answer = error
        except ValueError as error:  # a name that cannot be encoded
            self._answer = OSError(str(error))


def default_tls() -> ssl.SSLContext:
    """Return the settings of TLS with the certificates of this machine. Loading OpenSSL delays only those who need it."""
    import ssl

    return ssl.create_default_context()


class Connection:
    """A connection with one deadline. It has the part of the socket interface that `http.client` needs."""

    def __init__(self, resolver: Resolver, deadline: Deadline, *, most_bytes: int = 0) -> None:
        """Prepare a connection. `most_bytes` limits what may be received; 0 means no limit."""
        self.deadline = deadline
        self._resolver = resolver
        self._hung_up = threading.Event()
        self._sock: socket.socket | None = None
        self._most_bytes = most_bytes
        self._received = 0

    def open(self, host: str, *, context: ssl.SSLContext | None = None) -> socket.socket:
        """Look up the name, connect and, with a `context`, start TLS with `host`. Raises OSError."""
        self._sock = self._connected(self._resolver.addresses(self.deadline, self._hung_up))
        if context is not None:
            self._sock = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
            self._sock.settimeout(self.deadline.left_s())  # OpenSSL applies this to the whole handshake
            self._sock.do_handshake()
        if self._hung_up.is_set():
            raise ConnectionAbortedError("stopped")
        return self._sock

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of `data`."""
        view = memoryview(data).cast("B")
        while view:
            view = view[self._ready().send(view) :]

    def receive_into(self, buffer: WriteableBuffer) -> int:
        """Receive some bytes. Returns 0 at the end. Raises OverlongAnswerError after too many."""
        count = self._ready().recv_into(buffer)
        self._received += count
        if self._most_bytes and self._received > self._most_bytes:
            raise OverlongAnswerError(f"the answer is longer than {self._most_bytes:,} bytes")
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a file for reading from the connection."""
        return io.BufferedReader(_Received(self))

    def close(self) -> None:
        """Do nothing: `http.client` calls this before it has read the body."""

    def hang_up(self) -> None:
        """Abort the connection. May be called from another thread; a blocked call then raises OSError."""
        self._hung_up.set()
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Connection:
        """Return the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()

    def _connected(self, addresses: list[tuple[Any, ...]]) -> socket.socket:
        """Connect to the first address that answers.

        Each gets an equal share of the remaining time, because the first may be unreachable, as IPv6 addresses often are.
        """
        failure: OSError = OSError("the host name has no address")
        for done, (family, kind, protocol, _, address) in enumerate(addresses):
            if self._hung_up.is_set():
                raise ConnectionAbortedError("stopped")
            sock = self._sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self.deadline.left_s() / (len(addresses) - done))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure

    def _ready(self) -> socket.socket:
        if self._sock is None or self._hung_up.is_set():
            raise ConnectionAbortedError("stopped")
        self._sock.settimeout(self.deadline.left_s())
        return self._sock


class _Received(io.RawIOBase):
    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._connection.receive_into(buffer)
