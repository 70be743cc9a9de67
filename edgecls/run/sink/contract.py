"""What a sink of results is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class Sink(ABC):
    """A place that takes results. Open from its making until `close`, which leaves whole files."""

    @abstractmethod
    def write(self, result: Result) -> None:
        """Take one result. Raises SinkError when it cannot be kept."""

    def write_state(self, change: StateChange) -> None:  # noqa: B027 - most sinks have no place for it
        """Take a change of a camera's state, in order with its results. Raises SinkError when it cannot be kept."""

    def write_event(self, event: Event) -> None:  # noqa: B027 - most sinks have no place for it
        """Take an event when it begins and again, with the same id, when it has ended. Raises SinkError when it cannot be
        kept.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish what was written. May be called twice."""

    @property
    def done(self) -> bool:
        """Whether this sink wants no more, because the person at it has closed it."""
        return False

    def __enter__(self) -> Self:
        """Return the sink, which is open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the sink."""
        self.close()
