"""The script that holds every `--balance` against none."""

from __future__ import annotations

import subprocess
import sys

from tests import drawn
from tests.conftest import ROOT


def test_a_row_for_each_kind(tmp_path):
    """A table of five rows with shares; what cannot be read is one line."""
    drawn.write_class_folders(tmp_path / "data", pictures=10, names=("disc", "square"))
    command = [sys.executable, ROOT / "scripts" / "balance.py", tmp_path / "data", "--seeds", "1", "--epochs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ["none", "weights", "sampler", "focal", "logit-adjust"]
    assert all(0 <= float(row[2].strip().rstrip("%")) <= 100 for row in rows)
    command[2] = tmp_path / "none"
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: ")
