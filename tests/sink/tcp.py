"""A server on loopback that says what the test wants, byte for byte."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def tcp_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port of a server that calls `talk` with one connection after another, in one thread. When the block ends, its
    reads and writes fail, which ends `talk`.
    """
    current: list[socket.socket] = []
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            current[:] = [connection]
            with connection, suppress(OSError):
                if not over.is_set():
                    talk(connection)
            current.clear()

    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        thread = threading.Thread(target=serve, name="tcp server")
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in tuple(current):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join(10)
