"""What the page does with models that takes a while: learning and comparing, in a child process, one at a time."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.text.strict_json import loads
from edgecls.web.answers import NotPossibleError
from edgecls.web.child import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from edgecls.web.child import State

Kind = Literal["learn", "compare"]
ENDED = "the run ends"
BUSY = "{by} has begun to {kind} already; one thing at a time, so that the cameras keep their share of this machine"


class Job:
    """A command that runs beside the run, and what is done with its result.

    Attributes:
        kind: What it does.
        store: The name of the store.
        model: The name of the model: of the one that is compared, or once it is whole, of the one that was learned.
        by: Who began it.
    """

    def __init__(self, kind: Kind, *, store: str, by: str, model: str = "") -> None:
        """Describe a job that has not begun."""
        self.kind, self.store, self.model, self.by = kind, store, model, by
        self.why = ""
        self._state: State = "running"
        self._child: Child | None = None
        self._is_cancelled = False

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._state == "running"

    def state(self) -> dict[str, Any]:
        """Return how far it is."""
        stage, share = self._progress()
        return {
            "kind": self.kind, "store": self.store, "model": self.model, "by": self.by, "state": self._state, "why": self.why,
            "stage": stage, "share": share, "began_at_s": None if self._child is None else round(self._child.began_at_s, 3),
        }  # fmt: skip

    def cancel(self) -> None:
        """Ask the command to stop."""
        self._is_cancelled = True
        if self._child is not None:
            self._child.cancel()

    def run(
        self, place: AbstractContextManager[Path], work: Callable[[Path], Sequence[str]], use: Callable[[Path, str], str]
    ) -> None:
        """Run the command to its end, and use its result.

        Args:
            place: A folder to work in.
            work: Returns the command, given that folder.
            use: Takes the folder and what the command wrote to stdout. Returns the name of the model.
        """
        try:
            with place as folder:
                self._child = Child(work(folder))
                if self._is_cancelled:
                    self._child.cancel()
                ended = self._child.wait()
                self.why = self._child.why.replace(f"{folder}{os.sep}", "")
                if ended == "done":
                    self.model = use(folder, self._child.output)
                self._state = ended
        except EdgeclsError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"{Path(str(error.filename)).name if error.filename else 'it'}: cannot be used ({error.strerror})")
        except Exception as error:  # noqa: BLE001 - the page must say that it has ended
            self._fail(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Stop the command, and wait until it is gone."""
        self.cancel()
        if self._child is not None:
            self._child.close()

    def _fail(self, why: str) -> None:
        self.why, self._state = why, "failed"

    def _progress(self) -> tuple[str, float | None]:
        """Return the stage and the share that is done, from the latest line of the command that says it."""
        for line in reversed(list(self._child.lines) if self._child is not None else []):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = loads(line)
                return str(record["stage"]), float(record["share"])
        return "", None


class JobRunner:
    """Runs one job at a time."""

    def __init__(self) -> None:
        """Begin with no job."""
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def job(self) -> Job | None:
        """The latest job, which may have ended."""
        return self._job

    def begin(
        self, job: Job, place: AbstractContextManager[Path], work: Callable[[Path], Sequence[str]],
        use: Callable[[Path, str], str],
    ) -> None:  # fmt: skip
        """Begin a job in a thread of its own, see `Job.run`. Raises NotPossibleError if another one is running."""
        with self._lock:
            if self._is_closed:
                raise NotPossibleError(ENDED)
            if self._job is not None and self._job.is_running:
                raise NotPossibleError(BUSY.format(by=self._job.by, kind=self._job.kind))
            self._job = job
            self._thread = threading.Thread(target=job.run, args=(place, work, use), name=job.kind, daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Cancel the job that is running. Raises NotPossibleError if none is."""
        if self._job is None or not self._job.is_running:
            raise NotPossibleError("nothing is being learned or compared now")
        self._job.cancel()

    def close(self) -> None:
        """Stop the job, and begin no other one."""
        with self._lock:
            self._is_closed = True
        if self._job is not None:
            self._job.close()
        if self._thread is not None:
            self._thread.join()


def record_in(output: str) -> dict[str, Any]:
    """Return the record that a command wrote with --json. Raises ConfigError."""
    try:
        return dict(loads(output))
    except (ValueError, TypeError) as error:
        raise ConfigError("the command has given no result") from error
