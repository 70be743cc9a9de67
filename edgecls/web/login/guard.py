"""What keeps others out: checks of every request before a route sees it, in the order in which they happen.

1. Host: only names under which this page is served (421), so that no foreign name that resolves to this machine reads it (DNS
   rebinding).
2. Origin and Sec-Fetch-Site: nothing is changed, and no WebSocket opened, for a page of another site (403).
3. Size: a request has at most `LARGEST_BODY` bytes (413).
4. Login: everything but the login page and its style needs a session or a token (401, or the login page), where a login is
   needed. Whoever may only look changes nothing (403).

Every answer has the headers that keep a browser from running anything but the page's own files.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.websockets import WebSocketClose

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edgecls.web.login.sessions import Sessions

COOKIE = "edgecls_session"
LARGEST_BODY = 64 * 1024
OPEN_PATHS = frozenset({"/login", "/page/style.css", "/page/icon.svg", "/healthz", "/readyz"})
"""What is served without a login."""
FOR_VIEWERS = frozenset({"/logout"})
"""What also those may ask for who may only look, though it is no GET."""
VISITOR = "visitor"
"""Where a request says who asks: `request.state.visitor`. Missing where no login is needed or there was none."""
ASK_AGAIN = "ask_again"
"""Where a long connection may ask for its visitor again, who may have logged out or been removed since."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_ALLOWED, UNKNOWN_HOST, TOO_LARGE, NO_SESSION = 403, 421, 413, 401
POLICY_VIOLATION = 1008
"""The code with which a WebSocket is refused (RFC 6455)."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware that checks requests, see above."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], sessions: Sessions | None) -> None:
        """Guard an application.

        Args:
            app: The application.
            hosts: The names of this page, in small letters and without a port.
            sessions: Who has logged in. None: everybody may see the page.
        """
        self._app = app
        self._hosts = frozenset(hosts)
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None and scope["type"] == "websocket":
            await WebSocketClose(POLICY_VIOLATION, refusal[1])(scope, receive, send)
            return
        sending = _with_headers(send)
        if refusal is None:
            await self._app(scope, _limited(receive), sending)
        elif refusal[0] == NO_SESSION and _wants_page(scope, headers):
            await RedirectResponse("/login", 303)(scope, receive, sending)
        else:
            await PlainTextResponse(refusal[1] + "\n", refusal[0])(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return the status and the reason with which to refuse a request, or None."""
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return UNKNOWN_HOST, "this page is not served under that name; add it to hosts in [web] (--host NAME)"
        if (scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS) and not _is_own_page(headers, host):
            return NOT_ALLOWED, "refused: the request comes from a page of another site"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:9]) > LARGEST_BODY:
            return TOO_LARGE, f"refused: a request has at most {LARGEST_BODY} bytes"
        if self._sessions is None:
            return None
        visitor = (ask := partial(self._sessions.visitor, cookie(headers), _bearer(headers)))()
        if scope["path"] in OPEN_PATHS:
            scope.setdefault("state", {}).update({} if visitor is None else {VISITOR: visitor})
            return None
        if visitor is None:
            return NO_SESSION, "log in first, or send a token: Authorization: Bearer TOKEN"
        if visitor.role != "edit" and scope.get("method", "GET") not in SAFE_METHODS and scope["path"] not in FOR_VIEWERS:
            return NOT_ALLOWED, f"refused: {visitor.name} may only look; changes need the role edit"
        scope.setdefault("state", {}).update({VISITOR: visitor, ASK_AGAIN: ask})
        return None


def host_name(host: str) -> str:
    """Return the name in a Host header in small letters, without the port and without the brackets of an IPv6 address."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def cookie(headers: Headers) -> str:
    """Return the session that a request names, or ""."""
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _bearer(headers: Headers) -> str:
    """Return the token that a request names, or ""."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_own_page(headers: Headers, host: str) -> bool:
    """Return whether a request comes from a page of this server, or from no page at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _wants_page(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "GET" and "text/html" in headers.get("accept", "")


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _limited(receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Stop a body that is larger than it said, or that did not say its size."""
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return message if received <= LARGEST_BODY else {"type": "http.disconnect"}

    return receiving
