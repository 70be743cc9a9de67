"""What a sink of results is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class Backlog(NamedTuple):
    """What a sink has not delivered: events and changes of state that wait or are lost, and results that were left out."""

    waiting: int = 0
    lost: int = 0
    dropped: int = 0


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

    def beside(self, sinks: Mapping[str, Sink]) -> None:  # noqa: B027 - most sinks do not care
        """Hear which sinks the run has, by their names, this one included; for one that tells of the others."""

    def stop(self) -> None:  # noqa: B027 - most sinks wait for nothing
        """Break off what a write waits for in another thread, as far as that can be done: it ends with a SinkError."""

    @abstractmethod
    def close(self) -> None:
        """Finish what was written. May be called twice."""

    @property
    def backlog(self) -> Backlog:
        """What was not delivered so far."""
        return Backlog()

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
