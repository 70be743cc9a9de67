"""Everybody gets a share: one address holds at most so many connections, and the others find room.

Connections are counted by the address that they come from (`edgecls.web.impatient`), those of IPv6 by its network of 64 bits,
whose addresses one visitor may have all. A reverse proxy on this machine brings those of everybody, so its address and that of
programs beside the run, 127.0.0.1 or ::1, has no limit of its own; what counts there are the requests and WebSockets in
progress of each address that the proxy names in X-Forwarded-For. No other machine's word is taken for that.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from edgecls.web.visitor_network import THIS_MACHINE, network_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST_PER_ADDRESS = 48
"""Of the 256 connections, and of the 64 viewers. A browser keeps up to 6, and a WebSocket for each tab."""
TOO_MANY = f"your address has {MOST_PER_ADDRESS} connections to this page already; close some, and try again"
TRY_AGAIN_LATER = 1013
"""The code with which a WebSocket too many is refused (RFC 6455's registry)."""
UNAVAILABLE = 503


class FairShare:
    """ASGI middleware that refuses what is too much for one address."""

    def __init__(self, app: ASGIApp) -> None:
        """Guard an application."""
        self._app = app
        self._going: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        network = network_of((scope.get("client") or ("",))[0])
        if scope["type"] not in ("http", "websocket") or network == THIS_MACHINE:
            await self._app(scope, receive, send)
        elif self._going[network] >= MOST_PER_ADDRESS:
            await refuse(scope, receive, send)
        else:
            self._going[network] += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._going[network] -= 1
                if not self._going[network]:
                    del self._going[network]


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Say in a sentence that there are too many connections, and end this one."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})  # otherwise browsers do not learn the reason
        await WebSocketClose(TRY_AGAIN_LATER, TOO_MANY)(scope, receive, send)
    else:
        await PlainTextResponse(TOO_MANY + "\n", UNAVAILABLE, {"Connection": "close"})(scope, receive, send)
