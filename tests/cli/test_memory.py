"""Tests that a run shares memory arenas between its threads."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

POOLS = """
import ctypes, sys, threading
from edgecls.cli import memory
if sys.argv[1] == "limited":
    assert memory.limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
here = threading.Barrier(7)
def take():
    libc.malloc(1000)
    here.wait()
    here.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads:
    thread.start()
here.wait()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
here.wait()
"""


def pools(how: str) -> int:
    """Return how many arenas six threads that allocate at the same time have created in a new process."""
    done = subprocess.run([sys.executable, "-c", POOLS, how], cwd=ROOT, capture_output=True, text=True, check=True)
    return len(re.findall(r"<heap nr=", done.stdout))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is the C library of Linux")
def test_threads_share_two_pools():
    """Six threads have two arenas; without the limit they have more."""
    assert pools("limited") <= 2 < pools("as it is")


GAPS = """
import ctypes, sys
from edgecls.cli import memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
blocks = [libc.malloc(100_000) for _ in range(600)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
for block in blocks[::2]:
    libc.free(block)
before = resident_mb()
assert memory.trim()
print(before - resident_mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is the C library of Linux")
def test_free_memory_is_given_back():
    """30 MB in gaps between used blocks are returned to the system."""
    done = subprocess.run([sys.executable, "-c", GAPS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 25


STARTED = """
import gc, sys
from edgecls.cli import entry, run
from edgecls.run.run import Run
begun = []
was = Run.__init__
def opened(self, *args, **options):
    begun.append(gc.isenabled())
    was(self, *args, **options)
Run.__init__ = opened
sys.argv = ["edgecls", *sys.argv[1:]]
try:
    entry.main()
finally:
    print(begun, gc.isenabled(), gc.get_freeze_count() > 10_000, "edgecls.cli.train" in sys.modules, file=sys.stderr)
"""


def test_a_run_starts_without_looking_for_cycles(light_model, shapes):
    """They are looked for when all is open, and then not in what is there. Only the command that is called is loaded."""

    def of(*words: object) -> str:
        command = [sys.executable, "-c", STARTED, *map(str, words)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr.splitlines()[-1]

    assert of("run", "--model", light_model, "--source", shapes, "--quiet") == "[False] True True False"
    assert of("info", light_model) == "[] True True False"
