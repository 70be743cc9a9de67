"""Do tasks on the machines of a Ray cluster: the same tasks, each by an actor that has loaded the model once.

An actor that ends costs its own task only. If its machine is gone, the task begins again on another one. All machines must have
edgecls, and see the archive, the recordings and the model under the same paths, as on a shared file system.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import warnings
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.archive.executor import Done, Executor, Lost, Working
from edgecls.archive.labeller import Labeller
from edgecls.archive.worker import Crashed, Failed
from edgecls.errors import ConfigError, EdgeclsError
from edgecls.text.redaction import hidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.archive.task import Job, Outcome, Task
    from edgecls.log import Say

MOST_MOVES = 3
"""How often a task begins again because its machine is gone."""
EXPECTED = (
    "expected processes, ray (this machine, or the cluster that RAY_ADDRESS names) or an address such as ray://head.lan:10001"
)
_LOCAL = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}


class RayCluster:
    """A connection to a Ray cluster, or one of its own on this machine. Call it to get what does the tasks of a job.

    Attributes:
        cores: How many cores the cluster has.
    """

    def __init__(self, where: str) -> None:
        """Connect.

        Args:
            where: "ray" or "ray://HOST:PORT".

        Raises:
            MissingExtraError: Ray is not installed.
            ConfigError: The cluster cannot be reached, or `where` is something else.
        """
        if where != "ray" and not where.startswith("ray://"):
            raise ConfigError(f"`on={hidden(where)}` is not possible; {EXPECTED}")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        self._ray = extras.load("ray", extra="ray", purpose="Labelling on a cluster")
        logging.getLogger("ray").setLevel(logging.ERROR)  # its own lines would stand between ours
        with _own_signals(), warnings.catch_warnings(action="ignore"):
            try:
                if where == "ray":
                    self._ray.init(**_LOCAL)
                else:
                    self._ray.init(where)
            except Exception as error:  # of many kinds
                why = " ".join(str(error).split())[:200] or type(error).__name__
                raise ConfigError(
                    f"{hidden(where)}: the cluster cannot be reached ({why}); check the address, the token (RAY_AUTH_TOKEN), "
                    "and that the same versions of Python and of Ray with its client (ray[client]) are installed there"
                ) from error
        self.cores = max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def __call__(self, job: Job, workers: int, say: Say) -> RayActors:
        """Return what does the tasks of a job with so many actors."""
        return RayActors(self._ray, job, workers, say)


class LabelActor:
    """What Ray runs on a machine of the cluster: a `Labeller` in a process of its own. Errors are answers."""

    def __init__(self, job: Job, folder: str) -> None:
        """Remember the job. Relative paths in it are relative to `folder`."""
        self._job = job
        self._labeller: Labeller | None = None
        self._said: list[str] = []
        with contextlib.suppress(OSError):
            os.chdir(folder)

    def load(self) -> tuple[Failed | None, list[str]]:
        """Load the model. Returns why that failed, if it did, and lines for the user."""
        try:
            self._labeller = Labeller(self._job, self._said.append)
        except EdgeclsError as error:
            return Failed(type(error).__name__, str(error)), self._said
        return None, self._said

    def label(self, task: Task) -> tuple[Outcome | Failed | Crashed, list[str]]:
        """Do a task. Returns what became of it, and lines for the user."""
        assert self._labeller is not None  # noqa: S101 - for the type checker
        try:
            return self._labeller.label(task, lambda _: None), self._said
        except EdgeclsError as error:
            return Failed(type(error).__name__, str(error)), self._said
        except Exception as error:  # noqa: BLE001 - it is told, with the recording that caused it
            return Crashed(" ".join(f"{type(error).__name__}: {error}".split())), self._said


class _Actor:
    """An actor, whether its model is loaded, and what it does."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.is_ready = False
        self.task: Task | None = None


class RayActors(Executor):
    """Does tasks by actors of a Ray cluster. A task waits here until an actor is ready, so none waits for a lost machine."""

    def __init__(self, ray: Any, job: Job, workers: int, say: Say) -> None:
        """Start no actor yet. `ray` is the module, which is connected; the others are those of `Processes`."""
        self.workers = workers
        self._ray = ray
        self._job = replace(job, out=str(Path(job.out).absolute()))
        self._say = say
        self._said: set[str] = set()
        self._remote = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(LabelActor)
        self._actors: list[_Actor] = []
        self._answers: dict[Any, _Actor] = {}
        self._waiting: deque[Task] = deque()
        self._moves: dict[Task, int] = {}

    def submit(self, task: Task) -> None:
        """Begin a task as soon as an actor is ready."""
        self._waiting.append(task)
        self._hand_out()

    def wait(self, timeout_s: float) -> Done | Lost | Working | None:
        """Return what has happened, or None if nothing does within the time."""
        ready, _ = self._ray.wait(list(self._answers), num_returns=1, timeout=timeout_s)
        if not ready:
            return None
        actor = self._answers.pop(ready[0])
        try:
            answer, lines = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            found = self._died(actor, error)
            self._hand_out()
            return found
        for line in lines:
            if line not in self._said:  # every actor may have the same to say
                self._said.add(line)
                self._say(line)
        if isinstance(answer, Failed):
            raise answer.error()
        task, actor.task, actor.is_ready = actor.task, None, True
        self._hand_out()
        if task is None:
            return None
        return Lost(task, answer.why) if isinstance(answer, Crashed) else Done(task, answer)

    def close(self) -> None:
        """End all actors, and the connection."""
        actors, self._actors = self._actors, []
        for actor in actors:
            with contextlib.suppress(Exception):  # it may be gone, and so may the cluster
                self._ray.kill(actor.handle)
        self._answers.clear()
        with contextlib.suppress(Exception):
            self._ray.shutdown()

    def _hand_out(self) -> None:
        """Give waiting tasks to actors that are ready, and start more actors if there are too few."""
        for actor in self._actors:
            if self._waiting and actor.is_ready and actor.task is None:
                actor.task = self._waiting.popleft()
                self._answers[actor.handle.label.remote(actor.task)] = actor
        loading = sum(not actor.is_ready for actor in self._actors)
        for _ in range(min(len(self._waiting) - loading, self.workers - len(self._actors))):
            actor = _Actor(self._remote.remote(self._job, str(Path.cwd())))
            self._actors.append(actor)
            self._answers[actor.handle.load.remote()] = actor

    def _died(self, actor: _Actor, error: Exception) -> Lost | None:
        """Forget an actor that has ended. Its task begins again if its machine is gone."""
        self._actors.remove(actor)
        why, task = " ".join(str(error).split())[:300], actor.task
        is_machine = "node" in why.lower()
        if task is None:
            if is_machine:
                return None
            raise EdgeclsError(f"an actor of Ray ended before it had loaded the model: {why}")
        if is_machine and self._moves.get(task, 0) < MOST_MOVES:
            self._moves[task] = self._moves.get(task, 0) + 1
            self._waiting.appendleft(task)
            return None
        return Lost(task, f"its worker ended ({why})")


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of Ctrl-C and SIGTERM that are set now; Ray sets others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None:
                signal.signal(number, handler)
