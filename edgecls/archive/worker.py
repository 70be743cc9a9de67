"""A worker of this machine: a process that loads the model once, takes tasks from its standard input and answers on its output.

Both are streams of pickled values, between this process and the one that started it. The worker ends as soon as its input
closes, so it never outlives the process that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import queue
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from edgecls import errors
from edgecls.archive.labeller import Labeller

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.archive.task import Job, Outcome, Task

START = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv.pop(1).splitlines(); from edgecls.archive.worker import main; main()"
)
"""What Python runs in a worker, given the search path of modules as lines. To look for cycles while modules are imported would
take a tenth of that time, and they contain no garbage."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the user."""

    line: str


@dataclass(frozen=True, slots=True)
class Frames:
    """How many frames of the current task are labelled."""

    count: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Why the worker cannot go on: the name of an exception of edgecls and its message."""

    kind: str
    message: str

    def error(self) -> errors.EdgeclsError:
        """Return the exception."""
        return _KINDS.get(self.kind, errors.EdgeclsError)(self.message)


@dataclass(frozen=True, slots=True)
class Crashed:
    """That a task has ended by an error that is not of edgecls, in one line."""

    why: str


_KINDS: dict[str, type[errors.EdgeclsError]] = {
    kind.__name__: kind
    for kind in (errors.ConfigError, errors.DataError, errors.ModelError, errors.DeviceError, errors.SinkError)
}


def main() -> None:
    """Be a worker."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the answers
    lock = threading.Lock()

    def answer(value: Any) -> None:
        with lock, contextlib.suppress(OSError):  # nobody listens any more: the end of the input says so too
            pickle.dump(value, answers)
            answers.flush()

    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    threading.Thread(target=_read, args=(sys.stdin.buffer, tasks), name="tasks", daemon=True).start()
    labeller = _begin(job, answer)
    gc.freeze()
    gc.enable()
    while labeller is not None:
        _answer(labeller, tasks.get(), answer)


def _read(stream: BinaryIO, tasks: queue.SimpleQueue[Task]) -> None:
    """Take tasks from the input, and end the process at its end: what is half written is hidden, and removed later."""
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            tasks.put(pickle.load(stream))  # noqa: S301 - from the process that started this one
    os._exit(0)


def _begin(job: Job, answer: Callable[[Any], None]) -> Labeller | None:
    try:
        labeller = Labeller(job, lambda line: answer(Said(line)))
    except errors.EdgeclsError as error:
        answer(Failed(type(error).__name__, str(error)))
        return None
    answer(Ready())
    return labeller


def _answer(labeller: Labeller, task: Task, answer: Callable[[Any], None]) -> None:
    try:
        outcome: Outcome | Failed | Crashed = labeller.label(task, lambda count: answer(Frames(count)))
    except errors.EdgeclsError as error:
        outcome = Failed(type(error).__name__, str(error))
    except Exception as error:  # noqa: BLE001 - it is told, with the recording that caused it
        traceback.print_exc()
        outcome = Crashed(" ".join(f"{type(error).__name__}: {error}".split()))
    answer(outcome)
