"""What most tests need: drawn pictures, small models whose answers are known, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecls.card import InputSpec
from tests import drawn, runs, tiny

if TYPE_CHECKING:
    from edgecls.export.build import ExportReport
    from edgecls.train.fit import TrainReport

ROOT = Path(__file__).parent.parent
os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "3"
)  # JAX, which Keras loads where it is, would set 1 for every process from here


def pytest_configure(config: pytest.Config) -> None:
    """Let pass the warnings of other people's code that they alone can end."""
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",  # Keras 3.15 x TensorFlow 2.21
    )


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


@pytest.fixture(scope="session")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """A run on `shapes` that has learnt them: a classic network on 24x24 gray pictures. Tests only read its folder."""
    from edgecls.train.config import Layers
    from edgecls.train.fit import fit

    settings = runs.config(
        shapes, input=InputSpec(24, 24), layers=Layers(kernels=(16,), dense=64), epochs=12, about="drawn shapes"
    )
    return fit(settings, tmp_path_factory.mktemp("runs") / "shapes")


@pytest.fixture(scope="session")
def exported(trained: TrainReport, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportReport]:
    """The `trained` run as a file in each scheme, by the scheme's name."""
    from edgecls.export.build import build

    folder = tmp_path_factory.mktemp("exported")
    return {s: build(trained.out, folder / f"{s}.onnx", scheme=s, max_drop=10) for s in ("fp32", "fp16", "int8")}


@pytest.fixture
def edgecls(tmp_path: Path):
    """The command line, run in an empty folder: call("run", "--model", ...) -> CompletedProcess with text."""

    def call(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgecls", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False, **options)

    return call


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """In CI (EDGECLS_CI is set) a test that is skipped because a tool is not installed has failed."""
    report = yield
    if os.environ.get("EDGECLS_CI") and report.skipped and "is not installed" in str(report.longrepr):
        report.outcome, report.longrepr = "failed", f"{item.nodeid}: {report.longrepr[2]}"
    return report
