"""The jobs of a page: one at a time, whatever it is; each ends, also when the run ends first."""

from __future__ import annotations

import threading

import pytest

from edgecls.web import child
from edgecls.web.answers import NotPossibleError
from edgecls.web.child import Child
from edgecls.web.jobs import CLOSE_WAIT_S, Job, JobRunner
from tests.web.test_child import PATIENT, is_gone, wait_for, word_after


@pytest.fixture
def started(monkeypatch):
    """The children that were started."""
    return []


@pytest.fixture
def runner(started):
    """A runner of the patient program, which gets the words of a command."""

    def start(arguments, *, fine):
        started.append(Child(arguments, fine=fine, module=PATIENT))
        return started[-1]

    found = JobRunner(start)
    yield found
    found.close()


def ended(job):
    """Wait for the end of a job, and return how it ended."""
    wait_for(lambda: job.state != "running", "the job ends")
    return job.state, job.why


@pytest.mark.parametrize("first", ["learn", "compare", "doctor", "bench"])
def test_one_at_a_time_whatever_it_is(runner, started, first):
    """The next one is refused with the name of the first, the page where it is, and who has begun it."""
    job = Job(first, by="ann")
    runner.begin(job, [])
    wait_for(lambda: started, "it runs")
    for other in ("learn", "compare", "doctor", "bench"):
        with pytest.raises(NotPossibleError, match=r"is running \(ann has begun it\); wait for it, or cancel it: one thing at"):
            runner.begin(Job(other, by="bob"), [])
    assert len(started) == 1
    assert runner.latest("learn", "compare", "doctor", "bench") is job
    job.cancel()
    assert ended(job) == ("cancelled", "")
    nobody = Job(first, by="page")
    runner.begin(nobody, [])
    with pytest.raises(NotPossibleError, match=r", on the page (Teach|Machine), is running; wait"):
        runner.begin(Job("doctor", by="page"), [])


def test_a_job_that_is_killed_or_gives_nonsense_has_a_reason(runner, started):
    """And the next one can start; each kind keeps its latest."""
    bench, again, doctor = Job("bench", by="ann"), Job("bench", by="ann"), Job("doctor", by="ann")
    runner.begin(bench, [])
    wait_for(lambda: started, "it runs")
    word_after(started[0], "pid")
    started[0]._process.kill()
    assert ended(bench) == ("failed", "it was ended by SIGKILL, perhaps because memory ran out")
    runner.begin(again, ["fail", "nonsense"], fine=(0, 1))
    assert ended(again) == ("failed", "it gave no result that can be read")
    runner.begin(doctor, ["fail", "error: it cannot be read"], fine=(0, 1))
    assert ended(doctor) == ("failed", "it cannot be read")
    assert (runner.latest("bench"), runner.latest("doctor")) == (again, doctor)


def test_a_job_that_cannot_start_has_a_reason():
    """The system has no room for a process, a file is missing, a fault of ours: the job ends, and the next one can begin."""
    faults = [OSError(12, "Cannot allocate memory"), OSError(28, "No space left on device", "/secret/x"), KeyError("x")]

    def start(_arguments, *, fine):
        raise faults[0]

    runner, found = JobRunner(start), []
    while faults:
        job = Job("learn", by="ann")
        runner.begin(job, [])
        found.append(ended(job)[1])
        faults.pop(0)
    assert found == [
        "a file cannot be used (Cannot allocate memory)",
        "x cannot be used (No space left on device); free some space on its disk, then try again",
        "KeyError: 'x'",
    ]
    runner.close()


def test_the_run_may_end_before_the_child_has_started(runner, started):
    """No child starts then, and nobody waits."""
    is_asked, may_go_on = threading.Event(), threading.Event()

    def command(_folder):
        is_asked.set()
        assert may_go_on.wait(20)
        return ["stubborn"]

    job = Job("learn", by="ann")
    runner.begin(job, command)
    assert is_asked.wait(20)
    closing = threading.Thread(target=runner.close)
    closing.start()
    wait_for(lambda: job._is_cancelled, "the end is on its way")
    may_go_on.set()
    closing.join(CLOSE_WAIT_S + 5)
    assert not closing.is_alive()
    assert job.state == "cancelled"
    assert all(is_gone(one._process.pid) for one in started)
    with pytest.raises(NotPossibleError, match="the run ends"):
        runner.begin(Job("bench", by="ann"), [])


def test_the_end_of_the_run_stops_a_job_that_does_not_listen(runner, started, monkeypatch):
    """It is killed."""
    monkeypatch.setattr(child, "LEAVE_WAIT_S", 0.1)
    job = Job("learn", by="ann")
    runner.begin(job, ["stubborn"])
    wait_for(lambda: started, "it runs")
    pid = word_after(started[0], "pid")[0]
    runner.close()
    assert job.state == "cancelled"
    assert is_gone(pid)
