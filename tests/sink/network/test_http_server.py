"""Tests of the metrics port in a hostile network: silent, slow, endless and greedy clients beside a normal one."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from edgecls.sink.network import http_server
from edgecls.sink.network.http_messages import Answer, Request
from edgecls.sink.network.http_server import MOST_CONNECTIONS, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = b"x" * 20_000_000
"""More than the buffers of both ends of a connection hold."""


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """Run a server that answers with the path, or with much data."""

    def answer(request: Request) -> Answer:
        if request.path == "/fails":
            raise ValueError("a fault of ours")
        return Answer("200 OK", [], LARGE if request.path == "/large" else request.path.encode())

    running = HttpServer("127.0.0.1", 0, answer)
    yield running
    running.close()
    until(lambda: threading.active_count() == 1)


def connect(server: HttpServer, text: bytes = b"") -> socket.socket:
    """Return a connection over which this was sent."""
    peer = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    peer.sendall(text)
    return peer


def ask(server: HttpServer, path: str = "/metrics") -> bytes:
    """Return the answer to a normal request."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=20) as answer:
        body: bytes = answer.read()
    return body


def until(true) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_closed(peer: socket.socket) -> bool:
    """Whether the server has disconnected, with or without an answer."""
    with contextlib.suppress(ConnectionError):
        while peer.recv(1_000_000):
            pass
    return True


def test_silent_connections_keep_nobody_out(server):
    """However many there are, only few are kept, and a normal client is answered."""
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(server))
        assert ask(server) == b"/metrics"
        assert len(server._server._open) <= MOST_CONNECTIONS
        assert threading.active_count() <= MOST_CONNECTIONS + 4
        for _ in range(50):
            stack.enter_context(connect(server, b"GET / HT"))
            assert ask(server) == b"/metrics"


def test_a_connection_with_a_request_stays(server):
    """A silent connection is replaced before one that is being answered, even an older one."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(connect(server, b"GET /large HTTP/1.0\r\n\r\n"))
        until(lambda: any(one.has_request for one in server._server._open.values()))
        for _ in range(3 * MOST_CONNECTIONS):
            stack.enter_context(connect(server))
        received = 0
        while more := first.recv(1_000_000):
            received += len(more)
    assert received > len(LARGE)


@pytest.mark.parametrize("text", [b"", b"GET", b"GET / HTTP/1.0\r\na: b\r\n"])
def test_a_request_that_does_not_end_is_not_waited_for(server, monkeypatch, text):
    """The server disconnects."""
    monkeypatch.setattr(http_server, "REQUEST_WAIT_S", 0.1)
    with connect(server, text) as peer:
        assert is_closed(peer)


def test_a_slow_request_is_not_waited_for(server, monkeypatch):
    """Occasional bytes do not extend its deadline."""
    monkeypatch.setattr(http_server, "REQUEST_WAIT_S", 0.1)
    with connect(server) as peer:
        peer.settimeout(0.05)
        hung_up = False
        while not hung_up:
            try:
                peer.sendall(b"G")
                hung_up = not peer.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:
                hung_up = True


def test_an_answer_that_is_not_read_is_abandoned(server, monkeypatch):
    """Its thread ends, and others are answered meanwhile."""
    monkeypatch.setattr(http_server, "ANSWER_WAIT_S", 0.3)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(server, b"GET /large HTTP/1.0\r\n\r\n"))
        until(lambda: len(server._server._open) == 5)
        assert ask(server) == b"/metrics"
        until(lambda: not server._server._open)


@pytest.mark.parametrize("text", [b"GET / HTTP/1.0\r\n" + b"a: b\r\n" * 5000, b"GET /" + b"x" * 50_000, b"x" * 50_000])
def test_a_long_request_is_refused(server, text):
    """Before it takes memory."""
    with connect(server) as peer, contextlib.suppress(ConnectionError):
        peer.sendall(text)
        assert peer.recv(100).startswith(b"HTTP/1.0 431 ")
    assert ask(server) == b"/metrics"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (b"GET /a?b=c HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
        (b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
        (b"POST / HTTP/1.0\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.0 501 "),
        (b"GET / HTTP/9.9\r\n\r\n", b"505 "),
        (b"\x16\x03\x01\x00\xff\xfe\r\n\r\n", b"400 "),
        (b"GET /fails HTTP/1.0\r\n\r\n", b""),
    ],
)
def test_each_request_has_its_answer(server, capfd, text, start):
    """Or none if it is not HTTP; nothing is printed."""
    with connect(server, text) as peer, contextlib.suppress(ConnectionError):
        assert start.strip() in peer.recv(1000)  # without a status line where the version is not understood
    assert ask(server) == b"/metrics"
    assert capfd.readouterr().err == ""


def test_an_accept_that_fails_is_tried_again(server, monkeypatch):
    """As when the process has no descriptors left."""
    accept, failures = server._server.socket.accept, []

    class Failing:
        def accept(self) -> object:
            if len(failures) < 2:
                failures.append(1)
                raise OSError(24, "Too many open files")
            return accept()

    monkeypatch.setattr(server._server, "socket", Failing())
    assert ask(server) == b"/metrics"
    monkeypatch.undo()
    assert len(failures) == 2


def test_close_ends_open_connections():
    """Silent connections do not delay it."""
    server = HttpServer("127.0.0.1", 0, lambda _: Answer("200 OK", [], b""))
    with connect(server) as peer:
        until(lambda: server._server._open)
        server.close()
        assert is_closed(peer)
    until(lambda: threading.active_count() == 1)
