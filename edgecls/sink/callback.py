"""A sink that calls Python functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.sink.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class CallbackSink(Sink):
    """Calls functions with results, events and changes of state, in the thread of the run.

        sink = edgecls.CallbackSink(on_event=lambda event: print(event.label))

    Exceptions of the functions end the run.
    """

    def __init__(
        self,
        *,
        on_event: Callable[[Event], object] | None = None,
        on_result: Callable[[Result], object] | None = None,
        on_state: Callable[[StateChange], object] | None = None,
    ) -> None:
        """Store the functions. `on_event` is called when an event begins and again, with the same id, when it has ended."""
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
        """Do nothing."""
