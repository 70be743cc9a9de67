"""How the workers of a run come together: worker 0 listens, the others connect and say who they are.

hello    from a worker: its rank, and the number of workers that it was started with
welcome  from worker 0, when all have come
failed   from worker 0 instead: why there will be no run
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from edgecls.errors import WorkerError
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from edgecls.train.workers.worker import Worker

SILENT_S = 15.0
"""After what time a worker that is not heard has ended."""
HELLO_S = 10.0
"""How long worker 0 waits for the first line of a connection."""
RETRY_S = 0.2
_MOST_HELLO = 4096


class Peer:
    """The connection to another worker."""

    def __init__(self, rank: int, connection: socket.socket) -> None:
        """Use a connection to the worker with this rank."""
        self.rank = rank
        connection.settimeout(SILENT_S)
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. A connection that is broken is told by what reads from it."""
        with contextlib.suppress(OSError), self._sending:
            self._connection.sendall(dumps(message).encode() + b"\n")

    def receive(self, most: int = -1) -> dict[str, Any]:
        """Return the next message; {} if the connection has ended. Raises OSError, ValueError."""
        line = self._lines.readline(most)
        found = loads(line.decode()) if line.endswith(b"\n") else {}
        if not isinstance(found, dict):
            raise ValueError("not a message of a worker")  # noqa: TRY004 - as for text that is no JSON
        return found

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._lines.close()
            self._connection.close()


def gather(worker: Worker, until: float) -> list[Peer]:
    """Return the connections that the others have made, by rank."""
    peers: dict[int, Peer] = {}
    with _listening(worker) as listener:
        while len(peers) < worker.workers - 1:
            listener.settimeout(max(0.01, until - time.monotonic()))
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                missing = [str(rank) for rank in range(1, worker.workers) if rank not in peers]
                what = f"worker {missing[0]} has" if len(missing) == 1 else f"workers {', '.join(missing)} have"
                why = f"{what} not come within {worker.join_wait_s:g} s"
                _refuse(peers, why)
                raise WorkerError(f"{why}; start each with its own `rank`, and `coordinator={worker.coordinator}`") from None
            found = _hello(connection)
            if found is None:
                continue  # not a worker: a port scanner, or a browser
            rank, workers = found
            peer = Peer(rank, connection)
            why = ""
            if workers != worker.workers:
                why = f"worker {rank} was started with `workers={workers}`, worker 0 with `workers={worker.workers}`"
            elif rank in peers or rank == 0:
                why = f"two workers were started with `rank={rank}`"
            if why:
                _refuse({**peers, -1: peer}, why)
                raise WorkerError(why)
            peers[rank] = peer
    for peer in peers.values():
        peer.send({"welcome": 0})
    return [peers[rank] for rank in sorted(peers)]


def reach(worker: Worker, until: float) -> Peer:
    """Return the connection to worker 0, which may start later than this one."""
    why = "nothing listens there"
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise WorkerError(
                f"worker 0 cannot be reached at `coordinator={worker.coordinator}` within {worker.join_wait_s:g} s ({why}); "
                "start it there, and open its ports to the other workers"
            )
        try:
            connection = socket.create_connection((worker.host, worker.port), timeout=left)
            break
        except OSError as error:
            why = error.strerror or str(error) or why
            time.sleep(min(RETRY_S, max(0.0, left)))
    peer = Peer(0, connection)
    peer.send({"hello": [worker.rank, worker.workers]})
    connection.settimeout(max(0.01, until - time.monotonic()))
    try:
        answer = peer.receive()
    except (OSError, ValueError):
        answer = {}
    connection.settimeout(SILENT_S)
    if "welcome" not in answer:
        peer.close()
        told = answer.get("failed", [0, ""])[1]
        raise WorkerError(told or f"worker 0 at `coordinator={worker.coordinator}` ended before all workers had come")
    return peer


def _listening(worker: Worker) -> socket.socket:
    """Return the socket at which worker 0 waits: at the address of the coordinator, if it is one of this machine's."""
    for host in (worker.host, ""):
        try:
            return socket.create_server((host, worker.port), family=worker.family)
        except OSError as error:
            if host and error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME):  # an address that others reach it by
                continue
            why = error.strerror or str(error)
            raise WorkerError(
                f"worker 0 cannot listen at `coordinator={worker.coordinator}` ({why}); try another port"
            ) from None
    raise AssertionError


def _hello(connection: socket.socket) -> tuple[int, int] | None:
    """Return the rank of a worker that connects, and the number of workers that it was started with."""
    connection.settimeout(HELLO_S)
    try:
        with connection.makefile("rb") as lines:
            rank, workers = loads(lines.readline(_MOST_HELLO).decode())["hello"]
        return int(rank), int(workers)
    except (OSError, ValueError, KeyError, TypeError):
        connection.close()
        return None


def _refuse(peers: dict[int, Peer], why: str) -> None:
    for peer in peers.values():
        peer.send({"failed": [0, why]})
        peer.close()
