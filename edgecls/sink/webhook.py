"""Events as POST requests, signed according to Standard Webhooks, so that libraries in many languages can verify them.

The body is the JSON of `edgecls.labels`. It is sent with three headers: `webhook-id`, which stays the same when an event is
sent again (`Idempotency-Key` has the same value), `webhook-timestamp` in seconds since 1970, and, with a secret,
`webhook-signature`.
To verify the body as it was received:

    signed = f"{id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(secret, signed, "sha256").digest()).decode()
    hmac.compare_digest(expected, signature) and abs(time.time() - int(timestamp)) < 300
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, quote, unquote

from edgecls.errors import BusyError, ConfigError, RefusedError, SinkError
from edgecls.labels.json_lines import event_line, state_line
from edgecls.settings import check_limits, limited
from edgecls.sink.delivery.spooled import LONGEST_ASKED_S
from edgecls.sink.network.connection import Connection, Deadline, OverlongAnswerError, Resolver, default_tls
from edgecls.sink.sink import Sink, SinkKind
from edgecls.text.address import split_address
from edgecls.text.redaction import hidden, shown

if TYPE_CHECKING:
    import http.client
    import ssl

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

TIMEOUT_S = 10.0
"""For a whole delivery: name lookup, connection, TLS, request and answer."""
LARGEST_ANSWER = 65_536
"""Bytes of an answer that are read, including the headers. The rest is ignored."""
BODY_WAIT_S = 1.0
"""How long the body of an answer is read. Only the status matters, but some servers fail if the client disconnects early."""
HEADERS = {"Content-Type": "application/json", "User-Agent": "edgecls", "Connection": "close"}
PORTS = {"http": 80, "https": 443}
ASKED_TO_WAIT = (408, 429)
MALFORMED = (OSError, ValueError, LookupError, ArithmeticError)
"""Exceptions if there is no answer, or an answer that is not HTTP."""
LONGEST_REASON = 100
PRINTABLE = "%/:?#[]@!$&'()*+,;=-._~"
"""Characters of an address that are not percent-encoded. % is one of them: the address may contain escapes already."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A POST request for each event and change of state to the address `to`, http or https. #secret=TEXT after it signs the
    requests. A delivery that takes longer than `timeout_s` seconds is retried.
    """

    to: str
    kind: Literal["webhook"] = "webhook"
    timeout_s: float = limited(TIMEOUT_S, above=0, unit="seconds")

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_limits(self)
        WebhookSink(self.to, timeout_s=self.timeout_s)  # checks the address, and opens no connection


class WebhookSink(Sink):
    """Sends each event, when it begins and when it has ended, and each change of a camera's state.

    Each write is one try, which takes at most `timeout_s` seconds. `url` is http or https. A user and password in it are sent
    as basic authentication. `#secret=TEXT` after it signs the requests and is not sent; TEXT is `whsec_` and base64, or any
    text.

    The writes raise BusyError or SinkError for an answer of 408, 429 or 500 and above, for which a retry may help, and
    RefusedError for any other answer except 2xx. Redirects are not followed, because they would lose the body.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Check the address; nothing is sent yet. Raises ConfigError."""
        try:
            parts = split_address(url, PORTS)
        except ValueError as error:
            why = str(error) or "expected an address such as webhook:https://host/path"
            raise ConfigError(f"webhook:{shown(url)}: {why}") from error
        self._name = hidden(parts._replace(fragment="").geturl())
        self._host, self._port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        host = f"[{self._host}]" if ":" in self._host else self._host.encode("idna").decode("ascii")
        self._headers = {"Host": host if parts.port is None else f"{host}:{parts.port}", **HEADERS}
        self._resolver = Resolver(self._host, self._port)
        self._is_https = parts.scheme == "https"
        self._tls: ssl.SSLContext | None = None
        self._path = quote(f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}", PRINTABLE, errors="surrogateescape")
        self._secret = _secret(parts.fragment, url)
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode("utf-8", "surrogateescape")
            self._headers["Authorization"] = f"Basic {base64.b64encode(user).decode()}"
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._stopped = False

    def write(self, result: Result) -> None:
        """Do nothing: labels of single frames are not sent."""

    def write_event(self, event: Event) -> None:
        """Send the event. Does not retry."""
        self._post(f"{event.id}-{event.phase}", event_line(event).encode())

    def write_state(self, change: StateChange) -> None:
        """Send the change of state. Does not retry."""
        line = state_line(change).encode()
        self._post(hashlib.sha256(line).hexdigest()[:16], line)

    def stop(self) -> None:
        """Disconnect a request in progress."""
        self._stopped = True
        connection = self._connection
        if connection is not None:
            connection.hang_up()

    def close(self) -> None:
        """Do nothing: no connection stays open between requests."""

    def _post(self, key: str, body: bytes) -> None:
        now = str(int(time.time()))
        headers = {**self._headers, "Idempotency-Key": key, "webhook-id": key, "webhook-timestamp": now}
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, key, now, body)
        try:
            status, reason, asked_s = self._request(body, headers)
        except MALFORMED as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SinkError(f"{self._name}: no answer ({_plain(why)})") from error
        if status in ASKED_TO_WAIT or status >= 500:
            message = f"{self._name}: answers {status} {reason}"
            raise SinkError(message) if asked_s is None else BusyError(message, asked_s)
        if not 200 <= status < 300:
            hint = "; use the address that it redirects to" if 300 <= status < 400 else ""
            raise RefusedError(f"{self._name}: answers {status} {reason}{hint}")

    def _request(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, float | None]:
        """Return the status, its reason, and the seconds that the server asks to wait (None: it does not ask).

        Raises one of `MALFORMED`.
        """
        import http.client  # it delays only runs that have this sink

        if self._is_https and self._tls is None:
            self._tls = default_tls()
        with Connection(self._resolver, Deadline(self._timeout_s), most_bytes=LARGEST_ANSWER) as connection:
            self._connection = connection
            if self._stopped:
                raise ConnectionAbortedError("stopped")
            try:
                connection.open(self._host, context=self._tls)
                client = http.client.HTTPConnection(self._host, self._port)
                client.sock = connection  # it has all methods that http.client calls
                client.request("POST", self._path, body, headers)
                with client.getresponse() as answer:
                    if answer.status < 200:
                        raise http.client.BadStatusLine(f"{answer.status} {answer.reason}")
                    _skip_body(answer, connection)
                    return answer.status, _plain(answer.reason), _asked_s(answer.headers.get("Retry-After"))
            except http.client.HTTPException as error:
                raise ValueError(str(error) or type(error).__name__) from error
            finally:
                self._connection = None


def _skip_body(answer: http.client.HTTPResponse, connection: Connection) -> None:
    """Read the body within the limits of time and size. Only a malformed body is an error."""
    connection.deadline.shorten(BODY_WAIT_S)
    with contextlib.suppress(TimeoutError, OverlongAnswerError):
        answer.read(LARGEST_ANSWER)


def _plain(text: str) -> str:
    """Return a text from the network, shortened and without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST_REASON])


