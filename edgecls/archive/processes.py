"""Do tasks in processes of this machine.

A process that ends, killed because memory ran out or by a fault in a decoder, costs only its own task: the others go on, and a
new one takes its place. (A `ProcessPoolExecutor` would be broken for all.)
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from edgecls.archive.executor import Done, Executor, Lost, Working
from edgecls.archive.task import Outcome
from edgecls.archive.worker import START, Crashed, Failed, Frames, Ready, Said
from edgecls.errors import EdgeclsError
from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact

if TYPE_CHECKING:
    from edgecls.archive.task import Job, Task
    from edgecls.log import Say

SILENT_S = 600.0
"""A worker that says nothing for this long is ended. It says how far it is every half second."""
LEAVE_WAIT_S = 5.0
_ENDED = None


class Processes(Executor):
    """Does tasks in processes, which are started when they are needed."""

    def __init__(self, job: Job, workers: int, say: Say, *, silent_s: float = SILENT_S) -> None:
        """Start no process yet.

        Args:
            job: What all tasks share.
            workers: How many processes there are at most.
            say: Called with a line for the user.
            silent_s: How long a worker may say nothing.
        """
        self.workers = workers
        self._job = job
        self._say = say
        self._silent_s = silent_s
        self._reports: queue.SimpleQueue[tuple[_Worker, Any]] = queue.SimpleQueue()
        self._all: list[_Worker] = []
        self._said: set[str] = set()

    def submit(self, task: Task) -> None:
        """Begin a task, in a process that is free or a new one."""
        worker = next((one for one in self._all if one.task is None), None)
        if worker is None:
            worker = _Worker(self._job, self._reports)
            self._all.append(worker)
        worker.begin(task)

    def wait(self, timeout_s: float) -> Done | Lost | Working | None:
        """Return what has happened, or None if nothing does within the time."""
        until = time.monotonic() + timeout_s
        while True:
            self._end_silent()
            try:
                worker, report = self._reports.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return None
            found = self._heard(worker, report)
            if found is not None:
                return found

    def close(self) -> None:
        """End all processes at once."""
        workers, self._all = self._all, []
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()

    def _heard(self, worker: _Worker, report: Any) -> Done | Lost | Working | None:
        worker.heard_at = time.monotonic()
        task = worker.task
        if report is _ENDED:
            return self._ended(worker)
        if isinstance(report, Failed):
            raise report.error()
        if isinstance(report, Said) and report.line not in self._said:  # every worker may have the same to say
            self._said.add(report.line)
            self._say(report.line)
        worker.is_ready |= isinstance(report, Ready)
        if task is None or isinstance(report, Said | Ready):
            return None
        if isinstance(report, Frames):
            return Working(task, report.count)
        worker.task = None
        return Lost(task, report.why) if isinstance(report, Crashed) else Done(task, _outcome(report))

    def _ended(self, worker: _Worker) -> Lost | None:
        """Forget a process that has ended. Raises EdgeclsError if it could not even load the model."""
        if worker not in self._all:
            return None
        self._all.remove(worker)
        why = worker.reason()
        if not worker.is_ready:
            raise EdgeclsError(f"a worker ended before it had loaded the model: {why}")
        return None if worker.task is None else Lost(worker.task, why)

    def _end_silent(self) -> None:
        now = time.monotonic()
        for worker in self._all:
            if worker.task is not None and now - worker.heard_at > self._silent_s:
                worker.heard_at = now
                worker.kill(f"it said nothing for {self._silent_s:g} s")


class _Worker:
    """One process."""

    def __init__(self, job: Job, reports: queue.SimpleQueue[tuple[_Worker, Any]]) -> None:
        self.task: Task | None = None
        self.is_ready = False
        self.heard_at = time.monotonic()
        self._why = ""
        self._lines: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(  # noqa: S603 - this Python, with a program that is written in `worker`
            [sys.executable, "-c", START, "\n".join(sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "MALLOC_ARENA_MAX": "2"}, start_new_session=True,  # Ctrl-C is for the process that started it
        )  # fmt: skip
        self._threads = [
            threading.Thread(target=self._read_lines, name="worker messages", daemon=True),
            threading.Thread(target=self._read, args=(reports,), name="worker answers", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._send(job)

    def begin(self, task: Task) -> None:
        self.task, self.heard_at = task, time.monotonic()
        self._send(task)

    def kill(self, why: str = "") -> None:
        self._why = self._why or why
        with contextlib.suppress(OSError):
            self._process.kill()

    def join(self) -> None:
        """Wait until the process is gone, and its threads."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE_WAIT_S)
        for thread in self._threads:
            thread.join(LEAVE_WAIT_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def reason(self) -> str:
        """Return why the process has ended, in one line."""
        self.join()
        code = self._process.returncode
        if self._why:
            return self._why
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"its worker was ended by {name}" + (", perhaps because memory ran out" if name == "SIGKILL" else "")
        return self._lines[-1] if self._lines else f"its worker ended with the exit code {code}"

    def _send(self, value: Any) -> None:
        with contextlib.suppress(OSError):  # it has just ended, which is told by its answers
            if self._process.stdin is not None:
                pickle.dump(value, self._process.stdin)
                self._process.stdin.flush()

    def _read(self, reports: queue.SimpleQueue[tuple[_Worker, Any]]) -> None:
        with contextlib.suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while self._process.stdout is not None:
                reports.put((self, pickle.load(self._process.stdout)))  # noqa: S301 - from a process that we started
        reports.put((self, _ENDED))

    def _read_lines(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr or ():
                text = line.decode("utf-8", "replace").strip()
                if text:
                    self._lines.append(in_one_line(redact(text)))


def _outcome(report: Any) -> Outcome:
    assert isinstance(report, Outcome)  # noqa: S101 - for the type checker
    return report
