"""Tests of webhooks whose receivers are slow, endless or do not speak HTTP: each write ends, with an error that says whether to
retry.

The servers here would block a client without a deadline forever, so a test that ends shows that the deadline works.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from edgecls import BusyError, ConfigError, RefusedError, SinkError
from edgecls.sink import Spool, Spooled, WebhookSink, webhook
from edgecls.sink.delivery import spooled
from edgecls.sink.delivery.spooled import LONGEST_ASKED_S
from edgecls.sink.kinds import WebhookSettings
from tests.run.world import event
from tests.sink.tcp import tcp_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

SHORT_S = 0.4
OK = b"HTTP/1.1 200 OK\r\n"


def take_request(peer: socket.socket) -> bytes:
    """Read a whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536)
        if not more:
            raise ConnectionError("hung up")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        body += peer.recv(65536)
    return body


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Return a server that sends this answer to every request and disconnects."""

    def talk(peer: socket.socket) -> None:
        take_request(peer)
        peer.sendall(answer)

    return talk


def repeats(start: bytes, more: bytes, every_s: float = 0.0) -> Callable[[socket.socket], None]:
    """Return a server that begins an answer and repeats bytes forever."""

    def talk(peer: socket.socket) -> None:
        take_request(peer)
        peer.sendall(start)
        while True:
            peer.sendall(more)
            time.sleep(every_s)

    return talk


def write_to(talk: Callable[[socket.socket], None], timeout_s: float = SHORT_S) -> None:
    """Send one event to such a server."""
    with tcp_server(talk) as port, WebhookSink(f"http://127.0.0.1:{port}/hook", timeout_s=timeout_s) as sink:
        sink.write_event(event())


ENDLESS = {
    "nothing": lambda peer: peer.recv(1_000_000) and time.sleep(2),
    "reads nothing": lambda peer: time.sleep(2),
    "100-continue": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "100-continue with headers": repeats(b"", b"HTTP/1.1 100 Continue\r\na: b\r\n\r\n", 0.02),
    "dripped status line": repeats(b"HTTP/1.1 ", b"2", 0.05),
    "dripped header": repeats(OK + b"a: ", b"x", 0.05),
    "dripped headers": repeats(OK, b"a: b\r\n", 0.05),
}


@pytest.mark.parametrize("talk", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_whose_head_never_ends_is_no_answer(talk):
    """One deadline covers everything, so occasional bytes do not extend it; the write can be retried."""
    with pytest.raises(SinkError, match=r"/hook: no answer \(.+\)") as caught:
        write_to(talk)
    assert not isinstance(caught.value, RefusedError | BusyError)


FLOODS = {
    "100-continue": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "one header": repeats(OK + b"a: ", b"x" * 10_000),
    "headers": repeats(OK, b"a: b\r\n" * 1000),
    "status line": repeats(b"HTTP/1.1 200 ", b"x" * 10_000),
}


@pytest.mark.parametrize("talk", FLOODS.values(), ids=FLOODS)
def test_a_head_without_end_is_no_answer(talk):
    """It fails long before the deadline, because the number of bytes is limited."""
    with pytest.raises(SinkError, match=r"/hook: no answer \((?!timed out).+\)"):
        write_to(talk, timeout_s=60)


BODIES = {
    "dripped": repeats(OK + b"\r\n", b"x", 0.05),
    "dripped to a length": repeats(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.05),
    "dripped chunks": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05),
    "endless": repeats(OK + b"\r\n", b"x" * 10_000),
    "endless chunks": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
    "endless chunk extension": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n1", b";x" * 1000),
    "a chunk of petabytes": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n", b"x" * 10_000),
    "an impossible length": says(OK + b"Content-Length: 99999999999999999999999\r\n\r\nx"),
    "an invalid length": says(OK + b"Content-Length: -5\r\n\r\nx"),
    "none": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "binary headers": says(OK + b"\xff\xfe\x00: \x80\r\n\r\n"),
}


@pytest.mark.parametrize("talk", BODIES.values(), ids=BODIES)
def test_the_body_is_ignored_after_a_limit(talk, monkeypatch):
    """The status confirms the delivery, so the rest of the body does not matter."""
    monkeypatch.setattr(webhook, "BODY_WAIT_S", SHORT_S)
    write_to(talk, timeout_s=60)


MALFORMED = {
    "garbage": says(b"\x00\xff\xfe garbage \r\n\r\n"),
    "a status that is not a number": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "status 99": says(b"HTTP/1.1 99 Low\r\n\r\n"),
    "status 1000": says(b"HTTP/1.1 1000 High\r\n\r\n"),
    "status -200": says(b"HTTP/1.1 -200 Less\r\n\r\n"),
    "another protocol": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "101": says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "103": says(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "HTTP/9": says(b"HTTP/9 200 OK\r\n\r\n"),
    "a chunk size that is not a number": says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n"),
    "chunk that is cut off": says(OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nx"),
    "chunk size beyond all numbers": says(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"q\r\n"),
    "hangs up at once": lambda peer: None,
    "hangs up after the request": says(b""),
    "half a status line": says(b"HTTP/1.1 20"),
    "999": says(b"HTTP/1.1 999 Request denied\r\n\r\n"),
}


@pytest.mark.parametrize("talk", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_is_retried(talk):
    """It is neither a refusal nor an error of edgecls: the event stays."""
    with pytest.raises(SinkError) as caught:
        write_to(talk, timeout_s=10)
    assert not isinstance(caught.value, RefusedError | BusyError)


@pytest.mark.parametrize(
    "value", ["nan", "-1", "1e999", "inf", "1.5", "", "Mon, 99 Foo 2020", "Thu, 01 Jan 99999 00:00:00 GMT", "\xff"]
)
def test_an_invalid_retry_after_is_ignored(value):
    """The waits of the buffer apply."""
    with pytest.raises(SinkError, match="answers 503") as caught:
        write_to(says(f"HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\n\r\n".encode("latin-1")), timeout_s=10)
    assert not isinstance(caught.value, BusyError)


@pytest.mark.parametrize("value", ["9" * 400, "3601", "Wed, 21 Oct 9999 07:28:00 GMT"])
def test_retry_after_is_limited(value):
    """A receiver cannot stop its webhooks by asking for a very long wait."""
    with pytest.raises(BusyError) as caught:
        write_to(says(f"HTTP/1.1 429 Busy\r\nRetry-After: {value}\r\n\r\n".encode()), timeout_s=10)
    assert caught.value.after_s == LONGEST_ASKED_S


def test_what_a_server_says_cannot_steer_the_terminal():
    """Its reason is shortened and printed without control characters."""
    with pytest.raises(RefusedError) as caught:
        write_to(says(b"HTTP/1.1 404 \x1b[31m\x07Not" + b"!" * 1000 + b"\r\n\r\n"), timeout_s=10)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_redirection_in_a_circle_is_not_followed():
    """There is one request, which is refused."""
    came = []

    def talk(peer: socket.socket) -> None:
        came.append(take_request(peer))
        peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: /hook\r\n\r\n")

    with pytest.raises(RefusedError, match="use the address that it redirects to"):
        write_to(talk, timeout_s=10)
    assert len(came) == 1


@pytest.mark.parametrize(
    "to",
    [
        "webhook:http:///hook",
        "webhook:http://ho st/",
        f"webhook:http://{'a' * 64}.example/",
        "webhook:http://[::1/hook",
        "webhook:http://host:0/",
        "webhook:http://host:70000/",
        "webhook:https://a..b/",
    ],
)
def test_an_impossible_host_is_found_with_the_settings(to):
    """`check-config` reads settings, so it reports the same line. No name is looked up."""
    with pytest.raises(ConfigError, match=r"^webhook:http.+: .+"):
        WebhookSettings(to.removeprefix("webhook:"))


def test_a_slow_answer_can_be_interrupted():
    """`stop` ends a write in another thread long before the deadline."""
    errors: list[Exception] = []

    def write() -> None:
        try:
            sink.write_event(event())
        except SinkError as error:
            errors.append(error)

    heard = threading.Event()

    def talk(peer: socket.socket) -> None:
        take_request(peer)
        heard.set()
        while True:
            peer.sendall(b"H")
            time.sleep(0.05)

    with tcp_server(talk) as port, WebhookSink(f"http://127.0.0.1:{port}/", timeout_s=600) as sink:
        writer = threading.Thread(target=write)
        writer.start()
        assert heard.wait(10)
        sink.stop()
        writer.join(10)
        assert not writer.is_alive()
    assert len(errors) == 1


def test_a_receiver_that_misbehaves_now_and_then_gets_all_in_order(tmp_path, monkeypatch):
    """Malformed, slow and oversized answers in between cost no event: each arrives, in order."""
    monkeypatch.setattr(spooled, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(spooled, "LONGEST_WAIT_S", 0.01)
    bad = [MALFORMED["garbage"], ENDLESS["dripped headers"], FLOODS["headers"], MALFORMED["hangs up after the request"]]
    taken: list[bytes] = []
    calls = 0

    def talk(peer: socket.socket) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            bad[calls // 2 % len(bad)](peer)
        else:
            taken.append(take_request(peer))
            peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with tcp_server(talk) as port:
        sink = WebhookSink(f"http://127.0.0.1:{port}/", timeout_s=SHORT_S)
        with Spooled(sink, Spool(tmp_path / "of.spool"), name="webhook", close_wait_s=60) as buffer:
            for i in range(8):
                buffer.write_event(event(i))
            end = time.monotonic() + 60
            while buffer.backlog.waiting and time.monotonic() < end:
                time.sleep(0.01)
    assert buffer.lost == 0
    assert [body.split(b'"')[3].decode() for body in taken] == [event(i).id for i in range(8)]
