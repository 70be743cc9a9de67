"""Where tasks are done: the interface of what does them, and what it reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

    from edgecls.archive.task import Outcome, Task


class Done(NamedTuple):
    """A task has been done."""

    task: Task
    outcome: Outcome


class Lost(NamedTuple):
    """Whatever did a task has ended without an answer, for this reason."""

    task: Task
    why: str


class Working(NamedTuple):
    """How many frames of a task are labelled so far."""

    task: Task
    frames: int


class Executor(ABC):
    """Does tasks, several at a time. Whoever gives them calls `wait` until all are done.

    Attributes:
        workers: How many tasks it does at a time.
    """

    workers: int

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Begin a task. At most `workers` may be unfinished."""

    @abstractmethod
    def wait(self, timeout_s: float) -> Done | Lost | Working | None:
        """Return what has happened, or None if nothing does within the time.

        Raises:
            ModelError: The model cannot be loaded.
            SinkError: The archive cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """End all workers at once. What they have half written is not part of the archive. Calling it twice is fine."""

    def __enter__(self) -> Self:
        """Return the executor itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all workers."""
        self.close()
