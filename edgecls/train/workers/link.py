"""The connections between the workers of a run: each of them to worker 0, with messages that are lines of JSON.

JAX has connections of its own for the numbers of a run. It notices after 100 seconds that a worker has ended, and then ends
the process with a page of text. A connection that the system closes with the process says so at once, and a worker that fails
can say why.

value   a value that all workers exchange, with the number of the exchange
values  worker 0's answer: the values of all, by rank
beat    sent every second, because a machine that loses its power closes no connection
failed  a worker has failed: its rank and the reason
leave   from worker 0: the run has ended, and the others need not compute on
parted  all workers have found the same error
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import WorkerError
from edgecls.text.strict_json import dumps, loads
from edgecls.train.workers.meeting import SILENT_S, gather, reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from edgecls.train.workers.meeting import Peer
    from edgecls.train.workers.worker import Worker

BEAT_S = 1.0
END_WAIT_S = 5.0
PART_S = 3.0
"""How long a worker waits for the others to find the error that it has found."""


class Lost(NamedTuple):
    """A worker that has ended: its rank, and why."""

    rank: int
    why: str

    def __str__(self) -> str:
        """Return both in one sentence."""
        return f"worker {self.rank} {self.why}"


class Link:
    """Connects a worker with the others. Close it when the run has ended."""

    def __init__(self, worker: Worker, on_end: Callable[[Lost | None], None]) -> None:
        """Wait until all workers are connected.

        Args:
            worker: Which one this is.
            on_end: Called once in another thread: with another worker that has ended too early, or with None when worker 0
                lets this one go.

        Raises:
            WorkerError: Not all came in time, or one was started with another number of workers or with the rank of another.
        """
        self.worker = worker
        self.lost: Lost | None = None
        self._on_end = on_end
        self._changed = threading.Condition()
        self._values: dict[int, dict[int, Any]] = {}
        self._exchanges, self._last = 0, -1
        self._is_done = self._ignores = False
        self._closed = threading.Event()
        self._parted: set[int] = set()
        until = time.monotonic() + worker.join_wait_s
        self._peers = gather(worker, until) if worker.rank == 0 else [reach(worker, until)]
        self._threads = [
            *(
                threading.Thread(target=self._listen, args=(peer,), name=f"link {peer.rank}", daemon=True)
                for peer in self._peers
            ),
            threading.Thread(target=self._beat, name="link beats", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def exchange(self, value: Any, *, is_last: bool = False) -> list[Any]:
        """Give a value of JSON, and return those of all workers by rank. Waits until all have given theirs.

        Args:
            value: The value.
            is_last: After this exchange any worker may end.

        Raises:
            WorkerError: Another worker has ended.
        """
        number = self._exchanges
        self._exchanges += 1
        self._last = number if is_last else -1
        value = loads(dumps(value))  # as the others get it: lists, not tuples
        if self.worker.rank != 0:
            self._peers[0].send({"value": [number, value]})
        with self._changed:
            if self.worker.rank == 0:
                self._values.setdefault(number, {})[0] = value
            self._changed.wait_for(lambda: self.lost or len(self._values.get(number, ())) == self.worker.workers)
            if self.lost is not None:
                raise WorkerError(str(self.lost))
            self._is_done |= is_last
            found = self._values.pop(number)
        values = [found[rank] for rank in range(self.worker.workers)]
        for peer in self._peers if self.worker.rank == 0 else ():
            peer.send({"values": [number, values]})
        return values

    def fail(self, why: str) -> None:
        """Tell the others that this worker has failed, and why."""
        self._ignores = True
        for peer in self._peers:
            peer.send({"failed": [self.worker.rank, why]})

    def dismiss(self) -> None:
        """Worker 0: let the others go, which still compute."""
        self._is_done = True
        for peer in self._peers:
            peer.send({"leave": 0})

    def finish(self) -> bool:
        """Wait until all workers have come to the end of the run.

        Returns:
            Whether they have; False if worker 0 has let the others go before.

        Raises:
            WorkerError: Another worker has ended before.
        """
        if self._is_done:
            return False
        self.exchange("finished", is_last=True)
        return True

    def part(self) -> None:
        """End the link because all workers have found the same error."""
        self._ignores = True
        for peer in self._peers:
            peer.send({"parted": 0})
        with self._changed:
            self._changed.wait_for(lambda: len(self._parted) == len(self._peers), PART_S)

    def close(self) -> None:
        """Close the connections, and wait for the threads that use them."""
        self._ignores = True
        self._closed.set()
        for peer in self._peers:
            peer.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(END_WAIT_S)

    def __enter__(self) -> Self:
        """Return the link itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the connections."""
        self.close()

    def _listen(self, peer: Peer) -> None:
        lost = Lost(peer.rank, "has ended, or its machine or the network between them has failed")
        try:
            while message := peer.receive():
                if "failed" in message:
                    rank, why = message["failed"]
                    lost = Lost(int(rank), str(why))
                    break
                self._hear(peer, message)
        except TimeoutError:
            lost = Lost(peer.rank, f"has not been heard for {SILENT_S:g} s: its machine or the network between them has failed")
        except (OSError, ValueError):
            pass  # a connection that has ended in another way
        self._lose(lost)

    def _hear(self, peer: Peer, message: dict[str, Any]) -> None:
        with self._changed:
            if "value" in message:
                number, value = message["value"]
                self._values.setdefault(number, {})[peer.rank] = value
            elif "values" in message:
                number, values = message["values"]
                self._values[number] = dict(enumerate(values))
            elif "parted" in message:
                self._parted.add(peer.rank)
            self._changed.notify_all()
        if "leave" in message and not self._ignores:
            self._on_end(None)

    def _lose(self, lost: Lost) -> None:
        with self._changed:
            has_all = len(self._values.get(self._last, ())) == self.worker.workers
            if self._is_done or self._ignores or has_all or self.lost is not None:
                return
            self.lost = lost
            self._changed.notify_all()
        for peer in self._peers:
            peer.send({"failed": list(lost)})
        self._on_end(lost)

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S):
            for peer in self._peers:
                peer.send({"beat": 0})
