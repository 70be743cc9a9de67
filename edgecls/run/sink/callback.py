"""Results, events and changes of state as calls of Python functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.run.sink.contract import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class CallbackSink(Sink):
    """Calls `on_result`, `on_event` and `on_state`, where given, in the thread of the run; what they raise comes out."""

    def __init__(
        self,
        *,
        on_event: Callable[[Event], object] | None = None,
        on_result: Callable[[Result], object] | None = None,
        on_state: Callable[[StateChange], object] | None = None,
    ) -> None:
        """Keep the functions. An event comes when it begins and again, with the same id, when it has ended."""
        self._on_event = on_event
        self._on_result = on_result
        self._on_state = on_state

    def write(self, result: Result) -> None:
        """Call `on_result`."""
        if self._on_result is not None:
            self._on_result(result)

    def write_event(self, event: Event) -> None:
        """Call `on_event`."""
        if self._on_event is not None:
            self._on_event(event)

    def write_state(self, change: StateChange) -> None:
        """Call `on_state`."""
        if self._on_state is not None:
            self._on_state(change)

    def close(self) -> None:
        """Nothing is open."""
