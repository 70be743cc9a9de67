"""The HTTP protocol of the page. Silent connections cannot exhaust it: they are closed after a while, sooner to make room.

A client that sends its request at once gets an answer, however many connections are open that say nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._heard()
        super().connection_lost(exc)

    def _heard(self) -> None:
        self._silent.pop(id(self), None)
        self._limit.cancel()

    def _hang_up(self) -> None:
        self._heard()
        transport: Any = self.transport
        transport.abort()
