"""Tests of events as POST requests, to a server whose answers the test chooses."""

from __future__ import annotations

import base64
import hmac
import http.server
import json
import socket
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from edgecls import BusyError, ConfigError, RefusedError, SinkError, StateChange
from edgecls.sink import Spool, Spooled, WebhookSink
from edgecls.sink.delivery import spooled
from edgecls.sink.webhook import signature
from tests.live.port import own_port
from tests.run.world import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Request(NamedTuple):
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        status, headers = self.server.answer(request)
        if status is None:
            return  # disconnect without an answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def receiver(answer: Callable[[Request], tuple[int | None, dict[str, str]]]) -> Iterator[str]:
    """Run a server on loopback that answers with a function; yields its address without the scheme."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.answer = answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="receiver")
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def always(status: int | None, **headers: str) -> tuple[list[Request], Callable]:
    """Return a list of the requests, and a function that always returns the same answer."""
    came: list[Request] = []

    def answer(request: Request) -> tuple[int | None, dict[str, str]]:
        came.append(request)
        return status, {name.replace("_", "-"): value for name, value in headers.items()}

    return came, answer


def test_an_event_is_one_request_with_its_json():
    """Path and query are those of the address, the body is the event's line, and the id is the same each time it is sent."""
    came, answer = always(204)
    with receiver(answer) as where, WebhookSink(f"http://{where}/hook?to=me") as sink:
        sink.write_event(event(1, ended=False))
        sink.write_event(event(1))
        sink.write_event(event(1))
    begun, ended, again = came
    assert [request.path for request in came] == ["/hook?to=me"] * 3
    assert json.loads(begun.body)["event"] == json.loads(ended.body)["event"] == event(1).id
    assert json.loads(ended.body)["duration_s"] == 0.5
    for request, key in ((begun, f"{event(1).id}-begin"), (ended, f"{event(1).id}-end"), (again, f"{event(1).id}-end")):
        assert request.headers["idempotency-key"] == request.headers["webhook-id"] == key
        assert request.headers["content-type"] == "application/json"
    assert "webhook-signature" not in ended.headers
    assert "authorization" not in ended.headers


def test_an_address_with_odd_characters_is_escaped():
    """Spaces and non-ASCII letters are escaped; existing escapes stay."""
    came, answer = always(200)
    with receiver(answer) as where, WebhookSink(f"http://{where}/tür auf%2Fzu?a=b c&d=%20") as sink:
        sink.write_event(event())
    assert came[0].path == "/t%C3%BCr%20auf%2Fzu?a=b%20c&d=%20"


def test_a_change_of_state_is_sent_too():
    """With its own id, the same each time."""
    came, answer = always(200)
    change = StateChange("gate", "lost", "cut", 12.345)
    with receiver(answer) as where, WebhookSink(f"http://{where}") as sink:
        sink.write_state(change)
        sink.write_state(change)
        sink.write_state(StateChange("gate", "live", "", 13.0))
    assert json.loads(came[0].body) == {"camera": "gate", "state": "lost", "why": "cut", "at_s": 12.345}
    ids = [request.headers["idempotency-key"] for request in came]
    assert ids[0] == ids[1] != ids[2]
    assert came[0].path == "/"


@pytest.mark.parametrize(
    ("fragment", "secret"),
    [
        ("secret=gate%20keeper", b"gate keeper"),
        ("secret=whsec_" + base64.b64encode(b"\xfb\xef\xbe bytes").decode(), b"\xfb\xef\xbe bytes"),
    ],
)
def test_the_signature_is_that_of_standard_webhooks(fragment, secret):
    """HMAC-SHA256 over id, timestamp and body verifies with the secret; over anything else it does not."""
    came, answer = always(200)
    with receiver(answer) as where, WebhookSink(f"http://{where}/hook#{fragment}") as sink:
        sink.write_event(event())
    (request,) = came
    key, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    digest = hmac.new(secret, f"{key}.{timestamp}.".encode() + request.body, "sha256").digest()
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert abs(int(timestamp) - time.time()) < 60
    assert request.path == "/hook"  # the secret is not sent


