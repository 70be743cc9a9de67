"""A signal that comes while Keras trains is acted on between two batches.

A handler that raises as soon as it may, as Python's own for Ctrl-C does, would raise in the middle of what TensorFlow, JAX
or PyTorch have Python do for them, out of which no exception comes in good order: once in a while the process died of it.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType


class BetweenBatches:
    """While it is entered, SIGINT and SIGTERM are noted; `act`, called between two batches, calls the handler that was there.

    A second signal is for the impatient and calls it at once. Signals that no Python function handles stay as they are, and so
    do all of them where another thread than the main one trains.
    """

    def __init__(self) -> None:
        """Note nothing yet."""
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._noted: int | None = None

    def act(self) -> None:
        """Call the handler of the signal that came, if one did; most raise KeyboardInterrupt."""
        if self._noted is not None:
            number, self._noted = self._noted, None
            self._before[number](number, None)

    def __enter__(self) -> Self:
        """Take the signals over."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Give the signals back, and act on one that came after the last batch."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None:
            self.act()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        second, self._noted = self._noted is not None, number
        if second:
            self.act()


def callback(keras: Any, between: BetweenBatches) -> Any:
    """A Keras callback that acts before each batch, of training and of validation, so never between an epoch and its saving."""

    class _Act(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            between.act()

        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            between.act()

    return _Act()
