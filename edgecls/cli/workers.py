"""Several workers of `edgecls train`: which one this process is, and how all of them are started on one machine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgecls.cli.messages import say
from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.train.workers.worker import Worker

LAUNCHED = "EDGECLS_LAUNCHED"
"""Set for workers that `launch` starts: they end when their stdin does, which is when the process that started them ends."""
END_WAIT_S = 20.0
"""How long the others may run when a worker has ended: longer than a worker waits for one that is not heard."""
LEAVE_WAIT_S = 3.0
"""The same when it was worker 0, without which there is no run."""
OF_ANOTHER = re.compile(r"error: worker (\d+) ")


def this_worker(workers: int, rank: int | None, coordinator: str, join_wait_s: float) -> Worker | None:
    """Return which worker this process is; None if it is the only one, or is to start all of them.

    Raises:
        ConfigError: The options do not fit together.
    """
    if rank is None and not coordinator:
        if workers < 1:
            raise typer.BadParameter(f"--workers {workers}: expected 1 or above")
        return None
    if rank is None or not coordinator:
        given, missing = ("--coordinator", "--rank") if rank is None else ("--rank", "--coordinator")
        raise typer.BadParameter(f"{given} needs {missing} too; without both, --workers starts all workers on this machine")
    from edgecls.train.workers.worker import Worker

    worker = Worker(rank, workers, coordinator, join_wait_s)
    if os.environ.get(LAUNCHED):
        threading.Thread(target=_end_with_launcher, name="launcher", daemon=True).start()
    return worker


def launch(workers: int, memory_gb: float | None) -> int:
    """Start this command once for each worker, on this machine, and wait until all have ended.

    The output of worker 0 is shown, and a line about another one that fails. Ctrl-C and SIGTERM are passed on to worker 0,
    which keeps the best epoch and lets the others go.

    Args:
        workers: How many there are.
        memory_gb: How much memory the decoded pictures of each may take; None divides half of the machine's among them.

    Returns:
        The exit code.

    Raises:
        ConfigError: KERAS_BACKEND names another backend than JAX.
    """
    from edgecls.dataset.storage import SHARE, machine_memory_bytes
    from edgecls.train.workers.team import choose_jax

    choose_jax()
    options = ["--coordinator", f"127.0.0.1:{_free_port()}"]
    if memory_gb is None:
        options += ["--memory", f"{SHARE * machine_memory_bytes() / 1e9 / workers:.3f}"]
    started: list[_Process] = []
    received: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        for process in started[:1]:
            process.signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        started += [_Process(rank, workers, options) for rank in range(workers)]
        for number in received[:1]:
            started[0].signal(number)
        return _watch(started)
    finally:
        for process in started:
            process.kill()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(started: Sequence[_Process]) -> int:
    """Wait until all processes have ended, and return the exit code of the first one that failed by itself."""
    until = float("inf")
    while any(process.is_running for process in started):
        if not started[0].is_running:
            until = min(until, time.monotonic() + LEAVE_WAIT_S)
        elif not all(process.is_running for process in started):
            until = min(until, time.monotonic() + END_WAIT_S)
        if time.monotonic() > until:
            for process in started:
                process.kill()
        time.sleep(0.05)
    for process in started[1:]:
        if why := process.reason():
            say(f"error: worker {process.rank} {why}")
    if why := started[0].killed_by():
        say(f"error: worker 0 {why}")
    codes = [process.code for process in started]
    return next((code if code > 0 else 1 for code in codes if code), 0)


class _Process:
    """A worker on this machine."""

    def __init__(self, rank: int, workers: int, options: Sequence[str]) -> None:
        self.rank = rank
        self._lines: deque[str] = deque(maxlen=20)
        self._killed = False
        shown: dict[str, Any] = {} if rank == 0 else {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(  # noqa: S603 - this command again
            [sys.executable, "-m", "edgecls", *sys.argv[1:], "--rank", str(rank), *options],
            stdin=subprocess.PIPE, start_new_session=True,  # Ctrl-C is for the process that started it
            env={**os.environ, LAUNCHED: "1", **_device(rank, workers)}, **shown,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name="worker messages", daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def code(self) -> int:
        return self._process.wait()

    def signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._process.send_signal(number)

    def kill(self) -> None:
        if self.is_running:
            self._killed = True
            with contextlib.suppress(OSError):
                self._process.kill()
        self._process.wait()
        self._reader.join(END_WAIT_S)
        for pipe in (self._process.stdin, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def killed_by(self) -> str:
        """Return what ended the process, if it was a signal that it could not handle."""
        if self.code >= 0 or self._killed:
            return ""
        name = signal.Signals(-self.code).name
        return f"was ended by {name}" + (", perhaps because memory ran out" if name == "SIGKILL" else "")

    def reason(self) -> str:
        """Return why the process has failed by itself; "" if it did not, or only because another one did."""
        self._reader.join(END_WAIT_S)
        if not self.code or self._killed or self.killed_by():
            return self.killed_by()
        last = self._lines[-1] if self._lines else f"ended with the exit code {self.code}"
        of = OF_ANOTHER.match(last)
        return "" if of else f"failed: {last.removeprefix('error: ')}"

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr or ():
                text = line.decode("utf-8", "replace").strip()
                if text:
                    self._lines.append(in_one_line(redact(text)))


def _device(rank: int, workers: int) -> dict[str, str]:
    """Return what gives a worker a GPU of its own, if there are enough of them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = [one for one in visible.split(",") if one] if visible is not None else list(Path("/dev").glob("nvidia[0-9]*"))
    return {"JAX_LOCAL_DEVICE_IDS": str(rank)} if len(found) >= workers else {}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _end_with_launcher() -> None:
    """End this process when the one that started it has ended."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1):
            pass
    os._exit(1)