def signature(secret: bytes, key: str, timestamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = f"{key}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(secret, signed, 'sha256').digest()).decode()}"


def _secret(fragment: str, url: str) -> bytes:
    options = dict(parse_qsl(fragment.replace("+", "%2B"), keep_blank_values=True))  # base64 has a +
    text = options.pop("secret", "")
    if options:
        raise ConfigError(f"webhook:{shown(url.partition('#')[0])}: expected only secret=TEXT after the #")
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ConfigError(
            f"webhook:{shown(url.partition('#')[0])}: the secret begins with whsec_ but is not valid base64"
        ) from error


def _asked_s(header: str | None) -> float | None:
    """Return the seconds to wait from `Retry-After`, a number or a date; None if there is none or it is invalid."""
    if header is None:
        return None
    if header.isascii() and header.strip().isdigit():
        return min(float(header), LONGEST_ASKED_S)
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(header)
        asked_s = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time()
    except MALFORMED:
        return None
    return min(max(0.0, asked_s), LONGEST_ASKED_S)


KIND = SinkKind(
    WebhookSettings,
    lambda out, _say: WebhookSink(out.to, timeout_s=out.timeout_s),
    "to",
    "an address, such as {kind}:https://host/path",
    queue="disk",
    check=lambda _out, _say: None,  # the settings have checked the address
)
