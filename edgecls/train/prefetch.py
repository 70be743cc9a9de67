"""Prefetching: threads make the next batches while the network trains.

Keras requests a batch when it needs it: on TensorFlow from a background thread, on JAX and PyTorch from the training loop,
which would wait for it. Here a few threads make the next batches in advance. OpenCV and file reads release the GIL, so they
run in parallel with the network. A batch depends only on its number, so it does not matter which thread makes it or when, nor
that Keras requests the first ones twice.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

PREFETCH_BYTES = 8_000_000
"""How much memory prefetched batches may take; at least MIN_DEPTH batches are always prefetched."""
MIN_DEPTH, MAX_DEPTH = 2, 16
CORES_PER_THREAD = 4
"""One thread for this many cores; the network uses the others."""

T_co = TypeVar("T_co", covariant=True)


class Numbered(Protocol[T_co]):
    """Something that makes an item for a number, such as a batch. It must be thread-safe."""

    def __getitem__(self, number: int, /) -> T_co:
        """Return item `number`, from 0."""


class Prefetcher(Generic[T_co]):
    """Gives the items of `source`, and makes the next `depth` of them in background threads.

    Use it in a `with` statement or close it. After that, items are made in the calling thread. An error of `source` is raised
    when its item is requested.
    """

    def __init__(self, source: Numbered[T_co], depth: int) -> None:
        """Start no thread before the first item is requested."""
        self._source = source
        self._depth = depth
        threads = max(1, (os.cpu_count() or 1) // CORES_PER_THREAD)
        self._threads = ThreadPoolExecutor(min(depth, threads), thread_name_prefix="batch")
        self._pending: dict[int, Future[T_co]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def __getitem__(self, number: int) -> T_co:
        """Return item `number`, waiting until it is ready."""
        with self._lock:
            if self._closed:
                return self._source[number]
            for passed in [n for n in self._pending if n < number]:
                self._pending.pop(passed).cancel()
            for n in range(number, number + self._depth):
                if n not in self._pending:
                    self._pending[n] = self._threads.submit(self._source.__getitem__, n)
            requested = self._pending.pop(number)
        return requested.result()

    def close(self) -> None:
        """Stop the threads and discard what they were making."""
        with self._lock:
            self._closed = True
            self._pending.clear()
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Close."""
        self.close()


def depth_for(batch_bytes: int) -> int:
    """Return how many batches of this size to prefetch."""
    return max(MIN_DEPTH, min(MAX_DEPTH, PREFETCH_BYTES // max(1, batch_bytes)))
