"""Ctrl-C and SIGTERM end a run between two results, never while one is being written.

A signal interrupts the wait for the next result at once. While results are being written it is only recorded, so every line and
every video frame is complete. A second signal raises KeyboardInterrupt immediately.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

T = TypeVar("T")


class Interrupt:
    """Handles SIGINT and SIGTERM inside its `with` block. `signum` is the signal that arrived, or None."""

    def __init__(self) -> None:
        """Handle nothing before the `with` block."""
        self.signum: int | None = None
        self._waiting = False
        self._before: dict[int, object] = {}

    @property
    def exit_code(self) -> int:
        """0, or 128 plus the number of the signal, as in a shell."""
        return 0 if self.signum is None else 128 + self.signum

    def wait_for(self, wait: Callable[[], T | None]) -> T | None:
        """Call `wait` and return its result; return None if a signal interrupts it or has arrived before."""
        try:
            self._waiting = True
            return wait() if self.signum is None else None
        except _InterruptedError:
            return None
        finally:
            self._waiting = False

    def undisturbed(self, write: Callable[[], None]) -> None:
        """Call `write` inside a `wait_for`, and delay signals until it has returned."""
        waiting, self._waiting = self._waiting, False
        try:
            write()
        finally:
            self._waiting = waiting
        if waiting and self.signum is not None:
            raise _InterruptedError

    def __enter__(self) -> Self:
        """Install the signal handlers."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as returned by signal.signal

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.signum is not None:
            raise KeyboardInterrupt(number)
        self.signum = number
        if self._waiting:
            raise _InterruptedError


class _InterruptedError(BaseException):
    """Interrupts the wait. A BaseException, so that no error handler catches it."""
