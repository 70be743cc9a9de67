"""Tests of training on pictures beyond the memory budget."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import DataError
from edgecls.train.config import Augment
from edgecls.train.fit import fit
from tests.conftest import ROOT
from tests.runs import Listener, config

BOUND_BYTES = 32_000_000
MEASURE = """
import json, sys
from dataclasses import replace
from pathlib import Path
import keras, numpy as np
from edgecls.input_spec import InputSpec
from edgecls.dataset import DataConfig
from edgecls.train.fit import fit
from edgecls.train.model import ARCHITECTURES
from tests.runs import Listener, config

# 256 of the pixels: convolutions of large pictures would take a minute
sparse = replace(ARCHITECTURES["classic"], features=lambda layers, x, *_: layers.Flatten()(x[:, ::32, ::32]))
ARCHITECTURES["classic"] = sparse
few, many, out, bound = *map(Path, sys.argv[1:4]), int(sys.argv[4])
def run(data, name, memory_bytes):
    listener = Listener()
    settings = config(data, input=InputSpec(512, 512), batch=4, epochs=1, data=DataConfig(str(data), val_fraction=0.25))
    fit(settings, out / name, watcher=listener, memory_bytes=memory_bytes)
    said = sum("are kept in a file" in line for line in listener.lines)
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return {"peak_bytes": 1024 * int(peak.split()[1]), "on_disk": said}  # getrusage would count the parent too
found = [run(few, "warm", bound), run(few, "warm again", bound), run(many, "disk", bound), run(many, "memory", 10**9)]
disk, memory = (keras.saving.load_model(out / name / "last.keras").get_weights() for name in ("disk", "memory"))
equal = all(np.array_equal(a, b) for a, b in zip(disk, memory, strict=True))
print(json.dumps({"runs": found, "equal": equal}))
"""


def write(folder, pictures):
    """Return class folders of 512x512 pictures that differ in a corner: 262 KB each decoded, 1 KB as files."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (folder / name).mkdir(parents=True)
        for i in range(pictures // 2):
            picture = np.full((512, 512), level + rng.integers(0, 40), np.uint8)
            picture[:4, :4] = rng.integers(0, 256, (4, 4))
            cv2.imwrite(str(folder / name / f"{i}.png"), picture)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process in /proc")
def test_memory_stays_under_the_bound_and_the_result_is_the_same(tmp_path):
    """On 160 MB of pictures with a bound of 32 MB the process grows by less than that over a run on few; in memory it grows by
    more than 100 MB; and the weights are equal to the bit.
    """
    few, many = write(tmp_path / "few", 64), write(tmp_path / "many", 610)
    command = [sys.executable, "-c", MEASURE, few, many, tmp_path, str(BOUND_BYTES)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    _, warm, disk, memory = found["runs"]
    assert [run["on_disk"] for run in found["runs"]] == [0, 0, 2, 0]
    assert disk["peak_bytes"] - warm["peak_bytes"] < BOUND_BYTES
    assert memory["peak_bytes"] - disk["peak_bytes"] > 100_000_000
    assert found["equal"]


def test_a_run_from_disk_is_resumed_to_the_bit(shapes, tmp_path):
    """Augmented, interrupted after the first epoch and resumed with another bound: the weights are those of a run in memory. No
    file of pictures is left in the folder.
    """
    settings = config(shapes, augment=Augment(), dropout=0.2, epochs=2)
    whole = fit(settings, tmp_path / "whole")
    listener = Listener(stop_after=1)
    fit(settings, tmp_path / "parts", watcher=listener, memory_bytes=0)
    assert f"88 pictures do not fit into memory; they are kept in a file in {tmp_path / 'parts'}" in listener.lines
    parts = fit(settings, tmp_path / "parts", resume=True, memory_bytes=10_000)
    weights = [keras.saving.load_model(report.out / "last.keras").get_weights() for report in (whole, parts)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert whole.card == parts.card
    assert {p.name for p in parts.out.iterdir()} == {p.name for p in whole.out.iterdir()}


def test_a_disk_that_breaks_while_the_network_trains_is_one_line(shapes, tmp_path, monkeypatch):
    """An error of the file of pictures is raised as it is, not wrapped by the backend."""
    from edgecls.dataset.storage import Slots

    read = Slots.read_into
    monkeypatch.setattr(Slots, "read_into", lambda self, slot, content: 0 if slot == 57 else read(self, slot, content))
    with pytest.raises(DataError, match=r"^the file of decoded pictures ends early \(0 of 256 bytes\); check the disk$"):
        fit(config(shapes), tmp_path / "run", memory_bytes=0)


def test_a_disk_that_is_too_small_ends_the_run_before_it_begins(shapes, tmp_path, monkeypatch):
    """The error is one line, and no folder is left."""
    from edgecls.dataset import storage

    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5}))
    with pytest.raises(DataError, match=r"100 pictures of 16x16 take .*run has 5e-09 GB free; take a smaller `input`"):
        fit(config(shapes, data=DataConfig(str(shapes), val_fraction=0.15)), tmp_path / "run", memory_bytes=0)
    assert not (tmp_path / "run").exists()
