"""Events as POST requests, signed as the Standard Webhooks say, so that libraries in many languages verify them.

Three headers go with the JSON of `edgecls.run.wire`: `webhook-id`, which is the same whenever the same event is sent again
(`Idempotency-Key` says the same), `webhook-timestamp` in seconds since 1970, and, where there is a secret, `webhook-signature`.
To verify, with the body as it came:

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
import http.client
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from edgecls.errors import BusyError, ConfigError, RefusedError, SinkError, redact
from edgecls.run.sink.contract import Sink
from edgecls.run.wire import event_line, state_line

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

TIMEOUT_S = 10.0
"""For the connection, and for each wait for bytes of the answer."""
LARGEST_ANSWER = 65_536
ASKED_TO_WAIT = (408, 429)
PRINTABLE = "%/:?#[]@!$&'()*+,;=-._~"
"""What stands in an address as it is, an escape that was written already included."""


class WebhookSink(Sink):
    """Sends each event, when it begins and when it has ended, and each change of a camera's state: one try for one write.

    `url` is http or https; a user and password in it are sent as basic authentication; `#secret=TEXT` behind it, which is not
    sent, signs (`whsec_` and base64, or any text). An answer of 408, 429 or 500 and above is a BusyError or SinkError, for
    which another try may help; any other but 2xx is a RefusedError. Redirections are not followed, as they would lose the body.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Check the address; nothing is sent yet. Raises ConfigError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"webhook:{url}: expected an address such as webhook:https://host/path")
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"webhook:{url}: the port must be a number up to 65535") from error
        self._name = redact(parts._replace(fragment="").geturl())
        self._is_https, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = quote(f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}", safe=PRINTABLE)
        self._secret = _secret(parts.fragment, url)
        self._headers = {"Content-Type": "application/json", "User-Agent": "edgecls"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self._stopped = False

    def write(self, result: Result) -> None:
        """Nothing: labels of single frames are not sent."""

    def write_event(self, event: Event) -> None:
        """Send it, once."""
        self._post(f"{event.id}-{event.phase}", event_line(event).encode())

    def write_state(self, change: StateChange) -> None:
        """Send it, once."""
        line = state_line(change).encode()
        self._post(hashlib.sha256(line).hexdigest()[:16], line)

    def stop(self) -> None:
        """Hang up."""
        self._stopped = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Nothing is open between two requests."""

    def _post(self, key: str, body: bytes) -> None:
        now = str(int(time.time()))
        headers = {**self._headers, "Idempotency-Key": key, "webhook-id": key, "webhook-timestamp": now}
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, key, now, body)
        try:
            answer, reason, asked = self._request(body, headers)
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SinkError(f"{self._name}: no answer ({why})") from error
        if answer in ASKED_TO_WAIT or answer >= 500:
            message = f"{self._name}: answers {answer} {reason}"
            raise SinkError(message) if asked is None else BusyError(message, asked)
        if not 200 <= answer < 300:
            hint = "; give the address that it leads to" if 300 <= answer < 400 else ""
            raise RefusedError(f"{self._name}: answers {answer} {reason}{hint}")

    def _request(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, float | None]:
        """Return the status, its reason and for how many seconds the server asks for patience, if it does."""
        if self._stopped:
            raise ConnectionAbortedError("stopped")
        if self._is_https:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)  # type: ignore[assignment]
        self._connection = connection
        try:
            connection.request("POST", self._path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            answer.read(LARGEST_ANSWER)
            return answer.status, answer.reason, _asked_s(answer.headers.get("Retry-After"))
        finally:
            self._connection = None
            connection.close()


def signature(secret: bytes, key: str, timestamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = f"{key}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(secret, signed, 'sha256').digest()).decode()}"


def _secret(fragment: str, url: str) -> bytes:
    options = dict(parse_qsl(fragment.replace("+", "%2B"), keep_blank_values=True))  # base64 has a +
    text = options.pop("secret", "")
    if options:
        raise ConfigError(f"webhook:{url.partition('#')[0]}: expected secret=TEXT behind the #, found something else")
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"webhook:{url.partition('#')[0]}: the secret begins with whsec_ but is no base64") from error


def _asked_s(header: str | None) -> float | None:
    """Read `Retry-After`: seconds, or a date."""
    if header is None:
        return None
    if header.isascii() and header.strip().isdigit():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())
