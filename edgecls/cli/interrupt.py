"""Ctrl-C and SIGTERM end a run between two results, never inside the writing of one.

A signal breaks off the waiting for the next result at once. While results are written it is only noted, so every line
and every video frame is whole. A second signal is for the impatient: it raises KeyboardInterrupt wherever the run is.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

T = TypeVar("T")


class Interrupt:
    """Takes SIGINT and SIGTERM while it is entered. `signum` is the one that came, or None."""

    def __init__(self) -> None:
        """Take nothing yet."""
        self.signum: int | None = None
        self._waiting = False
        self._before: dict[int, object] = {}

    @property
    def exit_code(self) -> int:
        """0, or 128 and the signal's number, as a shell would say it."""
        return 0 if self.signum is None else 128 + self.signum

    def wait_for(self, wait: Callable[[], T | None]) -> T | None:
        """Call `wait` and return what it gives; None once a signal has come."""
        try:
            self._waiting = True
            return wait() if self.signum is None else None
        except _BrokenOffError:
            return None
        finally:
            self._waiting = False

    def undisturbed(self, write: Callable[[], None]) -> None:
        """Call `write` from inside of what `wait_for` waits for: a signal comes through only when it is done."""
        waiting, self._waiting = self._waiting, False
        try:
            write()
        finally:
            self._waiting = waiting
        if waiting and self.signum is not None:
            raise _BrokenOffError

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            raise KeyboardInterrupt(number)
        self.signum = number
        if self._waiting:
            raise _BrokenOffError


class _BrokenOffError(BaseException):
    """Raised in the waiting; a BaseException so that no handler of errors takes it for one."""
