"""What most tests need: drawn pictures, small models whose answers are known, the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import drawn, tiny

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders `disc`, `ring`, `square`, `stripes` with 30 drawn pictures each."""
    return drawn.write_class_folders(tmp_path_factory.mktemp("shapes"), pictures=30)


@pytest.fixture(scope="session")
def light_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that says `dark`, `dim` or `bright` by the mean of a gray 8x8 picture; see `tiny`."""
    path = tmp_path_factory.mktemp("models") / "light.onnx"
    path.write_bytes(tiny.light_model())
    return path


@pytest.fixture
def edgecls(tmp_path: Path):
    """Run the command line in an empty folder: edgecls("run", "--model", ...) -> CompletedProcess with text."""

    def call(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgecls", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False, **options)

    return call
