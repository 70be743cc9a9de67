"""Handle signals between two batches while Keras trains.

A handler that raises at once, as Python's own for Ctrl-C does, may raise inside a Python callback of TensorFlow, JAX or
PyTorch. They cannot pass an exception on cleanly from there, and now and then the process crashed.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType


class BetweenBatches:
    """Defers SIGINT and SIGTERM inside its `with` block until `act` is called between two batches, which runs the old handler.

    A second signal runs the old handler at once. Signals without a Python handler are left alone, and so are all signals if
    training does not run in the main thread.
    """

    def __init__(self) -> None:
        """Change no handler before the `with` block."""
        self._old_handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._received: int | None = None

    def act(self) -> None:
        """Run the old handler of a signal that was received, if any. Most handlers raise KeyboardInterrupt."""
        if self._received is not None:
            number, self._received = self._received, None
            self._old_handlers[number](number, None)

    def __enter__(self) -> Self:
        """Replace the signal handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._old_handlers[number] = handler
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Restore the signal handlers, and act on a signal received after the last batch."""
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        if kind is None:
            self.act()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        second, self._received = self._received is not None, number
        if second:
            self.act()


def callback(keras: Any, between: BetweenBatches) -> Any:
    """Return a Keras callback that acts before each batch of training and validation, so never before an epoch is saved."""

    class _Act(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            between.act()

        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            between.act()

    return _Act()
