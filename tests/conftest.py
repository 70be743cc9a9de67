"""What most tests need: drawn pictures, small models whose answers are known, the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from edgecls.export import ladder_search
from edgecls.input_spec import InputSpec
from tests import drawn, runs, tiny
from tests.once import once
from tests.run import world

if TYPE_CHECKING:
    from edgecls.export.build import ExportReport
    from edgecls.train.fit import TrainReport

ROOT = Path(__file__).parent.parent
os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "3"
)  # JAX, which Keras loads where it is, would set 1 for every process from here
hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one is no fault of what is tested
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this project's tests."""
    parser.addoption("--fuzz-minutes", type=float, default=0.0, help="how long tests/fuzz look for inputs that break edgecls")


def pytest_configure(config: pytest.Config) -> None:
    """Let pass the warnings of other people's code that they alone can end."""
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",  # Keras 3.15 x TensorFlow 2.21
    )


LONGEST_FIRST = ("test_docs.py", "train", "export", "learn", "scripts", "events", "web", "cli", "run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that none of them is left to one process at the end."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.relative_to(ROOT / "tests").parts[0], len(ranks)))


@pytest.fixture(scope="session", autouse=True)
def _few_turns():
    """An export times each form a few times: how long Keras takes is no matter of the tests, and takes most of an export."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder_search, "TURNS", ladder_search.FEWEST_TURNS)
        yield


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders `disc`, `ring`, `square`, `stripes` with 30 drawn pictures each."""
    return once(tmp_path_factory, "shapes", lambda folder: drawn.write_class_folders(folder, pictures=30))


@pytest.fixture(scope="session")
def light_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that says `dark`, `dim` or `bright` by the mean of a gray 8x8 picture; see `tiny`."""
    path = tmp_path_factory.mktemp("models") / "light.onnx"
    path.write_bytes(tiny.light_model())
    return path


@pytest.fixture(scope="session")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """A run on `shapes` that has learnt them: a classic network on 24x24 gray pictures. Its folder is this process's own,
    because an export writes into the run's page.
    """
    from edgecls.train.config import Layers
    from edgecls.train.fit import fit

    settings = runs.config(
        shapes, input=InputSpec(24, 24), layers=Layers(kernels=(16,), dense=64), epochs=12, about="drawn shapes"
    )
    report = once(tmp_path_factory, "runs", lambda folder: fit(settings, folder / "shapes"))
    return replace(report, out=shutil.copytree(report.out, tmp_path_factory.mktemp("own") / "shapes"))


@pytest.fixture(scope="session")
def short_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainReport, runs.Listener]:
    """A finished run of `runs.config(shapes)` and what its watcher heard. Tests read its folder, or go on with a copy of it."""
    from edgecls.train.fit import fit

    def heard(folder: Path) -> tuple[TrainReport, runs.Listener]:
        listener = runs.Listener()
        return fit(runs.config(shapes), folder / "run", watcher=listener), listener

    return once(tmp_path_factory, "short", heard)


@pytest.fixture(scope="session")
def exported(trained: TrainReport, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportReport]:
    """The `trained` run as a file in each scheme, by the scheme's name."""
    from edgecls.export.build import export_model

    def in_each_scheme(folder: Path) -> dict[str, ExportReport]:
        return {s: export_model(trained.out, folder / f"{s}.onnx", scheme=s, max_drop=10) for s in ("fp32", "fp16", "int8")}

    return once(tmp_path_factory, "exported", in_each_scheme)


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


RUNTIME = {"draw", "drift", "events", "health", "labels", "regions", "run", "sink", "source", "video"}


@pytest.fixture(autouse=True)
def _no_thread_is_left(request: pytest.FixtureRequest):
    """After each test of the runtime only the main thread is left."""
    yield
    if request.path.relative_to(ROOT / "tests").parts[0] in RUNTIME:
        world.assert_only_main_thread()


@pytest.fixture(scope="session")
def real_videos() -> Path:
    """The folder with the real videos, from the environment variable EDGECLS_DATA."""
    data = os.environ.get("EDGECLS_DATA")
    if not data:
        pytest.skip("EDGECLS_DATA is not set; it names the folder with video/car-detection.mp4 and video/vtest.avi")
    return Path(data) / "video"
