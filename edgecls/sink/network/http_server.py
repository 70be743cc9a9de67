"""A small HTTP server that cannot be exhausted: few connections at a time, short requests, and a deadline for each.

When there are too many connections, a new one replaces the oldest that has not sent its request. So a client that sends its
request at once gets an answer, however many silent connections there are.
"""

from __future__ import annotations

import contextlib
import http.server
import io
import socket
import socketserver
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls.sink.network.http_messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CONNECTIONS = 16
LARGEST_REQUEST = 8192
"""Bytes of the request line and all headers."""
REQUEST_WAIT_S = 5.0
"""From the connection to the end of the request."""
ANSWER_WAIT_S = 10.0
"""For the client to read the whole answer."""
ROOM_WAIT_S = 1.0
"""How long to wait for a thread to end after its connection was closed."""
POLL_S = 0.25
CLOSE_WAIT_S = 2.0


class HttpServer:
    """Answers GET, HEAD and OPTIONS with a function, which several threads may call at once. Must be closed."""

    def __init__(self, host: str, port: int, answer: Callable[[Request], Answer]) -> None:
        """Start to listen; `port` 0 chooses a free one. Raises OSError."""
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self._server = _Server(family, address[:2], answer)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="http server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up_all()
        self._thread.join(CLOSE_WAIT_S)


@dataclass(slots=True)
class _Open:
    """An open connection: its deadline, and whether its request has arrived."""

    over_at: float
    has_request: bool = False


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, family: int, address: tuple[Any, Any], answer: Callable[[Request], Answer]) -> None:
        self.address_family = family
        self.answer = answer
        self._lock = threading.Lock()
        self._open: dict[socket.socket, _Open] = {}
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection. If the process has no descriptors left, pause to avoid a busy loop."""
        try:
            found: tuple[socket.socket, tuple[str, int]] = super().get_request()
        except OSError:
            time.sleep(POLL_S)
            raise
        return found

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Start a thread for the connection, replacing another one if there are too many."""
        if not self._room.acquire(blocking=False):
            self._make_room()
            if not self._room.acquire(timeout=ROOM_WAIT_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._open[request] = _Open(time.monotonic() + REQUEST_WAIT_S)
        try:
            super().process_request(request, client_address)
        except BaseException:  # there is no thread that would release it
            self._release(request)
            raise

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._release(request)

    def mark_received(self, request: socket.socket) -> None:
        """Note that the request has arrived, and start the time limit for the answer."""
        with self._lock:
            if request in self._open:
                self._open[request] = _Open(time.monotonic() + ANSWER_WAIT_S, has_request=True)

    def service_actions(self) -> None:
        """Close late connections. A socket timeout would restart with every byte."""
        with self._lock:
            late = [request for request, one in self._open.items() if one.over_at < time.monotonic()]
        for request in late:
            _hang_up(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: clients that hang up do not concern the run."""

    def hang_up_all(self) -> None:
        with self._lock:
            requests = list(self._open)
        for request in requests:
            _hang_up(request)

    def _make_room(self) -> None:
        with self._lock:
            oldest = min(
                self._open, key=lambda request: (self._open[request].has_request, self._open[request].over_at), default=None
            )
        if oldest is not None:
            _hang_up(oldest)

    def _release(self, request: socket.socket) -> None:
        with self._lock:
            known = self._open.pop(request, None)
        if known is not None:
            self._room.release()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    server_version = "edgecls"
    sys_version = ""

    def handle(self) -> None:
        """Read and answer one request."""
        head = self._head()
        if head is None:
            return
        self.server.mark_received(self.request)
        self.rfile = io.BytesIO(head)
        self.close_connection = True
        self.handle_one_request()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        answer = self.server.answer(Request(self.command, path, query, self.headers))
        code, _, reason = answer.status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _head(self) -> bytes | None:
        """Read the request line and headers. Returns None if there is none or it is too long."""
        head = b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            if len(head) > LARGEST_REQUEST:
                self.request_version, self.requestline, self.command = "HTTP/1.0", "", ""
                self.send_error(431)
                return None
            more = self.request.recv(LARGEST_REQUEST)
            if not more:
                return None
            head += more
        return head


def _hang_up(request: socket.socket) -> None:
    with contextlib.suppress(OSError):  # its thread may have closed it
        request.shutdown(socket.SHUT_RDWR)
