"""The workers of a run as the training loop sees them: one alone, or several on JAX.

All workers do the same: they scan and decode the same pictures, build the same network, and save it, because even to save a
model that several processes hold is something that Keras and JAX do together. What differs is the part of a batch that each
takes, and the folder: that of worker 0 is the run, those of the others are temporary.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import ConfigError, EdgeclsError, TrainError, WorkerError
from edgecls.text.strict_json import dumps
from edgecls.train import backend
from edgecls.train.workers.division import Division
from edgecls.train.workers.link import Link, Lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgecls.log import Say
    from edgecls.train.batches import Batches, HeldOut
    from edgecls.train.prefetch import Numbered
    from edgecls.train.targets import Numbers
    from edgecls.train.workers.worker import Worker

RUN_FILES = ("config.toml", "card.json", "history.csv", "best.keras", "last.keras")
NOTICE_S = 2.0
"""How long a worker with an error of JAX waits to be told that another one has ended, which is then the reason."""
HEARTBEAT_S, SHUTDOWN_S = 60, 10
"""When JAX takes another worker for dead, and how long it waits for the others at the end; `Link` is earlier."""
MOST_SHOWN = 200


class Team(ABC):
    """The workers of a run, of which this process is one."""

    @abstractmethod
    def folder(self, out: Path) -> contextlib.AbstractContextManager[Path]:
        """Yield the folder that this worker writes its run to."""

    @abstractmethod
    def receive_run(self, out: Path) -> None:
        """Copy the files of a run that is resumed from worker 0 to the folder of this one."""

    @abstractmethod
    def agree(self, facts: Mapping[str, Any], where: str, *, error: type[EdgeclsError]) -> None:
        """Check that something is the same on all workers.

        Args:
            facts: What must be the same, by name; values of JSON.
            where: What the facts are about, for the message.
            error: Raised if one differs.
        """

    @abstractmethod
    def load(self, seed: int) -> Any:
        """Load Keras, see `backend.load`, and connect its devices with those of the others."""

    @abstractmethod
    def training(self, keras: Any) -> contextlib.AbstractContextManager[None]:
        """Within the block, networks are built on all devices and trained by all workers."""

    @abstractmethod
    def dismiss(self) -> None:
        """Let the other workers go, because the user has stopped this one, which is worker 0."""

    @abstractmethod
    def divided(self, model: Any, batches: Batches, held_out: HeldOut) -> tuple[Numbered[Numbers], Numbered[Numbers]]:
        """Return this worker's parts of the batches, and make the network compute on whole ones."""


class Alone(Team):
    """The only worker, on any backend."""

    @contextlib.contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """Yield `out`."""
        yield out

    def receive_run(self, out: Path) -> None:
        """Do nothing."""

    def agree(self, facts: Mapping[str, Any], where: str, *, error: type[EdgeclsError]) -> None:
        """Do nothing."""

    def load(self, seed: int) -> Any:
        """Load Keras."""
        return backend.load(seed)

    @contextlib.contextmanager
    def training(self, keras: Any) -> Iterator[None]:  # noqa: ARG002 - the interface of Team
        """Change nothing."""
        yield

    def dismiss(self) -> None:
        """Do nothing."""

    def divided(
        self, model: Any, batches: Batches, held_out: HeldOut  # noqa: ARG002
    ) -> tuple[Numbered[Numbers], Numbered[Numbers]]:  # fmt: skip
        """Return the batches."""
        return batches, held_out


