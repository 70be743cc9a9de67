"""Tests of invalid addresses, and of one deadline for a whole connection."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest

from edgecls.sink.network.connection import Connection, Deadline, OverlongAnswerError, Resolver
from edgecls.text.address import split_address
from tests.sink.tcp import tcp_server

LONG = "a" * 64
SHORT_S = 0.3
PATIENCE_S = 5.0
"""Far more than `SHORT_S`, and less than it takes if the deadline does not work."""


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://host/x", "host", None),
        ("http://my_service:80", "my_service", 80),
        ("http://127.0.0.1:65535/", "127.0.0.1", 65535),
        ("http://[::1]:8080/", "::1", 8080),
        ("http://[fe80::1%eth0]/", "fe80::1%eth0", None),
        ("http://müller.example./", "müller.example.", None),
        (f"http://{'a' * 63}.example/", f"{'a' * 63}.example", None),
        ("http://me:p@ss@host/", "host", None),
    ],
)
def test_a_valid_address_is_split(url, host, port):
    """Names, containers, IPv4, IPv6 with a zone, non-ASCII letters, and the longest label."""
    parts = split_address(url, ("http",))
    assert (parts.hostname, parts.port) == (host, port)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://", "^$"),
        ("http://:80/", "^$"),
        ("http://me:secret@/", "^$"),
        ("ftp://host/", "^$"),
        ("http://ho st/", "expected letters, digits, dots and hyphens"),
        ("http://*/", "expected letters, digits, dots and hyphens"),
        ("http://h%20o/", "expected letters, digits, dots and hyphens"),
        ("http://a..b/", "nothing before or between its dots"),
        (f"http://{LONG}/", "more than 63 characters"),
        (f"http://{'ü' * 63}/", "the host name is invalid: label .*too long"),
        (f"http://{'.'.join(['a' * 60] * 5)}/", "more than 253 characters"),
        ("http://300.1.1.1/", "the host is not a valid IPv4 address"),
        ("http://[::1", "brackets are only for IPv6 addresses"),
        ("http://[::1]x/", "brackets are only for IPv6 addresses"),
        ("http://h]/", "brackets are only for IPv6 addresses"),
        ("http://host:0/", "the port must be a number from 1 to 65535"),
        ("http://host:70000/", "the port must be a number from 1 to 65535"),
        ("http://host:-1/", "the port must be a number from 1 to 65535"),
        ("http://ho\nst/", "control characters"),
        ("http://host/\0", "control characters"),
    ],
)
def test_an_invalid_address_is_rejected_with_the_reason(url, why):
    """Before any lookup."""
    with pytest.raises(ValueError, match=why):
        split_address(url, ("http",))


def connect(port: int, *, wait_s: float = SHORT_S, most_bytes: int = 0) -> Connection:
    """Return a connection to loopback that is not open yet."""
    return Connection(Resolver("127.0.0.1", port), Deadline(wait_s), most_bytes=most_bytes)


def received(connection: Connection) -> bytes:
    """Return everything up to the end."""
    return connection.makefile("rb").read()


def test_data_is_sent_and_received():
    """A whole conversation within the deadline."""

    def talk(peer: socket.socket) -> None:
        peer.sendall(peer.recv(100).upper())

    with tcp_server(talk) as port, connect(port, wait_s=10) as connection:
        connection.open("127.0.0.1")
        connection.sendall(b"hello")
        assert received(connection) == b"HELLO"


def drip(peer: socket.socket) -> None:
    """Send the beginning of a long TLS record, one byte now and then."""
    for byte in b"\x16\x03\x03\x40\x00" + bytes(10_000):
        peer.sendall(bytes([byte]))
        time.sleep(0.05)


def test_bytes_that_drip_do_not_move_the_deadline():
    """Each byte would restart the timeout of a socket."""
    with tcp_server(drip) as port, connect(port) as connection:
        connection.open("127.0.0.1")
        with pytest.raises(TimeoutError, match="timed out"):
            received(connection)


@pytest.mark.parametrize("talk", [drip, lambda peer: peer.recv(1_000_000) and time.sleep(1)], ids=["drips", "silent"])
def test_tls_has_the_same_deadline(talk):
    """For a server that sends slowly, or nothing, instead of a handshake."""
    context = ssl.create_default_context()
    with tcp_server(talk) as port, connect(port) as connection, pytest.raises(OSError, match=r"timed out|SSL"):
        connection.open("127.0.0.1", context=context)


def test_a_reader_that_is_slow_does_not_move_the_deadline():
    """More than the buffers of both ends hold is never read."""
    with tcp_server(lambda peer: time.sleep(1)) as port, connect(port) as connection:
        connection.open("127.0.0.1")
        with pytest.raises(TimeoutError):
            connection.sendall(bytes(50_000_000))


def test_an_answer_without_end_is_cut_off():
    """After the maximum number of bytes."""

    def talk(peer: socket.socket) -> None:
        while True:
            peer.sendall(bytes(1000))

    with tcp_server(talk) as port, connect(port, wait_s=10, most_bytes=5000) as connection:
        connection.open("127.0.0.1")
        with pytest.raises(OverlongAnswerError, match="longer than 5,000 bytes"):
            received(connection)


def test_a_name_server_that_is_silent_is_asked_once(monkeypatch):
    """A lookup cannot be interrupted, so no second one starts meanwhile; its late answer is used."""
    asked, answers = [], threading.Event()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 9))]

    def look_up(*what: object, **_: object) -> list:
        asked.append(what)
        answers.wait(PATIENCE_S)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = Resolver("slow.example", 9)
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError, match=r"no name server has answered for slow\.example"):
                resolver.addresses(Deadline(0.05), threading.Event())
    finally:
        answers.set()
    assert resolver.addresses(Deadline(PATIENCE_S), threading.Event()) == found
    assert len(asked) == 1


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_failed_lookup_is_an_oserror(monkeypatch, error):
    """Whatever the lookup raises."""

    def look_up(*_: object, **__: object) -> list:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(OSError, match=r"Name or service not known|label too long"):
        Resolver("nobody.example", 9).addresses(Deadline(PATIENCE_S), threading.Event())


def test_the_next_address_is_tried(monkeypatch):
    """An address that refuses or never answers takes only its share of the time."""
    with tcp_server(lambda peer: peer.sendall(b"here")) as port, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        refuses, answers = nobody.getsockname(), ("127.0.0.1", port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (refuses, answers)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with Connection(Resolver("two.example", port), Deadline(PATIENCE_S)) as connection:
            connection.open("two.example")
            assert received(connection) == b"here"


def test_another_thread_can_hang_up():
    """A wait for a byte ends, and nothing is opened afterwards."""
    with tcp_server(lambda peer: peer.recv(1)) as port, connect(port, wait_s=60) as connection:
        connection.open("127.0.0.1")
        timer = threading.Timer(0.1, connection.hang_up)
        timer.start()
        assert received(connection) == b""
        timer.join()
        with pytest.raises(ConnectionAbortedError):
            connection.sendall(b"more")
        with pytest.raises(ConnectionAbortedError):
            connection.open("127.0.0.1")