def test_the_signature_of_the_standards_own_example():
    """The example of the reference implementations gives the same signature."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_user_and_password_are_basic_authentication():
    """They are percent-decoded, and no error shows them."""
    came, answer = always(500)
    with receiver(answer) as where, WebhookSink(f"http://me:s%40cret@{where}/") as sink, pytest.raises(SinkError) as caught:
        sink.write_event(event())
    assert came[0].headers["authorization"] == "Basic " + base64.b64encode(b"me:s@cret").decode()
    assert "cret" not in str(caught.value)
    assert "cret" not in str(caught.value.args)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 301, 302, 307])
def test_permanent_failures_are_not_retried(status):
    """A 4xx except 408 and 429, or a redirect, would not succeed the next time either."""
    _, answer = always(status, Location="/elsewhere")
    with receiver(answer) as where, WebhookSink(f"http://{where}/hook") as sink, pytest.raises(RefusedError) as caught:
        sink.write_event(event())
    assert f"/hook: answers {status} " in str(caught.value)
    assert ("use the address that it redirects to" in str(caught.value)) == (status < 400)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_temporary_failures_are_retried(status):
    """408, 429 and 5xx are not refusals."""
    _, answer = always(status)
    with receiver(answer) as where, WebhookSink(f"http://{where}/hook") as sink, pytest.raises(SinkError) as caught:
        sink.write_event(event())
    assert not isinstance(caught.value, RefusedError | BusyError)


def test_retry_after_is_read():
    """As seconds, a date, or a date in the past; invalid values are ignored."""
    for value, low, high in (("120", 120, 120), (formatdate(time.time() + 60, usegmt=True), 55, 61), ("0", 0, 0)):
        _, answer = always(503, Retry_After=value)
        with receiver(answer) as where, WebhookSink(f"http://{where}") as sink, pytest.raises(BusyError) as caught:
            sink.write_event(event())
        assert low <= caught.value.after_s <= high
    for value, after_s in ((formatdate(0, usegmt=True), 0.0), ("soon", None), ("²", None)):
        _, answer = always(429, Retry_After=value)
        with receiver(answer) as where, WebhookSink(f"http://{where}") as sink, pytest.raises(SinkError) as caught:
            sink.write_event(event())
        assert getattr(caught.value, "after_s", None) == after_s


def test_no_answer_is_an_error_with_the_reason():
    """For no server, a server that disconnects, and a silent one."""
    with WebhookSink(f"http://127.0.0.1:{own_port()}/") as sink, pytest.raises(SinkError, match=r"no answer \(.*refused\)"):
        sink.write_event(event())
    _, answer = always(None)
    with receiver(answer) as where, WebhookSink(f"http://{where}") as sink, pytest.raises(SinkError, match=r"no answer \(.+\)"):
        sink.write_event(event())
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        WebhookSink(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1) as sink,
        pytest.raises(SinkError, match=r"no answer \(timed out\)"),
    ):
        sink.write_event(event())


def test_a_certificate_that_is_not_valid_is_no_answer():
    """TLS is verified: nothing is sent to a server without valid TLS."""
    _, answer = always(200)
    refused = pytest.raises(SinkError, match=r"no answer \(.*SSL")
    with receiver(answer) as where, WebhookSink(f"https://{where}", timeout_s=2) as sink, refused:
        sink.write_event(event())


def test_a_wait_for_an_answer_can_be_interrupted():
    """`stop` ends the wait of another thread, long before the timeout."""
    errors: list[Exception] = []

    def write(sink: WebhookSink) -> None:
        try:
            sink.write_event(event())
        except SinkError as error:
            errors.append(error)

    with socket.create_server(("127.0.0.1", 0)) as silent, WebhookSink(f"http://127.0.0.1:{silent.getsockname()[1]}") as sink:
        writer = threading.Thread(target=write, args=(sink,))
        writer.start()
        connection, _ = silent.accept()
        with connection:
            connection.recv(10)
            began = time.monotonic()
            sink.stop()
            writer.join(5)
    assert time.monotonic() - began < 3
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "expected an address such as webhook:https://host/path"),
        ("https://", "expected an address such as"),
        ("host/path", "expected an address such as"),
        ("http://host:99999/", "the port must be a number from 1 to 65535"),
        ("http://me:s3cret@host:x/", "the port must be a number from 1 to 65535"),
        ("http://host/#token", "expected only secret=TEXT after the #"),
        ("http://host/#secret=whsec_s3cret!", "begins with whsec_ but is not valid base64"),
    ],
)
def test_an_invalid_address_is_named(url, message):
    """With what was expected, and without the secret."""
    with pytest.raises(ConfigError, match=message) as caught:
        WebhookSink(url)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_fails_half_of_the_time_gets_all_in_order(tmp_path, monkeypatch):
    """With 500, 429 and broken connections in between, every event arrives in order, once per id."""
    monkeypatch.setattr(spooled, "FIRST_WAIT_S", 0.005)
    count = 0
    taken: list[Request] = []

    def answer(request: Request) -> tuple[int | None, dict[str, str]]:
        nonlocal count
        count += 1
        if count % 2:
            return (500, None, 429)[count // 2 % 3], {}
        taken.append(request)
        return 200, {}

    told: list[str] = []
    with receiver(answer) as where:
        sink = WebhookSink(f"http://{where}/#secret=x")
        with Spooled(sink, Spool(tmp_path / "of.spool"), name="webhook", say=told.append, close_wait_s=60) as buffer:
            for i in range(40):
                buffer.write_event(event(i, ended=False))
                buffer.write_event(event(i))
            end = time.monotonic() + 60
            while buffer.backlog.waiting and time.monotonic() < end:
                time.sleep(0.01)
    keys = [request.headers["idempotency-key"] for request in taken]
    assert keys == [f"{event(i).id}-{phase}" for i in range(40) for phase in ("begin", "end")]
    assert buffer.lost == 0


def test_a_refused_event_is_counted_and_the_rest_delivered(tmp_path):
    """An event that the server rejects is discarded and reported; those after it arrive."""
    taken: list[str] = []
    told: list[str] = []

    def answer(request: Request) -> tuple[int | None, dict[str, str]]:
        label = json.loads(request.body)["label"]
        taken.append(label)
        return (422 if label == "bad" else 200), {}

    with receiver(answer) as where:
        sink = WebhookSink(f"http://{where}/hook")
        with Spooled(sink, Spool(tmp_path / "of.spool"), name="hook", say=told.append, close_wait_s=30) as buffer:
            for i, label in enumerate(("a", "bad", "c")):
                buffer.write_event(event(i, label=label))
    assert taken == ["a", "bad", "c"]
    assert buffer.lost == 1
    assert told[0] == f"http://{where}/hook: answers 422 Unprocessable Entity; discarded: 1 event"
