"""What a worker does when the run ends otherwise than it should."""

from __future__ import annotations

import os
import socket

import pytest

from edgecls.errors import ConfigError, TrainError, WorkerError
from edgecls.train.workers import team
from edgecls.train.workers.link import Link
from edgecls.train.workers.worker import Worker
from tests.train.workers.test_link import in_threads


@pytest.fixture
def both(monkeypatch):
    """Call something in two workers, and return what it gives, what they have said, and how often a process was to end.

    A link outlives an error, until its process ends; here they are closed.
    """
    ended, said, links = [], [], []

    def linked(*arguments):
        links.append(Link(*arguments))
        return links[-1]

    monkeypatch.setattr(team, "Link", linked)
    monkeypatch.setattr(team, "choose_jax", lambda: None)
    monkeypatch.setattr(os, "_exit", ended.append)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def one(rank, call):
        with team.joined(Worker(rank, 2, address, 20), said.append) as joined:
            return call(rank, joined)

    yield lambda call: (in_threads(lambda: one(0, call), lambda: one(1, call)), said, ended)
    for link in links:
        link.close()


def test_a_loss_that_became_nan_is_told_by_worker_0(both):
    """All of them have found it, so none has failed, and worker 0 may write its report."""

    def diverge(rank, joined):
        raise TrainError(f"runs/{rank}: the loss became nan")

    (first, second), said, ended = both(diverge)
    assert isinstance(first, TrainError)
    assert isinstance(second, WorkerError)
    assert str(second) == "worker 0 has stopped the run: the loss became NaN or infinite"
    assert (said, ended) == ([], [])


def test_what_differs_is_told_by_each_worker(both):
    """With both values, and nobody is told that another one has failed."""

    def differ(rank, joined):
        joined.agree({"seed": 0, "epochs": 3 + rank}, "the setting ", error=ConfigError)

    found, said, ended = both(differ)
    line = "worker 1: the setting epochs differs from that of worker 0 (expected 3, found 4); start all workers with the same"
    assert [(type(error), str(error)) for error in found] == [(ConfigError, line)] * 2
    assert (said, ended) == ([], [])


def test_the_files_of_a_run_are_sent(both, tmp_path):
    """To a folder of the worker's own, which is gone afterwards."""
    (tmp_path / "config.toml").write_text("epochs = 3")
    (tmp_path / "last.keras").write_bytes(bytes(range(256)))

    def send(rank, joined):
        with joined.folder(tmp_path) as folder:
            joined.receive_run(folder)
            held = {path.name: path.read_bytes() for path in folder.iterdir()}
            joined._link.part()
            raise KeyError(str(folder), held)

    (first, second), _, _ = both(send)
    assert first.args[1] == second.args[1] == {"config.toml": b"epochs = 3", "last.keras": bytes(range(256))}
    assert first.args[0] == str(tmp_path)
    assert not os.path.exists(second.args[0])  # noqa: PTH110 - a text
