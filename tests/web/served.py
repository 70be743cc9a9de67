"""A page to test: its server with a view that the test fills."""

from __future__ import annotations

import http.client
import json
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.run.web import WebSettings
from edgecls.sink import parse_sink
from edgecls.web import PageServer, ViewSink
from edgecls.web.login.passwords import set_password

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edgecls.web import ConfigFile
    from edgecls.web.recorded.found import Recording

PASSWORD = "a password of the tests"  # noqa: S105


class Answer(NamedTuple):
    """What a request was answered with; the names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as a value."""
        return json.loads(self.body)


class Page(NamedTuple):
    """A page that is served."""

    view: ViewSink
    server: PageServer
    config: ConfigFile | None = None

    def ask(self, path: str, method: str = "GET", *, body: str | None = None, host: str = "", **headers: str) -> Answer:
        """Send a request, with underscores for dashes in the names of headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": host or f"127.0.0.1:{self.server.port}", **sent})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def log_in(self, password: str = PASSWORD, user: str = "admin") -> Answer:
        """Send the form."""
        return self.ask("/login", "POST", body=f"user={user}&password={password.replace(' ', '+')}")


def parts_of(message: str | bytes) -> list[str | bytes]:
    """Return the messages in one of the WebSocket, which may be a bundle."""
    if isinstance(message, str) or message[0] != 3:
        return [message]
    found, at = [], 1
    while at < len(message):
        is_text, length = struct.unpack_from(">BI", message, at)
        part = message[at + 5 : at + 5 + length]
        found.append(part.decode() if is_text else part)
        at += 5 + length
    return found


@contextmanager
def served(
    *cameras: str, passwords: Path | None = None, config: ConfigFile | None = None, sinks: Sequence[str] = (),
    recordings: dict[str, Recording] | None = None, **settings: Any,
) -> Iterator[Page]:  # fmt: skip
    """Serve a page with cameras of these names. With `passwords` it needs a login; with `config` it changes that file. The run
    has these `sinks`, and these cameras are `recordings`.
    """
    if passwords is not None:
        set_password(passwords, "admin", PASSWORD)
        settings["passwords"] = str(passwords)
    view = ViewSink(cameras or ("gate",), recordings=lambda: recordings or {})
    outs = [parse_sink(sink) for sink in sinks]
    with PageServer(view, WebSettings(**{"listen": 0} | settings), config=config, outs=lambda: outs) as server:
        yield Page(view, server, config)
    view.close()
