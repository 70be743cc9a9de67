"""The script that holds a device against the CPU."""

from __future__ import annotations

import subprocess
import sys

import onnxruntime
import pytest

from tests.conftest import ROOT


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run scripts/gpu.py."""
    command = [sys.executable, ROOT / "scripts" / "gpu.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="built with CUDA")
def test_without_the_device_it_says_so(light_model):
    """One line with the reason and the command, and exit code 1."""
    done = call(light_model)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: device cuda: the installed ONNX Runtime was built for ")
    assert len(done.stderr.splitlines()) == 1


def test_the_cpu_agrees_with_itself(light_model, shapes):
    """On the CPU no label and no probability differs, on drawn pictures as on those of a folder; four sizes are measured."""
    for pictures in ([], ["--pictures", shapes]):
        done = call(light_model, "--device", "cpu", "--seconds", 0.05, *pictures)
        assert done.returncode == 0, done.stderr
        assert f"{'real' if pictures else 'drawn'} pictures: 0 labels differ from the CPU's" in done.stdout
        assert "is 0 (at most 0.001)" in done.stdout
        rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")]
        assert rows == ["batch", "1", "8", "64", "256"]
