"""The workers of a run find one another, compare what they have, and learn at once that one has ended."""

from __future__ import annotations

import queue
import socket
import threading
from functools import partial

import pytest

from edgecls.errors import ConfigError, WorkerError
from edgecls.train.workers import meeting
from edgecls.train.workers.link import Link, Lost
from edgecls.train.workers.worker import Worker


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def in_threads(*calls):
    """What each call returns, or the error that it raises; all of them run at the same time."""
    found = [None] * len(calls)

    def keep(at, call):
        try:
            found[at] = call()
        except Exception as error:  # noqa: BLE001 - the test asserts what it is
            found[at] = error

    threads = [threading.Thread(target=keep, args=numbered) for numbered in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


class Group:
    """Workers in threads, and what each of them is told about the end."""

    def __init__(self, count, port=None, wait_s=20.0):
        address = f"127.0.0.1:{port or free_port()}"
        self.workers = [Worker(rank, count, address, wait_s) for rank in range(count)]
        self.ends = [queue.Queue() for _ in self.workers]

    def meet(self):
        pairs = zip(self.workers, self.ends, strict=True)
        self.links = in_threads(*[lambda w=worker, e=end: Link(w, e.put) for worker, end in pairs])
        return self.links

    def __enter__(self):
        self.meet()
        return self

    def __exit__(self, *error):
        for link in self.links:
            if isinstance(link, Link):
                link.close()


@pytest.fixture
def group():
    with Group(3) as three:
        yield three


def test_each_gets_the_values_of_all(group):
    """By rank, and one exchange after the other, as everybody gets them from JSON."""
    for value, as_json in ((1, 1), ("two", "two"), ((3, None), [3, None])):
        found = in_threads(*[partial(link.exchange, (link.worker.rank, value)) for link in group.links])
        assert found == [[[0, as_json], [1, as_json], [2, as_json]]] * 3


def test_a_large_value_arrives_whole(group):
    """Such as the model of a run that is resumed."""
    text = "model" * 400_000
    found = in_threads(*[lambda link=link: link.exchange(text)[0] == text for link in group.links])
    assert found == [True] * 3


def test_that_one_has_ended_is_told_to_all(group):
    """By worker 0, with whom alone the others are connected, and also to one that waits for a value."""
    waiting = in_threads(lambda: group.links[2].exchange(0), group.links[1].close)
    assert group.ends[0].get(timeout=10) == group.ends[2].get(timeout=10)
    assert isinstance(waiting[0], WorkerError)
    assert str(waiting[0]) == "worker 1 has ended, or its machine or the network between them has failed"


def test_that_worker_0_has_ended_is_told_to_the_others(group):
    """Each of them finds its connection closed."""
    group.links[0].close()
    assert [group.ends[rank].get(timeout=10).rank for rank in (1, 2)] == [0, 0]


def test_the_reason_is_passed_on(group):
    """A worker that fails says why."""
    group.links[2].fail("failed: the disk is full")
    for rank in (0, 1):
        assert group.ends[rank].get(timeout=10) == Lost(2, "failed: the disk is full")


def test_a_machine_that_is_silent_has_ended(monkeypatch):
    """Without power it does not close its connections."""
    monkeypatch.setattr(meeting, "SILENT_S", 0.3)
    monkeypatch.setattr("edgecls.train.workers.link.SILENT_S", 0.3)
    monkeypatch.setattr("edgecls.train.workers.link.BEAT_S", 60)
    with Group(2) as two:
        assert "has not been heard for 0.3 s: its machine" in str(two.ends[0].get(timeout=10))


def test_a_run_that_is_complete_is_no_loss(group):
    """All of them have come to the end, so nobody is told."""
    assert in_threads(*[link.finish for link in group.links]) == [True] * 3
    for link in group.links:
        link.close()
    assert all(end.empty() for end in group.ends)


def test_a_worker_that_still_computes_is_let_go(group):
    """As after Ctrl-C, which only worker 0 gets."""
    group.links[0].dismiss()
    assert group.links[0].finish() is False
    assert [group.ends[rank].get(timeout=10) for rank in (1, 2)] == [None, None]


def test_an_error_that_all_have_found_is_told_by_each_alone(group):
    """Nobody is told that another worker has ended."""
    in_threads(*[link.part for link in group.links])
    for link in group.links:
        link.close()
    assert all(end.empty() for end in group.ends)


def test_another_number_of_workers_is_refused():
    """Both sides say which numbers they are."""
    port = free_port()
    first, other = Worker(0, 2, f"127.0.0.1:{port}", 20), Worker(1, 3, f"127.0.0.1:{port}", 20)
    found = in_threads(lambda: Link(first, print), lambda: Link(other, print))
    assert [str(error) for error in found] == ["worker 1 was started with `workers=3`, worker 0 with `workers=2`"] * 2


def test_the_same_rank_twice_is_refused():
    """All three say it."""
    port = free_port()
    ranks = (0, 1, 1)
    found = in_threads(*[lambda rank=rank: Link(Worker(rank, 3, f"127.0.0.1:{port}", 20), print) for rank in ranks])
    assert [str(error) for error in found] == ["two workers were started with `rank=1`"] * 3


def test_a_worker_0_that_is_not_there_is_one_line():
    """After the time that it may take."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(WorkerError, match=r"worker 0 cannot be reached at `coordinator=127.0.0.1:.*` within 0.3 s"):
        Link(Worker(1, 2, address, 0.3), print)


def test_workers_that_do_not_come_are_named():
    """With what to start them with."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(WorkerError, match=f"workers 1, 2 have not come within 0.3 s.*`coordinator={address}`"):
        Link(Worker(0, 3, address, 0.3), print)


def test_a_port_that_is_taken_is_one_line():
    """By another program."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(WorkerError, match=f"cannot listen at `coordinator={address}` .*; try another port"):
            Link(Worker(0, 2, address, 5), print)


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"hello": 3}\n', b""])
def test_another_program_that_connects_is_ignored(text):
    """Such as a browser; the workers meet all the same."""
    port = free_port()

    def disturb():
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                    connection.sendall(text)
                return
            except ConnectionRefusedError:
                threading.Event().wait(0.02)

    two = Group(2, port)
    first = threading.Thread(target=disturb)
    first.start()
    with two:
        first.join()
        assert all(isinstance(link, Link) for link in two.links)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((2, 2, "host:7700"), "rank"),
        ((0, 2, "host"), "coordinator"),
        ((0, 2, "host:port"), "coordinator"),
        ((0, 2, ":7700"), "coordinator"),
        ((0, 0, "host:7700"), "workers"),
        ((0, 2, "host:7700", 0.0), "join_wait_s"),
    ],
)
def test_a_worker_that_cannot_be_is_one_line(settings, message):
    """The setting is named."""
    with pytest.raises(ConfigError, match=message):
        Worker(*settings)
