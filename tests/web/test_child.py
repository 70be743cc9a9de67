"""A command beside the run: what it says, how it fails, and that it never outlives the run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecls.web import child as module
from edgecls.web.child import Child
from tests.conftest import ROOT

PATIENT = "tests.web.patient"


def wait_for(found, what):
    """Wait until something is so, and return it."""
    for _ in range(1000):
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within 20 s: {what}")


def is_gone(pid):
    """Whether there is no such process any more; one that nobody has waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def word_after(child, name):
    """What a patient program said of itself."""
    return wait_for(lambda: next((line.split()[1:] for line in list(child.lines) if line.startswith(name)), None), name)


def test_the_result_of_a_command_is_its_output_and_its_failure_one_line(tmp_path):
    """As on the command line; the failure without its `error:`."""
    missing = str(tmp_path / "größe.onnx")
    good, bad = Child(["check-config", "--schema"]), Child(["info", missing])
    assert (good.wait(60), good.why) == ("done", "")
    assert "camera" in json.loads(good.output)["properties"]
    assert good.began_at_s <= good.ended_at_s
    assert bad.wait(60) == "failed"
    assert bad.why.startswith(missing)
    assert "\n" not in bad.why


def test_a_reason_has_no_secrets():
    """Whatever wrote it."""
    child = Child(["fail", "error: rtsp://me:secret@10.0.0.7/1 is lost"], module=PATIENT)
    assert child.wait(20) == "failed"
    assert child.why.endswith("is lost")
    assert "secret" not in child.why + "".join(child.lines)


def test_a_child_that_the_system_kills_has_a_reason_too():
    """It says nothing itself."""
    child = Child([], module=PATIENT)
    os.kill(int(word_after(child, "pid")[0]), signal.SIGKILL)
    assert child.wait(20) == "failed"
    assert child.why == "it was ended by SIGKILL, perhaps because memory ran out"


def test_some_commands_have_done_their_work_with_another_code():
    """`fine` says which, as for `edgecls doctor`, which finds problems; what it could not do is a failure all the same."""
    assert Child(["fail", "a problem"], fine=(0, 1), module=PATIENT).wait(20) == "done"
    assert Child(["fail", "error: it cannot be read"], fine=(0, 1), module=PATIENT).wait(20) == "failed"


@pytest.mark.skipif(not hasattr(os, "nice"), reason="this system has no nice")
def test_a_cancelled_child_cleans_up_and_has_the_lowest_priority():
    """It is stopped as by Ctrl-C, and its temporary folder is gone."""
    child = Child([], module=PATIENT)
    pid, nice = word_after(child, "pid")
    folder = Path(word_after(child, "folder")[0])
    assert child.state == "running"
    assert nice == "19"
    assert (folder / "half").exists()
    child.cancel()
    child.cancel()
    assert child.wait(20) == "cancelled"
    assert child.why == ""
    assert not folder.exists()
    assert is_gone(pid)
    child.close()


def test_a_child_that_does_not_stop_is_killed_with_those_that_it_started(monkeypatch):
    """Whoever ignores Ctrl-C has `LEAVE_WAIT_S`."""
    child = Child(["stubborn"], module=PATIENT)
    pid, other = word_after(child, "pid")[0], word_after(child, "other")[0]
    monkeypatch.setattr(module, "LEAVE_WAIT_S", 0.1)
    child.close()
    assert child.state == "cancelled"
    assert is_gone(pid)
    wait_for(lambda: is_gone(other), "the process that it started is gone")


def test_a_child_that_does_not_even_listen_is_killed(monkeypatch):
    """A cancelled one is never left as it is, whoever waits for it or nobody."""
    monkeypatch.setattr(module, "LEAVE_WAIT_S", 0.1)
    child = Child([], module=PATIENT)
    pid = int(word_after(child, "pid")[0])
    os.kill(pid, signal.SIGSTOP)
    child.cancel()
    assert child.wait(20) == "cancelled"
    assert is_gone(pid)


def test_a_child_that_is_killed_does_not_leave_its_own_children():
    """They hold its pipes; it has ended all the same, and so have they."""
    child = Child(["stubborn"], module=PATIENT)
    other = word_after(child, "other")[0]
    os.kill(int(word_after(child, "pid")[0]), signal.SIGKILL)
    assert child.wait(20) == "failed"
    assert child.why.startswith("it was ended by SIGKILL")
    wait_for(lambda: is_gone(other), "the process that it started is gone")


def test_lines_may_be_read_while_they_grow():
    """Whoever looks sees those of a moment."""
    child, longest = Child(["talk"], module=PATIENT), 0
    while child.state == "running":
        for line in child.lines:
            assert line.startswith("line ")
            longest = max(longest, int(line.split()[1]))
    assert longest > module.LATEST_LINES
    assert child.why == "line 2999"
    assert len(child.lines) == module.LATEST_LINES


def test_a_child_dies_with_a_run_that_is_killed():
    """Not even SIGKILL leaves it alone, nor its temporary files."""
    program = (
        "import time\nfrom edgecls.web.child import Child\n"
        f"child = Child([], module={PATIENT!r})\n"
        "while not child.line.startswith('pid'): time.sleep(0.02)\n"
        "print(child.line, child._folder.name, flush=True)\ntime.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    _, pid, _, folder = run.stdout.readline().split()
    assert not is_gone(pid)
    run.kill()
    run.wait()
    run.stdout.close()
    wait_for(lambda: is_gone(pid), "the child is gone")
    wait_for(lambda: not Path(folder).exists(), "its folder is deleted")
