"""The interface of sinks, and the description of a kind of sinks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange
    from edgecls.log import Say
    from edgecls.vitals.vitals import Vitals

S = TypeVar("S")
"""The settings of a kind."""
REMEMBERED_EVENTS = 1000
"""Number of recent event ids that a sink remembers, so that an event that is reported twice is recorded once."""


class Backlog(NamedTuple):
    """What a sink has not delivered: waiting and lost events and changes of state, and dropped results."""

    waiting: int = 0
    lost: int = 0
    dropped: int = 0


class Sink(ABC):
    """Receives results, events and changes of state. It is open from its creation until `close`, which completes its files."""

    @abstractmethod
    def write(self, result: Result) -> None:
        """Write a result. Raises SinkError if that fails."""

    def write_state(self, change: StateChange) -> None:  # noqa: B027 - most sinks ignore it
        """Write a change of a camera's state, in order with its results. Raises SinkError if that fails."""

    def write_event(self, event: Event) -> None:  # noqa: B027 - most sinks ignore it
        """Write an event: when it begins and again, with the same id, when it has ended. Raises SinkError if that fails."""

    def beside(self, sinks: Mapping[str, Sink]) -> None:  # noqa: B027 - most sinks ignore it
        """Receive all sinks of the run, by name and including this one. For sinks that report on the others."""

    def attend(self, vitals: Vitals) -> None:  # noqa: B027 - most sinks ignore it
        """Receive the vital signs of the run. For sinks that report on it."""

    def stop(self) -> None:  # noqa: B027 - most sinks do not wait
        """Interrupt a write that is waiting in another thread, if possible. It then raises SinkError."""

    @abstractmethod
    def close(self) -> None:
        """Finish and close the output. May be called twice."""

    @property
    def backlog(self) -> Backlog:
        """What has not been delivered so far."""
        return Backlog()

    @property
    def trouble(self) -> str:
        """Why nothing can be delivered at present, in one line; "" while it works. May be asked for by another thread."""
        return ""

    @property
    def done(self) -> bool:
        """Whether the user has closed this sink, which ends the run."""
        return False

    @property
    def explains(self) -> bool:
        """Whether it shows how objects are followed, so that results need `Overlay.tracks`."""
        return False

    def __enter__(self) -> Self:
        """Return the sink, which is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the sink."""
        self.close()


@dataclass(frozen=True, slots=True)
class SinkKind(Generic[S]):
    """A kind of sinks: a row of `SINKS`, defined at the end of the module of each kind.

    Args:
        settings: The class of its settings, which are also a table [[sink]] of cameras.toml.
        open: Opens a sink from settings; its second argument is called with a one-line message for later problems.
        target: The setting after the colon in a specification such as `video:out.mp4`; "" if there is none.
        needs: What is expected after the colon, for errors; {kind} stands for the name of the kind.
        is_folder: Whether the target is a folder, in which it writes files.
        is_address: Whether the target includes the name of the kind, as in mqtt://host.
        draws: Whether it shows pictures, so that cameras must be decoded at full size.
        queue: The queue before the sink, which then runs in its own thread; `close` waits for that thread. "disk" is a spool,
            which passes only events and changes of state (`Spooled`); "memory" passes everything (`Background`). None: the sink
            runs in the thread of the run.
        files: Returns the files that it writes for cameras with the given names.
        keep_s: Returns how many seconds of packets sources must keep for it.
        check: Checks that it could be opened without sending or deleting anything; default: open and close it.
    """

    settings: type[S]
    open: Callable[[S, Say], Sink]
    target: str = ""
    needs: str = ""
    is_folder: bool = False
    is_address: bool = False
    draws: bool = False
    queue: Literal["memory", "disk"] | None = None
    files: Callable[[S, Sequence[str]], list[Path]] = lambda _out, _cameras: []
    keep_s: Callable[[S], float] = lambda _out: 0.0
    check: Callable[[S, Say], object] | None = None

    def target_of(self, out: Any) -> str:
        """Return the target in these settings; "" if the kind has none."""
        return str(getattr(out, self.target)) if self.target else ""
