"""What the page does that takes a while: learning, comparing, the doctor, the bench. Each is a child process of the lowest
priority, and there is one at a time, so that the cameras keep their share of the machine.

runner = JobRunner()
runner.begin(Job("doctor", by="ann"), ["doctor", "--json"], fine=(0, 1))
...
runner.latest("doctor").state
"""

from __future__ import annotations

import contextlib
import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.text.strict_json import loads
from edgecls.web.answers import NotPossibleError, fault_of
from edgecls.web.child import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from edgecls.web.child import State

Kind = Literal["learn", "compare", "doctor", "bench"]
NAMES: dict[Kind, str] = {
    "learn": "learning, on the page Teach,",
    "compare": "a comparison of models, on the page Teach,",
    "doctor": "the doctor, on the page Machine,",
    "bench": "the bench, on the page Machine,",
}
ENDED = "the run ends"
BUSY = "{what} is running{by}; wait for it, or cancel it: one thing at a time, so that the cameras keep their share"
NO_RESULT = "it gave no result that can be read"
NOBODY = "page"
"""The author where no login is needed."""
LARGEST_RESULT = 4_000_000
CLOSE_WAIT_S = 10.0
"""How long the end of a run waits for a job that neither stops nor can be killed."""


class Job:
    """A command that runs beside the run, and what is done with its result. Any thread may ask it anything.

    Attributes:
        kind: What it does.
        by: Who began it.
        of: What it is about, such as the name of a store.
        model: The name of the model that it is about, or makes.
        state: Whether it is "running", or how it ended: "done", "failed" or "cancelled".
        why: Why it failed, in one line.
        result: What was made of its output; None unless it is done.
    """

    def __init__(self, kind: Kind, *, by: str, of: str = "", model: str = "") -> None:
        """Describe a job that has not begun."""
        self.kind, self.by, self.of, self.model = kind, by, of, model
        self.state: State = "running"
        self.why = ""
        self.result: Any = None
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._is_cancelled = False

    @property
    def lines(self) -> tuple[str, ...]:
        """The latest messages of the command."""
        return () if self._child is None else self._child.lines

    @property
    def began_at_s(self) -> float | None:
        """When the command began, in seconds since 1970; None before that."""
        return None if self._child is None else round(self._child.began_at_s, 3)

    @property
    def ended_at_s(self) -> float | None:
        """When the command ended; None before that."""
        ended_at_s = None if self._child is None else self._child.ended_at_s
        return None if ended_at_s is None else round(ended_at_s, 3)

    def cancel(self) -> None:
        """Ask the command to stop, or not to begin."""
        with self._lock:
            self._is_cancelled = True
        if self._child is not None:
            self._child.cancel()

    def run(
        self, place: AbstractContextManager[Path], command: Callable[[Path], Sequence[str]],
        start: Callable[[Sequence[str]], Child], use: Callable[[Path, str], Any],
    ) -> None:  # fmt: skip
        """Run the command to its end, and use its result.

        Args:
            place: A folder to work in.
            command: Returns the command, given that folder.
            start: Starts it.
            use: Takes the folder and what the command wrote to stdout, and returns the `result`.
        """
        try:
            with place as folder:
                self.state = self._run(folder, start, command(folder), use)
        except EdgeclsError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(fault_of(error))
        except Exception as error:  # noqa: BLE001 - the page must say that it has ended
            self._fail(f"{type(error).__name__}: {error}")

    def _run(
        self, folder: Path, start: Callable[[Sequence[str]], Child], command: Sequence[str], use: Callable[[Path, str], Any]
    ) -> State:
        with self._lock:
            if self._is_cancelled:
                return "cancelled"
            self._child = start(command)
        ended = self._child.wait()
        self.why = self._child.why.replace(f"{folder}{os.sep}", "")
        if ended == "done":
            self.result = use(folder, self._child.output)
        return ended

    def _fail(self, why: str) -> None:
        self.why, self.state = why, "failed"


class JobRunner:
    """Runs one job at a time, and keeps the latest of each kind. Any thread may use it."""

    def __init__(self, start: Callable[..., Child] = Child) -> None:
        """Begin with no job. `start` starts a command, as `Child` does."""
        self._start = start
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def latest(self, *kinds: Kind) -> Job | None:
        """Return the latest job of these kinds, which may have ended."""
        with self._lock:
            return next((job for job in reversed(self._jobs) if job.kind in kinds), None)

    def begin(
        self, job: Job, command: Sequence[str] | Callable[[Path], Sequence[str]], *, fine: Collection[int] = (0,),
        place: AbstractContextManager[Path] | None = None, use: Callable[[Path, str], Any] | None = None,
    ) -> None:  # fmt: skip
        """Begin a job in a thread of its own.

        Args:
            job: The job.
            command: The command and its options, or what returns them, given the folder to work in.
            fine: The exit codes with which the command has done its work.
            place: The folder; None if it needs none.
            use: See `Job.run`. Default: the result is the record that the command writes.

        Raises:
            NotPossibleError: Another one is running, or the run ends.
        """
        with self._lock:
            if self._is_closed:
                raise NotPossibleError(ENDED)
            busy = next((other for other in self._jobs if other.state == "running"), None)
            if busy is not None:
                by = "" if busy.by == NOBODY else f" ({busy.by} has begun it)"
                raise NotPossibleError(BUSY.format(what=NAMES[busy.kind], by=by))
            self._jobs = [*(other for other in self._jobs if other.kind != job.kind), job]
            work = (
                place or contextlib.nullcontext(Path()),
                command if callable(command) else lambda _folder: command,
                partial(self._start, fine=fine),
                use or (lambda _folder, output: record_in(output)),
            )
            self._thread = threading.Thread(target=job.run, args=work, name=job.kind, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop the job, and begin no other one. Waits until it is gone."""
        with self._lock:
            self._is_closed = True
            jobs, thread = self._jobs, self._thread
        for job in jobs:
            job.cancel()
        if thread is not None:
            thread.join(CLOSE_WAIT_S)


def record_in(output: str) -> dict[str, Any]:
    """Return the record that a command wrote with --json. Raises ConfigError."""
    try:
        return dict(loads(output, most=LARGEST_RESULT))
    except (ValueError, TypeError) as error:
        raise ConfigError(NO_RESULT) from error
