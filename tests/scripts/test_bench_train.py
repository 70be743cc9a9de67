"""The script that holds training through edgecls against Keras on arrays in memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from tests.conftest import ROOT


def test_a_line_with_every_way(tmp_path):
    """Rates and ratios of all four ways are printed and appended beside the script."""
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "bench_train.py", tmp_path / "scripts")
    command = [sys.executable, script, "--pictures", "64", "--runs", "1", "--arch", "classic", "--size", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "plain" in done.stdout
    assert "of arrays" in done.stdout
    line = json.loads((tmp_path / "scripts" / "bench.jsonl").read_text())
    rates = {name: value for name, value in line.items() if name.startswith("train_classic_")}
    assert set(rates) == {f"train_classic_{way}_per_s" for way in ("arrays", "plain", "augmented", "disk")}
    assert min(rates.values()) > 0
    assert line["backend"].startswith("tensorflow ")
