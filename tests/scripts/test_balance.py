"""The script that holds every `--balance` against none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace

import pytest

from edgecls.train.fit import fit
from tests import drawn
from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "balance.py"


@pytest.fixture
def script(monkeypatch):
    """The script as a module, whose networks are linear, which train in a second."""
    spec = importlib.util.spec_from_file_location("balance", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "fit", lambda config, out: fit(replace(config, arch="linear"), out))
    return module


def test_a_row_for_each_kind(script, tmp_path, monkeypatch, capsys):
    """A table of five rows with shares."""
    drawn.write_class_folders(tmp_path / "data", pictures=10, names=("disc", "square"))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path / "data"), "--seeds", "1", "--epochs", "1"])
    assert script.main() == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ["none", "weights", "sampler", "focal", "logit-adjust"]
    assert all(0 <= float(row[2].strip().rstrip("%")) <= 100 for row in rows)


def test_what_cannot_be_read_is_one_line(tmp_path):
    """And exit code 1."""
    command = [sys.executable, SCRIPT, tmp_path / "none"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: ")
