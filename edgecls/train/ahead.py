"""Batches that are made while the network trains on those before them.

Keras asks for a batch when it needs it; on TensorFlow a thread of its own does, on JAX and PyTorch the loop that trains, which
would stand still meanwhile. Here threads make the next ones: OpenCV and reading let go of the interpreter, so they do
run beside the network. A batch is a function of its number, so it does not matter which thread makes it, nor when, nor that
Keras asks for the first ones twice.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

AHEAD_BYTES = 8_000_000
"""So much memory may batches take that nobody has asked for yet, but for `FEWEST` of them."""
FEWEST, MOST = 2, 16
CORES_A_THREAD = 4
"""The network has the other cores."""

T_co = TypeVar("T_co", covariant=True)


class Numbered(Protocol[T_co]):
    """Gives what belongs to a number, to any thread."""

    def __getitem__(self, number: int, /) -> T_co:
        """Make it."""


class Ahead(Generic[T_co]):
    """Gives what `source` gives, and has threads make the next `depth` before they are asked for.

    Close it, or leave its `with`; after that whoever asks makes it. An error of `source` is raised where its number is asked
    for.
    """

    def __init__(self, source: Numbered[T_co], depth: int) -> None:
        """Start no thread yet."""
        self._source = source
        self._depth = depth
        threads = max(1, (os.cpu_count() or 1) // CORES_A_THREAD)
        self._threads = ThreadPoolExecutor(min(depth, threads), thread_name_prefix="batch")
        self._coming: dict[int, Future[T_co]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def __getitem__(self, number: int) -> T_co:
        """Wait for it if it is not ready."""
        with self._lock:
            if self._closed:
                return self._source[number]
            for passed in [n for n in self._coming if n < number]:
                self._coming.pop(passed).cancel()
            for n in range(number, number + self._depth):
                if n not in self._coming:
                    self._coming[n] = self._threads.submit(self._source.__getitem__, n)
            asked = self._coming.pop(number)
        return asked.result()

    def close(self) -> None:
        """Let the threads end; what they are making is thrown away."""
        with self._lock:
            self._closed = True
            self._coming.clear()
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Close."""
        self.close()


def depth_for(batch_bytes: int) -> int:
    """How many batches of this size may wait."""
    return max(FEWEST, min(MOST, AHEAD_BYTES // max(1, batch_bytes)))
