"""A store survives programs that are killed while they collect and label: no acknowledged label is lost, no picture is half.

`EDGECLS_KILLS=30` kills each of them thirty times instead of three.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from edgecls import image
from edgecls.store import Store
from tests.conftest import ROOT

KILLS = int(os.environ.get("EDGECLS_KILLS", "3"))
BEGIN = """
import sys
import numpy as np
from edgecls import image
from edgecls.collect import SelectionSettings
from edgecls.frame import Box, Detection, Prediction, Result, Timing
from edgecls.labelling import Labelling
from edgecls.sink import CollectSettings, CollectSink
from edgecls.sink.recordings.quota import QuotaSettings
from edgecls.store import Store
"""
ADDS = """
store = Store(sys.argv[1])
for i in range(10_000):
    number = store.add(np.random.default_rng(i).integers(0, 256, (16, 16), np.uint8))
    store.label([number], f"class {i % 3}")
    print(number, flush=True)
"""
COLLECTS = """
choice = SelectionSettings(per_day=20, random=0, unlike=1, apart_s=0)
settings = CollectSettings(sys.argv[1], choice=choice, quota=QuotaSettings(most_gb=60e-6), embed=False)
with CollectSink(settings, say=lambda line: None) as sink:
    rng = np.random.default_rng()
    for i in range(1_000_000):
        picture = rng.integers(0, 256, (24, 24, 3), np.uint8)
        frame = image.as_frame(picture, "gate", i, time_s=i * 100.0, captured_at=0.0)
        said = Prediction("", 0.0, -1, ())
        sink.write(Result(frame, (Detection(Box(0, 0, 24, 24), said, "frame"),), Timing(0.0, 0.0, 0.0)))
        while sink.backlog.waiting > 4:
            pass
        if (sink.kept or i > 50) and i % 10 == 0:  # a quota that labelled pictures fill keeps nothing
            print("", flush=True)
"""
LABELS = """
def none(name):
    from edgecls.errors import MissingExtraError
    raise MissingExtraError("a network", extra="pretrained", purpose="Embedding")
import edgecls.labelling.positions
edgecls.labelling.positions.open_backbone = none
for i in range(10_000):
    with Labelling(sys.argv[1], most=4, say=lambda line: None) as labelling:
        for _ in range(5):
            group = labelling.next()
            if group is None:
                sys.exit()
            labelling.label(group, f"class {i % 3}")
            known = {entry.id for entry in labelling.store.entries("labelled")}
            print(*(entry.id for entry in group.entries if entry.id in known), flush=True)
"""


def started(program, store):
    """Start a program that works on a store."""
    return subprocess.Popen([sys.executable, "-c", BEGIN + program, str(store)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def killed(process, after_s):
    """Kill a program some time after its first line. Returns the numbers that it acknowledged."""
    first = process.stdout.readline()
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    return [int(number) for number in (first + process.communicate()[0]).split()]


def check(folder):
    """Check the database and the files of a store. Returns the labels by number."""
    with Store(folder, create=False) as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        entries = list(store.entries())
    assert all(image.load(entry.path).shape[:2] == entry.size_hw for entry in entries)
    return {entry.id: entry.label for entry in entries}


def test_no_acknowledged_label_is_lost_when_a_program_is_killed(tmp_path):
    """While it adds and labels."""
    rng = np.random.default_rng(0)
    acknowledged = []
    for _ in range(KILLS):
        acknowledged += killed(started(ADDS, tmp_path / "store"), rng.uniform(0, 0.2))
    labels = check(tmp_path / "store")
    assert acknowledged
    assert all(labels[number] for number in acknowledged)


def test_collecting_may_be_killed_at_any_time(tmp_path):
    """With a quota that removes old pictures and a day that replaces them: every row has a whole file, each time."""
    rng = np.random.default_rng(1)
    for _ in range(KILLS):
        assert killed(started(COLLECTS, tmp_path / "store"), rng.uniform(0, 0.3)) == []
        assert check(tmp_path / "store")


@pytest.mark.parametrize("others", ["alone", "while another program collects"])
def test_labelling_may_be_killed_at_any_time(tmp_path, others):
    """In groups; what was acknowledged stays labelled, also if the quota of a program that collects there removes pictures."""
    rng = np.random.default_rng(2)
    acknowledged = []
    for _ in range(KILLS):
        with Store(tmp_path / "store") as store:
            for _ in range(100 - len(list(store.entries("unlabelled")))):
                store.add(rng.integers(0, 256, (16, 16, 3), np.uint8))
        collecting = started(COLLECTS, tmp_path / "store") if others != "alone" else None
        acknowledged += killed(started(LABELS, tmp_path / "store"), rng.uniform(0, 0.3))
        if collecting is not None:
            killed(collecting, 0.0)
    labels = check(tmp_path / "store")
    assert len(acknowledged) >= 4
    assert all(labels[number] for number in acknowledged)