class Several(Team):
    """One of several workers, on JAX."""

    def __init__(self, link: Link) -> None:
        """Use a link to the others."""
        self.own = Path()
        self._link = link
        self._worker = link.worker
        self._devices = 0

    @contextlib.contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """Yield `out` for worker 0, and a temporary folder for the others."""
        if self._worker.rank == 0:
            self.own = out
            yield out
            return
        with tempfile.TemporaryDirectory(prefix="edgecls-worker-") as temporary:
            self.own = Path(temporary)
            yield self.own

    def leave(self) -> None:
        """Clean up before the process ends at once."""
        if self._worker.rank != 0 and self.own != Path():
            shutil.rmtree(self.own, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.own.rmdir()  # if the run could not start, it is empty

    def receive_run(self, out: Path) -> None:
        """Copy the files of a run that is resumed from worker 0 to the folder of this one."""
        own = self._worker.rank == 0
        files = {
            name: base64.b64encode((out / name).read_bytes()).decode() for name in RUN_FILES if own and (out / name).exists()
        }
        found = self._link.exchange(files)[0]
        for name in RUN_FILES if not own else ():
            if name in found:
                (out / name).write_bytes(base64.b64decode(found[name]))

    def agree(self, facts: Mapping[str, Any], where: str, *, error: type[EdgeclsError]) -> None:
        """Compare the facts of all workers with those of worker 0."""
        first, *others = self._link.exchange(dict(facts))
        for rank, found in enumerate(others, 1):
            for name, expected in first.items():
                if found.get(name) != expected:
                    self._link.part()  # every worker finds the same, and says it itself
                    raise error(
                        f"worker {rank}: {where}{name} differs from that of worker 0 (expected {_short(expected)}, found "
                        f"{_short(found.get(name))}); start all workers with the same"
                    )

    def load(self, seed: int) -> Any:
        """Load Keras on JAX, and connect its devices with those of the others."""
        jax = _jax()
        address = _free_address(self._worker) if self._worker.rank == 0 else ""
        address = self._link.exchange(address)[0]
        bind = {"coordinator_bind_address": address} if self._worker.rank == 0 else {}
        jax.distributed.initialize(
            address, self._worker.workers, self._worker.rank, cluster_detection_method="deactivate",
            heartbeat_timeout_seconds=HEARTBEAT_S, shutdown_timeout_seconds=SHUTDOWN_S, **bind,
        )  # fmt: skip
        keras = backend.load(seed)
        counts = self._link.exchange(jax.local_device_count())
        if len(set(counts)) > 1:
            self._link.part()
            raise ConfigError(f"the workers have {_short(counts)} devices, by rank; give each of them equally many")
        self._devices = sum(counts)
        with _without_stdout():  # where Gloo says that it is connected
            extras.load("jax.experimental.multihost_utils", extra="train-jax", purpose="Training").sync_global_devices(
                "edgecls"
            )
        return keras

    @contextlib.contextmanager
    def training(self, keras: Any) -> Iterator[None]:
        """Build networks on all devices, and train them together."""
        devices = keras.distribution.list_devices()
        with keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False).scope():
            yield

    def dismiss(self) -> None:
        """Let the other workers go."""
        if self._worker.rank == 0:
            self._link.dismiss()

    def divided(self, model: Any, batches: Batches, held_out: HeldOut) -> tuple[Numbered[Numbers], Numbered[Numbers]]:
        """Return this worker's parts of the batches, and make the network compute on whole ones."""
        rank, workers = self._worker.rank, self._worker.workers
        shown, tested = (Division(sizes, self._devices, rank, workers) for sizes in (batches.sizes, held_out.sizes))
        kind = type(model)
        model.train_step = shown.without_filling(kind.train_step.__get__(model))
        model.test_step = tested.without_filling(kind.test_step.__get__(model))
        return shown.of(batches), tested.of(held_out)


@contextlib.contextmanager
def joined(worker: Worker | None, say: Say) -> Iterator[Team]:
    """Join the workers of a run.

    When another worker ends too early, this process ends at once, with a line for `say`: what JAX computes together with a
    process that is gone cannot be interrupted.

    Args:
        worker: Which one this process is; None: the only one.
        say: Called with a line for the user.

    Raises:
        ConfigError: The backend is not JAX.
        WorkerError: The others cannot be reached, or were started differently.
    """
    if worker is None or worker.workers == 1:
        yield Alone()
        return
    choose_jax()
    teams: list[Several] = []

    def end(lost: Lost | None) -> None:
        for team in teams:
            team.leave()
        if lost is not None:
            say(f"error: {lost}; epochs that were complete are kept: continue with `resume`")
        os._exit(0 if lost is None else 1)

    link = Link(worker, end)
    teams.append(Several(link))
    try:
        yield teams[0]
    except TrainError as error:  # from numbers that all workers have, so all of them raise it
        link.finish()
        if worker.rank != 0:
            raise WorkerError("worker 0 has stopped the run: the loss became NaN or infinite") from error
        raise
    except BaseException as error:
        if not isinstance(error, EdgeclsError | KeyboardInterrupt):
            time.sleep(NOTICE_S)
        link.fail(_reason(error))
        raise  # the link stays open, so that its threads tell the command line to leave at once, without waiting for JAX
    if link.finish():
        _jax().distributed.shutdown()
        link.close()


def _reason(error: BaseException) -> str:
    """Return what the other workers say of this one."""
    if isinstance(error, KeyboardInterrupt):
        number = signal.Signals(error.args[0] if error.args else signal.SIGINT)
        return f"was stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}"
    told = " ".join(str(error).split()) or type(error).__name__
    return f"failed: {told}" if isinstance(error, EdgeclsError) else f"failed: {type(error).__name__}: {told}"[:500]


def choose_jax() -> None:
    """Make Keras use JAX. Raises ConfigError if it was told to use another backend."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    loaded = sys.modules.get("keras")
    name = loaded.backend.backend() if loaded is not None else extras.backend()
    if name != "jax":
        raise ConfigError(f"training on several workers needs KERAS_BACKEND=jax, found {name}; unset it, or set it to jax")


def _jax(module: str = "jax") -> Any:
    return extras.load(module, extra="train-jax", purpose="Training on several workers")


def _free_address(worker: Worker) -> str:
    """Return the host of worker 0 with a free port."""
    with socket.create_server(("::" if ":" in worker.host else "", 0), family=worker.family) as free:
        port = free.getsockname()[1]
    return f"[{worker.host}]:{port}" if ":" in worker.host else f"{worker.host}:{port}"


def _short(value: Any) -> str:
    text = dumps(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


@contextlib.contextmanager
def _without_stdout() -> Iterator[None]:
    """Discard what C++ writes to stdout, which is for the result of a command."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
