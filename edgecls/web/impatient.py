"""The HTTP protocol of the page. Silent connections cannot exhaust it: they are closed after a while, sooner to make room.

A client that sends its request at once gets an answer, however many connections are open that say nothing. Nor can those of one
address: each gets its share (`edgecls.web.fair_share`), and more of them are answered with a sentence.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from edgecls.web.fair_share import MOST_PER_ADDRESS, TOO_MANY, refuse
from edgecls.web.visitor_network import THIS_MACHINE, network_of

if TYPE_CHECKING:
    import asyncio

    import h11

REQUEST_WAIT_S = 10.0
"""From the connection to the end of the request's headers."""
MOST_SILENT = 64


class ImpatientProtocol(H11Protocol):
    """Closes connections whose request does not come."""

    _silent: ClassVar[OrderedDict[int, ImpatientProtocol]] = OrderedDict()
    """All connections without a request, the oldest first. Only the thread of the page uses it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the request of a new connection. The longest silent one makes room if there are too many."""
        super().connection_made(transport)
        self._is_too_many = self._mates() > MOST_PER_ADDRESS
        if self._is_too_many:
            self.app = refuse
        self._silent[id(self)] = self
        self._limit = self.loop.call_later(REQUEST_WAIT_S, self._hang_up)
        while len(self._silent) > MOST_SILENT:
            _, oldest = self._silent.popitem(last=False)
            oldest._hang_up()

    def handle_events(self) -> None:
        """Stop waiting when the headers of the request have come."""
        super().handle_events()
        if self.scope is not None:
            self._heard()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Pass the connection on to a WebSocket."""
        if self._is_too_many:
            self.send_400_response(TOO_MANY + "\n")
        else:
            super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._heard()
        super().connection_lost(exc)

    def _mates(self) -> int:
        """Return how many connections come from this address, with this one; 0 where that is not counted."""
        network = network_of(self.client[0]) if self.client else THIS_MACHINE
        if network == THIS_MACHINE:
            return 0
        clients = (getattr(one, "client", None) for one in self.connections)
        return sum(client is not None and network_of(client[0]) == network for client in clients)

    def _heard(self) -> None:
        self._silent.pop(id(self), None)
        self._limit.cancel()

    def _hang_up(self) -> None:
        self._heard()
        transport: Any = self.transport
        transport.abort()
